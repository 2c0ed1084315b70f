# SPDX-License-Identifier: Apache-2.0
"""Rotations by hand agree with scipy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import from_quaternion, quaternion, transform, upright_axes

HALF_TURNS = [*np.pi * np.eye(3), *(np.pi - 1e-9) * np.array([[0.6, 0.8, 0.0], [0.0, -0.6, 0.8]])]
ROTATIONS = [
    *Rotation.random(20, random_state=0),
    *map(Rotation.from_rotvec, HALF_TURNS),
    Rotation.identity(),
]


@pytest.mark.parametrize('rotation', ROTATIONS)
def test_quaternions_are_those_of_the_rotation_and_their_w_is_not_negative(rotation):
    T = transform(rotation.as_matrix(), np.array([1.0, 2.0, 3.0]))
    xyzw = quaternion(T)
    np.testing.assert_allclose(xyzw @ xyzw, 1.0, atol=1e-12)
    np.testing.assert_allclose(from_quaternion(xyzw, T[:3, 3]), T, atol=1e-12)
    assert xyzw[3] >= 0.0


@pytest.mark.parametrize(
    'up', [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.6, 0.0, 0.8), (0.48, 0.6, 0.64)]
)
def test_upright_axes_turn_up_into_z(up):
    R = upright_axes(np.array(up))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(R @ up, (0, 0, 1), atol=1e-12)
    assert np.linalg.det(R) > 0
