# SPDX-License-Identifier: Apache-2.0
"""The reason of every miss, on masks that miss in a known way."""

import numpy as np
import pytest

from sam3d_ros.bench.masks.misses import misses
from sam3d_ros.bench.masks.real_frames import BoxFrame
from sam3d_ros.bench.metrics.metrics_boxes import BoxLabels, BoxObject, judge_boxes
from sam3d_ros.core.types import Camera, Frame

A, B = (20, 20, 60, 60), (60, 20, 100, 60)
HALVES = ((20, 20, 60, 38), (20, 42, 60, 60))


def told(predicted, without_depth=None):
    """Return the misses of things ``left`` and ``right`` in boxes A and B."""
    depth = np.ones((120, 160), np.float32)
    if without_depth:
        left, top, right, bottom = without_depth
        depth[top:bottom, left:right] = np.nan
    labels = np.zeros(depth.shape, np.int32)
    for value, (left, top, right, bottom) in enumerate(predicted, start=1):
        labels[top:bottom, left:right] = value
    camera = Camera(160, 120, np.array([[120.0, 0, 79.5], [0, 120.0, 59.5], [0, 0, 1]]))
    pointmap = np.repeat(depth[..., None], 3, axis=2)
    frame = Frame(1, 'c', camera, np.zeros((120, 160, 3), np.uint8), pointmap, 'c', np.eye(4))
    things = (
        BoxObject('left', A, (40, 25), False, 'no'),
        BoxObject('right', B, (80, 40), False, 'no'),
        BoxObject('glass', (120, 20, 150, 60), (130, 40), True, 'no'),
    )
    item = BoxFrame('made up', 'sensor', frame, BoxLabels(things))
    return dict(misses(item, labels, judge_boxes(labels, item.labels)))


def test_nothing_is_said_of_what_was_found_nor_of_glass():
    assert told([A, B]) == {}


@pytest.mark.parametrize(
    ('predicted', 'reason'),
    [
        ([B], 'no mask on it'),
        ([B, *HALVES], 'in 2 pieces'),
        ([(20, 20, 110, 60)], 'one with right'),
        ([B, (20, 20, 50, 40)], 'boxes overlap by 0.38'),
    ],
)
def test_reason_of_a_miss(predicted, reason):
    assert reason in told(predicted)['left']


def test_missing_depth_is_named():
    assert told([B], without_depth=A)['left'] == 'no mask on it; depth on 0% of its box'
