# SPDX-License-Identifier: Apache-2.0
"""Rays give back the camera they came from; rays of no camera are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray_cast_world import camera
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transforms import rotation_angle, transform
from sam3d_ros.pointmaps.ray_camera import camera_of_rays, suspected_calibration

GRID = np.stack(np.meshgrid(np.arange(4, 640, 16), np.arange(4, 480, 16)), -1).reshape(-1, 2)


def drawn(seed, noise_deg=0.0, grid=GRID):
    """Return K, R, centre and noisy rays of a grid of pixels."""
    rng = np.random.default_rng(seed)
    fx, fy = rng.uniform(300, 900, 2)
    K = np.array([[fx, 0, rng.uniform(200, 440)], [0, fy, rng.uniform(150, 330)], [0, 0, 1]])
    R = Rotation.random(random_state=seed).as_matrix()
    rays = np.c_[grid, np.ones(len(grid))] @ np.linalg.inv(K).T @ R.T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    rays += np.radians(noise_deg) * rng.normal(size=rays.shape)
    center = rng.normal(size=3)
    origins = center + 0.01 * rng.normal(size=rays.shape)
    return K, R, center, rays * rng.uniform(0.3, 5, (len(rays), 1)), origins


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_exact_rays_give_the_camera_back(seed):
    K, R, _, rays, _ = drawn(seed)
    found = camera_of_rays(rays, GRID)
    assert np.allclose(found.K, K, atol=1e-4 * K[0, 0]) and np.allclose(found.R, R, atol=1e-6)


def test_a_degree_of_noise_leaves_a_percent():
    grid = np.stack(np.meshgrid(np.arange(0, 640, 4), np.arange(0, 480, 4)), -1).reshape(-1, 2)
    focal, turn, away = [], [], []
    for seed in range(20):
        K, R, center, rays, origins = drawn(seed, 1.0, grid)
        found = camera_of_rays(rays, grid, origins=origins)
        focal.append(np.abs(np.diag(found.K)[:2] / np.diag(K)[:2] - 1).max())
        turn.append(np.degrees(rotation_angle(transform(found.R.T @ R, np.zeros(3)))))
        away.append(np.linalg.norm(found.center - center))
    assert np.median(focal) < 0.01 and np.median(turn) < 0.2 and max(away) < 0.01


def test_many_maps_are_solved_at_once_and_what_weighs_nothing_does_not_count():
    each = [drawn(seed) for seed in range(5)]
    rays = np.stack([item[3] for item in each])
    rays[:, :50] = [0, 0, 1]
    weights = np.ones(rays.shape[:2])
    weights[:, :50] = 0
    found = camera_of_rays(rays, GRID, weights)
    for k, (K, R, *_) in enumerate(each):
        assert np.allclose(found.K[k], K, rtol=1e-4, atol=1e-2) and np.allclose(found.R[k], R)


def test_rays_of_no_camera_are_refused():
    _, _, _, rays, _ = drawn(0)
    with pytest.raises(InputError, match='more than one'):
        camera_of_rays(np.tile([0.0, 0, 1], (len(GRID), 1)), GRID)
    line = GRID[:, 1] == 4
    with pytest.raises(InputError, match='more than one'):
        camera_of_rays(rays[line], GRID[line])
    with pytest.raises(InputError, match='mirrored'):
        camera_of_rays(rays * [-1, -1, -1], GRID)
    with pytest.raises(InputError, match='at least'):
        camera_of_rays(rays[:5], GRID[:5])


def test_a_wrong_camera_info_is_found_from_an_organised_cloud():
    true = camera(160, 120, 140)
    depth = np.random.default_rng(0).uniform(0.5, 3, (120, 160)).astype(np.float32)
    depth[40:60] = np.nan
    cloud = pointmap_from_depth(depth, true)
    assert suspected_calibration(cloud, Lens(160, 120, true.K, true)) == ''
    wrong = camera(160, 120, 150)
    text = suspected_calibration(cloud, Lens(160, 120, wrong.K, wrong))
    assert 'fx 150.0' in text and 'fx 140.0' in text
    nothing = np.full_like(cloud, np.nan)
    assert suspected_calibration(nothing, Lens(160, 120, wrong.K, wrong)) == ''
