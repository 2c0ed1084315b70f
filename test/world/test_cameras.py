# SPDX-License-Identifier: Apache-2.0
"""Cameras look where they should, the right way up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.cameras import hand_held, looking_at, orbit, pinhole, spherical

ANGLE = st.floats(-3.1, 3.1)


@settings(deadline=None, max_examples=50)
@given(ANGLE, st.floats(-1.3, 1.3), st.floats(0.3, 3.0))
def test_target_is_in_the_middle_and_up_is_up(azimuth, elevation, distance):
    target = np.array([0.1, -0.2, 0.5])
    T = looking_at(target + spherical(distance, azimuth, elevation), target)
    assert np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3)) and np.linalg.det(T[:3, :3]) > 0
    assert np.allclose(apply(inverse(T), target), [0, 0, distance])
    camera = pinhole()
    above = project(apply(inverse(T), target + [0, 0, 0.05 * distance]), camera)
    assert above[1] < camera.cy and above[0] == pytest.approx(camera.cx, abs=1e-6)


def test_orbit_keeps_distance_and_elevation():
    target = np.array([0.0, 0.1, 0.7])
    poses = orbit(target, 0.9, 0.6, np.linspace(0, 0.3, 5))
    offsets = poses[:, :3, 3] - target
    assert np.allclose(np.linalg.norm(offsets, axis=1), 0.9)
    assert np.allclose(np.arcsin(offsets[:, 2] / 0.9), 0.6)
    assert np.allclose(np.diff(np.arctan2(offsets[:, 1], offsets[:, 0])), 0.075)


def test_hand_held_path_is_smooth_and_stays_near():
    path = hand_held(np.random.default_rng(0), np.zeros(3), 0.9, 0.7, 1.0, 0.6, 40)
    steps = np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1)
    assert path.shape == (40, 4, 4) and steps.max() < 0.08
    assert np.abs(np.linalg.norm(path[:, :3, 3], axis=1) - 0.9).max() < 0.3
    off_axis = apply(inverse(path[20]), np.zeros(3))
    assert np.abs(off_axis[:2]).max() < 0.03


def test_pinhole_scales_with_the_image():
    small, large = pinhole(320, 240), pinhole(640, 480)
    assert small.fx * 2 == large.fx and large.cx == 319.5 and large.cy == 239.5
    shifted = pinhole(640, 480, np.random.default_rng(0))
    assert 0 < abs(shifted.cx - large.cx) <= 8
