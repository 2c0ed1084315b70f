# SPDX-License-Identifier: Apache-2.0
"""Bench of masks in 3D: one click in the first view, mean IoU in all others (the NVOS way)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.worlds import as_measured, episode_of, object_source
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Frame,
    Instance,
    Instances,
    PointPrompt,
    Prompt,
)
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.masks3d.propagation import find_in_views
from sam3d_ros.world.samples import samples

SUITES = ('spaced', 'clutter')
EPISODES, QUICK_EPISODES = 4, 1
FRAMES, QUICK_FRAMES = 10, 4
SWEEP_DEG = 60.0
LEAST_PX = 400
"""Objects that show less in the first view are not clicked on, nor others scored in a view."""
WORST = 6
SHOWN_PX = 240
TRUE, FOUND = (0, 220, 0), (255, 0, 0)
"""Colours (RGB) of outlines."""


@dataclass(frozen=True, slots=True, eq=False)
class Clicked:
    """What a click on one object gave.

    :param iou: of the mask in every view but the first that shows the object.
    :param first_iou: of the answer to the click itself.
    :param worst: the view of least IoU.
    """

    name: str
    iou: list[float]
    first_iou: float
    worst: Picture

    @property
    def mean(self) -> float:
        """Mean IoU over the views."""
        return float(np.mean(self.iou))


class Truth:
    """A segmenter that answers every prompt by the true mask of one object.

    :param truth: index images by stamp.
    :param value: of the object in them.
    """

    def __init__(self, truth: dict[int, ByteArray], value: int) -> None:
        self._truth = truth
        self._value = value

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the object's mask once for each prompt."""
        mask = self._truth[frame.stamp_ns] == self._value
        box = mask_box(mask)
        items = () if box is None else (Instance(mask, 1.0, box, 'truth'),) * len(prompts)
        return Instances(frame.stamp_ns, items)


def run(options: BenchOptions) -> Measurement:
    """Click on every object of some worlds, with own and with true answers in each view."""
    config = options.config.segmentation
    segmenter: Segmenter = make_backend('segmentation', config.backend, config)
    values: dict[str, Value] = {}
    rows, gallery = [], []
    for suite in options.chosen(SUITES):
        found: dict[str, list[Clicked]] = defaultdict(list)
        for frames, truth in _episodes(suite, options):
            for value in np.unique(truth[0][truth[0] > 0]):
                name = f'{suite}, object {value}'
                by_stamp = {f.stamp_ns: index for f, index in zip(frames, truth, strict=True)}
                asked = {'own': segmenter, 'true': Truth(by_stamp, int(value))}
                for way, backend in asked.items():
                    clicked = _click(name, frames, truth, int(value), backend, options)
                    found[way] += [] if clicked is None else [clicked]
        for way, all_clicked in found.items():
            figures = _figures(all_clicked)
            values |= {f'{suite}_{way}_{name}': figure for name, figure in figures.items()}
            cells = [
                f'{figure:.3f}' if figure < 1 else f'{figure:g}' for figure in figures.values()
            ]
            rows.append((f'{suite}, {way} answers', *cells))
        gallery += found['own']
    head = ('', *(name.replace('_', ' ') for name in figures))
    worst = sorted(gallery, key=lambda clicked: clicked.mean)[:WORST]
    return Measurement(
        'views',
        values,
        (Table(f'One click in the first view, arcs of {SWEEP_DEG:g} degrees', head, tuple(rows)),),
        tuple(clicked.worst for clicked in worst),
        ('Pictures: truth green, found red, in the worst view of the objects of least mean IoU.',),
    )


def _episodes(suite: str, options: BenchOptions) -> Iterator[tuple[list[Frame], list[ByteArray]]]:
    """Yield frames and true index images (0 = no object)."""
    source = object_source(options)
    count = QUICK_FRAMES if options.quick else FRAMES
    for k in range(QUICK_EPISODES if options.quick else EPISODES):
        seed = options.seed + k
        drawn = list(samples(episode_of(suite, seed, source, options.sensor, count, SWEEP_DEG)))
        yield list(as_measured(drawn)), [sample.truth.instances for sample in drawn]


def _click(
    name: str,
    frames: list[Frame],
    truth: list[ByteArray],
    value: int,
    segmenter: Segmenter,
    options: BenchOptions,
) -> Clicked | None:
    """Return what a click well inside an object gives; None where too little of it is in view.

    An object that the click does not find is found nowhere.
    """
    first = truth[0] == value
    shown = [k for k in range(1, len(frames)) if (truth[k] == value).sum() >= LEAST_PX]
    if first.sum() < LEAST_PX or not shown:
        return None
    inside = cv2.distanceTransform(first.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    click = PointPrompt(((float(column), float(row)),), (1,))
    nothing = np.zeros_like(first)
    masks, answered = dict.fromkeys(shown, nothing), nothing
    try:
        answers = segmenter.segment(frames[0], (click,)).items
        answered = max(answers, key=lambda item: item.score).mask if answers else nothing
        found = find_in_views(
            lambda: enumerate(frames), 0, click, segmenter, options.config.masks3d
        )
        masks = {k: found.mask_in(k, frames[k]) for k in shown}
    except PromptError:
        pass  # it counts as found nowhere
    iou = [mask_iou(masks[k], truth[k] == value) for k in shown]
    least = shown[int(np.argmin(iou))]
    caption = f'{name}: mean IoU {np.mean(iou):.2f}, here {min(iou):.2f}'
    picture = Picture(caption, _outlined(frames[least], truth[least] == value, masks[least]))
    return Clicked(name, iou, mask_iou(answered, first), picture)


def _figures(clicked: list[Clicked]) -> dict[str, float]:
    means = [item.mean for item in clicked]
    return {
        'objects': float(len(clicked)),
        'mean_iou': float(np.mean(means)),
        'median_iou': float(np.median(means)),
        'share_above_75': float(np.mean([mean > 0.75 for mean in means])),
        'clicked_view_iou': float(np.mean([item.first_iou for item in clicked])),
    }


def _outlined(frame: Frame, truth: BoolArray, found: BoolArray) -> ByteArray:
    """Return the part of a frame around the truth, with both outlines."""
    image = frame.rgb.copy()
    for mask, color in ((truth, TRUE), (found, FOUND)):
        lines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(image, lines, -1, color, 1)
    left, top, right, bottom = mask_box(truth) or (0, 0, frame.camera.width, frame.camera.height)
    half = max(right - left, bottom - top, SHOWN_PX) // 2
    row, column = (top + bottom) // 2, (left + right) // 2
    part = image[max(0, row - half) : row + half, max(0, column - half) : column + half]
    return np.ascontiguousarray(part)
