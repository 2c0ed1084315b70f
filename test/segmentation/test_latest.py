# SPDX-License-Identifier: Apache-2.0
"""A frame is taken apart once, whatever is asked of it, and the answers are the same."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import PointPrompt
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.geometric import GeometricSegmenter
from sam3d_ros.segmentation.mini.segmenter import MiniSegmenter
from sam3d_ros.session.prompts.standing import StandingPrompts

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)


@pytest.mark.parametrize(
    ('kind', 'parts'),
    [
        (GeometricSegmenter, 'sam3d_ros.segmentation.geometric.partition'),
        (MiniSegmenter, 'sam3d_ros.segmentation.mini.segmenter.look'),
    ],
)
def test_standing_prompts_take_a_frame_apart_once(boxes_world, monkeypatch, kind, parts):
    frame, truth = boxes_world((0.9, 0.0, 0.7), BOXES, size=(320, 240))
    fresh = kind(SegmentationConfig()).segment(frame)
    module, _, name = parts.rpartition('.')
    usual = getattr(__import__(module, fromlist=[name]), name)
    looked = []
    monkeypatch.setattr(parts, lambda *given: looked.append(1) or usual(*given))
    segmenter, standing = kind(SegmentationConfig()), StandingPrompts()
    row, column = np.argwhere(truth == 1).mean(axis=0)
    standing.add(PointPrompt(((column, row),), (1,)), segmenter, frame)
    assert len(looked) == 1
    assert standing.segment(segmenter, frame).items[-1].source.endswith(':point')
    everything = segmenter.segment(frame)
    assert len(looked) == 1
    for one, other in zip(everything.items, fresh.items, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.score == other.score
    segmenter.segment(replace(frame))
    assert len(looked) == 2
