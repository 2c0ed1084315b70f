# SPDX-License-Identifier: Apache-2.0
"""What a depth image says about points: confirmed, hidden, seen through."""

from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.visibility import judge, judge_frame

CAMERA = Camera(8, 6, np.array([[8.0, 0, 3.5], [0, 8.0, 2.5], [0, 0, 1]]))
POINTS = np.array([[0.0, 0, 1.0], [0.0, 0, 2.0], [0.0, 0, 3.0], [9.0, 0, 1.0]])


def test_points_are_confirmed_hidden_or_seen_through():
    verdict = judge(POINTS, CAMERA, np.full((6, 8), 2.0, np.float32), 0.1)
    assert verdict.seen_through.tolist() == [True, False, False, False]
    assert verdict.confirmed.tolist() == [False, True, False, False]
    assert verdict.hidden.tolist() == [False, False, True, False]
    assert verdict.in_view.tolist() == [True, True, True, False]


def test_inferred_range_sees_through_nothing():
    depth = np.full((6, 8), 2.0, np.float32)
    inferred = judge(POINTS, CAMERA, depth, 0.1, np.zeros((6, 8), bool))
    assert not inferred.seen_through.any()
    assert inferred.confirmed[1] and inferred.hidden[2]
    measured = judge(POINTS, CAMERA, depth, 0.1, np.ones((6, 8), bool))
    assert measured.seen_through[0]


def test_a_frame_is_believed_as_far_as_it_says():
    depth = np.full((6, 8), 2.0, np.float32)
    frame = Frame(
        0,
        'camera',
        CAMERA,
        np.zeros((6, 8, 3), np.uint8),
        pointmap_from_depth(depth, CAMERA),
        'camera',
        np.eye(4),
    )
    near = np.array([[0.0, 0, 1.9], [0.0, 0, 1.0]])
    assert judge_frame(near, frame, 0.01).seen_through.tolist() == [True, True]
    unsure = replace(frame, range_sigma_m=np.full((6, 8), 0.05, np.float32))
    assert judge_frame(near, unsure, 0.01).confirmed.tolist() == [True, False]
    assert judge_frame(near, unsure, 0.01).seen_through.tolist() == [False, True]
