# SPDX-License-Identifier: Apache-2.0
"""The rule for the object frame, as the formats document states it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.reconstruction.pose.objectframe import object_frame

UP = np.array([0.0, 0.0, 1.0])
CORNERS = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]) * 0.5


def turned(size, yaw_rad, centre):
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    R = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return (CORNERS * size) @ R.T + centre, R


@settings(max_examples=40, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(0.5, 0.94))
def test_x_is_the_longest_side_and_the_origin_the_centre(yaw, ratio):
    centre = np.array([0.3, -0.2, 0.1])
    vertices, R = turned([0.2, 0.2 * ratio, 0.5], yaw, centre)
    T = object_frame(vertices.astype(np.float32), UP, np.array([1.0, 0.0, -0.3]))
    np.testing.assert_allclose(T[:3, 3], centre, atol=1e-5)
    np.testing.assert_allclose(T[:3, 2], UP, atol=1e-12)
    np.testing.assert_allclose(abs(T[:3, 0] @ R[:, 0]), 1.0, atol=1e-4)
    assert T[0, 0] >= -1e-6
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)


def test_nearly_square_takes_the_cameras_forward_axis():
    vertices, _ = turned([0.2, 0.195, 0.1], 0.4, np.zeros(3))
    forward = np.array([0.6, -0.8, -1.0])
    T = object_frame(vertices.astype(np.float32), UP, forward)
    np.testing.assert_allclose(T[:3, 0], [0.6, -0.8, 0.0], atol=1e-9)
