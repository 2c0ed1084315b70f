# SPDX-License-Identifier: Apache-2.0
"""How well backends answer a click or a hand-drawn box, on labelled frames.

``python -m sam3d_ros.bench.masks.prompts_segmentation --data OSD --objects SCANS`` asks for every
object once by each kind of prompt, of the odd real frames and of clutter made of test scans.
"""

from __future__ import annotations

import argparse
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.bench.masks.scenes_segmentation import (
    LabelledFrame,
    frame_files,
    read_frame,
    world_frames,
)
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.sensors import MODELS, STRUCTURED_LIGHT
from sam3d_ros.core.types import BoolArray, BoxPrompt, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.world.sources import ScanSource

LOG = logging.getLogger(__name__)
LEAST_AREA_PX = 300
CLUTTER_FRAMES = 24
RIM_PX = 5
"""Clicks keep half of this away from the rim of a thing where they can."""
BOX_SIGMA = 0.05
"""Error of a box's sides, of its size."""


def ask(item: LabelledFrame, rng: np.random.Generator) -> Iterator[tuple[str, Prompt, BoolArray]]:
    """Yield kind, prompt and true mask of a click and a box for every object of a frame.

    :param item: the frame with its true masks.
    :param rng: draws where the clicks fall.
    """
    for k in np.unique(item.truth[item.truth > 0]):
        mask = (item.truth == k) & item.valid
        if mask.sum() < LEAST_AREA_PX:
            continue
        inner = cv2.erode(mask.astype(np.uint8), np.ones((RIM_PX, RIM_PX), np.uint8)) > 0
        rows, columns = np.nonzero(inner if inner.any() else mask)
        pick = int(rng.integers(len(rows)))
        yield 'click', PointPrompt(((float(columns[pick]), float(rows[pick])),), (1,)), mask
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = np.array([left, top, left + width, top + height], np.float64)
        box += rng.normal(0, BOX_SIGMA, 4) * [width, height, width, height]
        sides = np.clip(box, 0, [*mask.shape[::-1]] * 2).tolist()
        yield 'box', BoxPrompt((sides[0], sides[1], sides[2], sides[3])), mask


def answered(
    segmenter: Segmenter, frames: Iterable[LabelledFrame], seed: int
) -> dict[str, list[float]]:
    """Return the IoU of the first answer to every prompt, by kind; 0 where there is none.

    :param segmenter: who answers.
    :param frames: with their true masks.
    :param seed: of where the clicks fall.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for number, item in enumerate(frames):
        for kind, prompt, mask in ask(item, np.random.default_rng([seed, number])):
            found = segmenter.segment(item.frame, [prompt]).items
            mine = found[0].mask & item.valid if found else np.zeros_like(mask)
            scores[kind].append(mask_iou(mine, mask))
    return scores


def main() -> None:
    """Log the figures of every backend named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder of labelled frames')
    parser.add_argument('--objects', type=Path, required=True, help='scans with an index.json')
    parser.add_argument('--backends', nargs='+', default=['geometric', 'mini'])
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--sensor', choices=list(MODELS), default=STRUCTURED_LIGHT.name)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    files = frame_files(arguments.data)[1::2]
    source = ScanSource(arguments.objects, 'test')
    sets = {
        'real, odd frames': [read_frame(path) for path in files],
        'clutter': list(
            world_frames('clutter', CLUTTER_FRAMES, arguments.seed, source, arguments.sensor)
        ),
    }
    for name, frames in sets.items():
        for backend in arguments.backends:
            segmenter = make_backend('segmentation', backend, SegmentationConfig())
            for kind, iou in answered(segmenter, frames, arguments.seed).items():
                above = float(np.mean(np.array(iou) > 0.5))
                mean, count = float(np.mean(iou)), len(iou)
                LOG.info(
                    '%s: %s, %s: IoU %.3f, above 0.5 %.3f, of %d',
                    name,
                    backend,
                    kind,
                    mean,
                    above,
                    count,
                )


if __name__ == '__main__':
    main()
