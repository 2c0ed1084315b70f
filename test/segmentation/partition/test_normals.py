# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.core.sensors import STRUCTURED_LIGHT
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.segmentation.partition.grid import make_grid
from sam3d_ros.segmentation.partition.normals import local_planes

CAMERA = Camera(320, 240, np.array([[300.0, 0, 150.0], [0, 310.0, 130.0], [0, 0, 1]]))


def plane_frame(normal: np.ndarray, offset_m: float, noise: float = 0.0) -> Frame:
    ray = rays(CAMERA).astype(np.float64)
    disparity = -(ray @ normal) / offset_m
    disparity = disparity + np.random.default_rng(0).normal(0, noise, disparity.shape)
    z = np.where(disparity > 0.1, 1 / disparity, np.nan)
    points = (ray * z[..., None]).astype(np.float32)
    rgb = np.zeros((240, 320, 3), np.uint8)
    return Frame(0, 'c', CAMERA, rgb, points, 'c', np.eye(4))


@settings(max_examples=15, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.4, 1.5))
def test_a_plane_is_recovered(tilt_x, tilt_y, offset_m):
    normal = np.array([tilt_x, tilt_y, -1.0])
    normal /= np.linalg.norm(normal)
    local = local_planes(make_grid(plane_frame(normal, offset_m)), STRUCTURED_LIGHT)
    assert local.known.mean() > 0.5
    np.testing.assert_allclose(
        local.normal[local.known],
        np.broadcast_to(normal, local.normal.shape)[local.known],
        atol=0.01,
    )
    np.testing.assert_allclose(local.dual[local.known] @ normal, -1 / offset_m, rtol=0.02)


def test_noise_is_estimated():
    local = local_planes(
        make_grid(plane_frame(np.array([0.0, -0.6, -0.8]), 0.6, noise=0.002)), STRUCTURED_LIGHT
    )
    assert local.sigma == pytest.approx(0.002, rel=0.15)


def test_normals_stay_sharp_at_a_crease():
    ray = rays(CAMERA).astype(np.float64)
    left, right = np.array([0.7, 0, -0.714]), np.array([-0.7, 0, -0.714])
    disparity = np.maximum(-(ray @ left), -(ray @ right))  # a ridge that points at the camera
    points = (ray / disparity[..., None]).astype(np.float32)
    frame = Frame(0, 'c', CAMERA, np.zeros((240, 320, 3), np.uint8), points, 'c', np.eye(4))
    local = local_planes(make_grid(frame), STRUCTURED_LIGHT)
    is_left = -(ray @ left) > -(ray @ right)
    expected = np.where(is_left[..., None], left, right)
    angle = np.arccos(np.clip((local.normal * expected).sum(-1), -1, 1))
    assert 0.2 < is_left.mean() < 0.8
    assert np.quantile(angle[local.known], 0.99) < 0.1


def test_no_depth_is_unknown():
    frame = plane_frame(np.array([0.0, -0.6, -0.8]), 0.6)
    frame.pointmap[:, 100:200] = np.nan
    grid = make_grid(frame)
    local = local_planes(grid, frame.sensor)
    assert not local.known[:, 100:200].any()
    assert np.isfinite(local.normal).all()
    assert (grid.points[:, 100:200] == 0).all()
