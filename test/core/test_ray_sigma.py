# SPDX-License-Identifier: Apache-2.0
"""The error of a measured point, against the world's depth camera."""

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.world.rendering.render import Rendering
from sam3d_ros.world.rendering.sensors import depth_sensor

CAMERA = Camera(160, 120, np.array([[525.0, 0, 80.0], [0, 525.0, 60.0], [0, 0, 1]]))
WHITE = MODELS['white']


@pytest.mark.parametrize('tilt_deg', [10, 30, 50, 65])
@pytest.mark.parametrize('depth_m', [0.6, 1.2])
def test_two_sigma_hold_nineteen_of_twenty_points_of_a_plane(tilt_deg, depth_m):
    normal = np.array([np.sin(np.radians(tilt_deg)), 0.0, -np.cos(np.radians(tilt_deg))])
    sight = rays(CAMERA).astype(np.float64)
    depth = (depth_m * normal[2] / (sight @ normal)).astype(np.float32)
    normals = np.broadcast_to(normal, (*depth.shape, 3)).astype(np.float32)
    ideal = rendering(depth, normals)
    measured = depth_sensor('white').measure(ideal, CAMERA, np.random.default_rng(1))
    cosine = np.abs(sight @ normal) / np.linalg.norm(sight, axis=-1)
    sigma = WHITE.ray_sigma(depth.ravel(), cosine.ravel(), CAMERA.fx)
    error = (measured - depth).ravel()
    within = np.abs(error[np.isfinite(error)]) < 2.0 * sigma[np.isfinite(error)]
    assert 0.92 < within.mean() < 0.99


def rendering(depth, normals):
    """A rendering of one bare surface."""
    shape = depth.shape
    rgb, ids = np.zeros((*shape, 3), np.uint8), np.ones(shape, np.uint8)
    none = np.zeros(shape, np.float32)
    amodal = np.ones((1, *shape), bool)
    return Rendering(rgb, depth, normals, ids, amodal, none + 0.9, none, none, depth)


def test_unknown_incidence_counts_as_a_usual_one():
    depth = np.full(3, 0.8, np.float32)
    cosine = np.array([0.0, 0.7, 0.2], np.float32)
    unknown, usual, grazing = WHITE.ray_sigma(depth, cosine, 525.0)
    assert unknown == usual < grazing


def test_white_noise_is_that_of_a_first_kinect():
    depth = np.array([0.4, 0.9, 1.6], np.float32)
    axial = 0.0012 + 0.0019 * (depth - 0.4) ** 2
    np.testing.assert_allclose(WHITE.axial_sigma(depth), axial, rtol=1e-6)
    angle = np.radians(40.0)
    axial = axial + 1e-4 / np.sqrt(depth) * (angle / (np.pi / 2 - angle)) ** 2
    lateral = (0.8 + 0.035 * angle / (np.pi / 2 - angle)) * depth / 525.0 * np.tan(angle)
    step = 0.00285 * depth**2 / np.sqrt(12)
    cosine = np.full(3, np.cos(angle), np.float32)
    expected = np.sqrt(axial**2 + lateral**2 + step**2)
    np.testing.assert_allclose(WHITE.ray_sigma(depth, cosine, 525.0), expected, rtol=1e-5)
