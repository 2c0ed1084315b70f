# SPDX-License-Identifier: Apache-2.0
"""Distorted images become pinhole images: every point lands where a pinhole puts it."""

import cv2
import numpy as np
import pytest
from ray_cast_world import camera
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.lenses import Lens, pinhole
from sam3d_ros.pointmaps.rectification import rectify_color, rectify_depth

RECTIFIED = camera(160, 120, 110)
K = np.array([[120.0, 0, 82.0], [0, 118.0, 58.0], [0, 0, 1]])
TURN = Rotation.from_euler('xyz', [2.0, -3.0, 5.0], degrees=True).as_matrix()
LENSES = {
    'plumb_bob': [-0.2, 0.05, 0.002, -0.001, 0.0],
    'rational_polynomial': [0.3, -0.1, 0.001, 0.001, 0.02, 0.4, -0.05, 0.01],
    'equidistant': [-0.02, 0.01, -0.005, 0.001],
}


def lens(model, R=TURN):
    return Lens(160, 120, K, RECTIFIED, model, np.array(LENSES[model]), R)


def delivered(lens, rays_raw):
    """Project delivered-axes rays the way the lens does: OpenCV's projectPoints is the oracle."""
    points = rays_raw.reshape(-1, 1, 3).astype(np.float64)
    zero = np.zeros(3)
    if lens.model == 'equidistant':
        pixels, _ = cv2.fisheye.projectPoints(points, zero, zero, lens.K, lens.distortion)
    else:
        pixels, _ = cv2.projectPoints(points, zero, zero, lens.K, lens.distortion)
    return pixels.reshape(*rays_raw.shape[:-1], 2)


@pytest.mark.parametrize('model', LENSES)
def test_a_smooth_picture_is_straightened(model):
    glass = lens(model)
    v, u = np.mgrid[:120, :160].astype(np.float32)
    picture = np.stack([u, 2 * v, 0 * u], -1).astype(np.uint8)
    straight = rectify_color(picture, glass)
    pixels = delivered(glass, rays(RECTIFIED) @ glass.R_rect_raw)
    inside = np.all((pixels > 1) & (pixels < [158, 118]), axis=-1)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(straight[..., 0][inside], pixels[..., 0][inside], atol=1.0)
    np.testing.assert_allclose(straight[..., 1][inside], 2 * pixels[..., 1][inside], atol=1.5)


@pytest.mark.parametrize('model', LENSES)
def test_depth_of_a_tilted_plane_survives(model):
    glass = lens(model)
    normal, distance = np.array([0.1, -0.2, 1.0]), 1.5

    # The plane in rectified axes, then what the delivered, turned lens measures of it: its rays
    # through every delivered pixel come from undistorting that pixel.
    truth = distance / (rays(RECTIFIED) @ normal)
    v, u = np.mgrid[:120, :160].astype(np.float64)
    undistort = cv2.fisheye.undistortPoints if model == 'equidistant' else cv2.undistortPoints
    flat = undistort(np.stack([u, v], -1).reshape(-1, 1, 2), glass.K, glass.distortion)
    rays_raw = np.concatenate([flat.reshape(120, 160, 2), np.ones((120, 160, 1))], -1)
    depth_raw = (distance / (rays_raw @ (TURN.T @ normal))).astype(np.float32)

    straight = rectify_depth(depth_raw, glass)
    known = ~np.isnan(straight)
    assert known.mean() > 0.5
    np.testing.assert_allclose(straight[known], truth[known], atol=0.02)
    assert np.median(np.abs(straight - truth)[known]) < 0.003


def test_depth_is_never_mixed_and_unknown_outside():
    glass = Lens(160, 120, K, camera(160, 120, 60), 'plumb_bob', np.array(LENSES['plumb_bob']))
    depth = np.where(np.mgrid[:120, :160][1] < 80, 1.0, 3.0).astype(np.float32)
    straight = rectify_depth(depth, glass)
    assert np.isnan(straight[0, 0])
    assert set(np.unique(straight[~np.isnan(straight)])) == {1.0, 3.0}


def test_a_pinhole_image_is_passed_on_as_it_is():
    image = np.zeros((120, 160, 3), np.uint8)
    assert rectify_color(image, pinhole(RECTIFIED)) is image


def test_a_wrong_number_of_coefficients_is_named():
    for model, count in [('plumb_bob', 3), ('equidistant', 5)]:
        glass = Lens(160, 120, K, RECTIFIED, model, np.full(count, 0.1))
        with pytest.raises(InputError, match=f'{count} coefficients'):
            rectify_color(np.zeros((120, 160, 3), np.uint8), glass)
