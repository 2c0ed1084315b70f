# SPDX-License-Identifier: Apache-2.0
"""The registered weights on seeded worlds that they were not trained on, asked in every way."""

import numpy as np
import pytest

from sam3d_ros.bench.masks.scenes_segmentation import LabelledFrame, world_frames
from sam3d_ros.bench.masks.segmentation import label_image
from sam3d_ros.bench.metrics.metrics_segmentation import score_labels
from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig

SEED = 700_003


@pytest.fixture(scope='module')
def frames() -> list[LabelledFrame]:
    return list(world_frames('clutter', 2, SEED, None))


@pytest.fixture(scope='module')
def segmenter():
    return load_backend('segmentation', 'mini')(SegmentationConfig(backend='mini'))


def prompts(mask: np.ndarray) -> list[Prompt]:
    rows, columns = np.nonzero(mask)
    pick = np.argmin(np.hypot(rows - np.median(rows), columns - np.median(columns)))
    box = mask_box(mask)
    assert box is not None
    click = PointPrompt(((float(columns[pick]), float(rows[pick])),), (1,))
    return [click, BoxPrompt(box), MaskPrompt(np.roll(mask, (3, -4), axis=(0, 1)))]


def test_things_in_clutter_are_told_apart(segmenter, frames) -> None:
    scores = [
        score_labels(
            label_image(item.frame, [found.mask for found in segmenter.segment(item.frame).items]),
            item.truth,
            item.valid,
        )
        for item in frames
    ]
    assert np.mean([score.overlap_f for score in scores]) > 0.9
    assert np.mean([score.recall_iou50 for score in scores]) > 0.9


def test_prompts_are_answered_by_the_thing_they_point_at(segmenter, frames) -> None:
    iou = []
    for item in frames:
        for k in np.unique(item.truth[item.truth > 0]):
            mask = (item.truth == k) & item.valid
            if mask.sum() < 1000:
                continue
            for prompt in prompts(mask):
                items = segmenter.segment(item.frame, [prompt]).items
                assert items[0].score == max(it.score for it in items)
                found = items[0].mask & item.valid
                iou.append((found & mask).sum() / (found | mask).sum())
    assert np.mean(iou) > 0.88
