# SPDX-License-Identifier: Apache-2.0
"""Floors of what clicks and drawn boxes get on real frames, of the half that is not kept back."""

import numpy as np

from sam3d_ros.bench.masks.prompts_segmentation import answered
from sam3d_ros.bench.masks.scenes_segmentation import frame_files, read_frame
from sam3d_ros.core.registry import make_backend
from sam3d_ros.segmentation.config import SegmentationConfig

EVERY = 8


def test_clicks_and_boxes_get_the_thing_they_mean(shared_data):
    frames = map(read_frame, frame_files(shared_data / 'osd')[::EVERY])
    segmenter = make_backend('segmentation', 'mini', SegmentationConfig())
    scores = answered(segmenter, frames, seed=0)
    means = {kind: float(np.mean(ious)) for kind, ious in scores.items()}
    assert len(scores['click']) > 30
    assert means['click'] > 0.86
    assert means['box'] > 0.93
