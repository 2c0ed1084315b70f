# SPDX-License-Identifier: Apache-2.0
"""A spinning LiDAR beside the camera: planes are closed exactly, edges and gaps stay open."""

import numpy as np
import pytest
from ray_cast_world import camera, cast, moved, render

from sam3d_ros.core.sensors import sensor_model
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.pointmaps.config import LidarConfig
from sam3d_ros.pointmaps.sources.lidar import depth_from_cloud

CAMERA = camera(320, 240, 260)
T_WORLD_LIDAR = moved(x=0.12, y=-0.1)
SENSOR = sensor_model('lidar')


def scan(rings=72, columns=260):
    """Return (N, 3) points of a LiDAR in its own frame (optical axes)."""
    up, side = np.meshgrid(
        np.tan(np.radians(np.linspace(-28, 28, rings))),
        np.tan(np.radians(np.linspace(-36, 36, columns))),
        indexing='ij',
    )
    directions = np.stack([side, up, np.ones_like(up)], -1).reshape(-1, 3)
    depth, _ = cast(directions, T_WORLD_LIDAR)
    return (directions * depth[:, None]).astype(np.float32)


def test_a_scan_becomes_the_depth_the_camera_would_measure():
    points_cam = apply(T_WORLD_LIDAR, scan())
    found, _ = depth_from_cloud(points_cam, CAMERA, LidarConfig(), SENSOR)
    truth, _ = render(CAMERA, np.eye(4))
    known = ~np.isnan(found)
    returns, sensor = depth_from_cloud(points_cam, CAMERA, LidarConfig(radius_px=0), SENSOR)
    assert sensor is SENSOR
    sparse = ~np.isnan(returns)
    assert sparse.mean() < 0.3 and known.mean() > 0.6
    error = np.abs(found - truth)[known]
    assert np.median(error) < 0.002
    assert np.percentile(error, 95) < 0.01
    # Beyond an edge by half the radius at most.
    assert (error > 0.05).mean() < 0.01


def test_noise_is_averaged_not_taken_for_edges():
    clean = scan()
    noise = np.random.default_rng(0).normal(scale=0.015, size=(len(clean), 1))
    distance = np.linalg.norm(clean, axis=1, keepdims=True)
    noisy = (clean * (1 + noise / distance)).astype(np.float32)
    found, _ = depth_from_cloud(apply(T_WORLD_LIDAR, noisy), CAMERA, LidarConfig(), SENSOR)
    truth, _ = render(CAMERA, np.eye(4))
    known = ~np.isnan(found)
    assert known.mean() > 0.6
    assert np.median(np.abs(found - truth)[known]) < 0.005


def test_what_the_fit_leaves_of_the_noise_is_what_the_frame_says():
    lidar = SENSOR.measured(0.5, SENSOR.grain)
    clean, rng = scan(), np.random.default_rng(1)
    distance = np.linalg.norm(clean, axis=1, keepdims=True)
    noisy = clean * (1 + rng.normal(scale=lidar.floor_m, size=distance.shape) / distance)
    points_cam = apply(T_WORLD_LIDAR, noisy.astype(np.float32))
    exact, _ = depth_from_cloud(apply(T_WORLD_LIDAR, clean), CAMERA, LidarConfig(), lidar)
    found, left = depth_from_cloud(points_cam, CAMERA, LidarConfig(), lidar)
    error = found - exact
    spread = 1.4826 * np.nanmedian(np.abs(error))
    assert left.floor_m == pytest.approx(spread, rel=0.25)
    assert left.floor_m < 0.5 * lidar.floor_m
    one, other = error[:, 4:].ravel(), error[:, :-4].ravel()
    plain = (np.abs(one) < 4 * spread) & (np.abs(other) < 4 * spread)
    ((scale_px, _),) = left.grain
    shared = np.corrcoef(one[plain], other[plain])[0, 1]
    assert shared == pytest.approx(np.exp(-((4 / scale_px) ** 2) / 4), abs=0.1)


def test_gaps_between_few_rings_stay_open():
    points_cam = apply(T_WORLD_LIDAR, scan(rings=5))
    found, _ = depth_from_cloud(points_cam, CAMERA, LidarConfig(), SENSOR)
    assert np.isnan(found).mean() > 0.9


def test_returns_that_the_camera_cannot_see_are_dropped():
    truth, _ = render(CAMERA, np.eye(4))
    config = LidarConfig(radius_px=5)
    wall = np.stack(np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-0.6, 0.4, 120)), -1)
    wall = np.concatenate([wall.reshape(-1, 2), np.full((24000, 1), 2.0)], 1).astype(np.float32)
    both = np.concatenate([apply(T_WORLD_LIDAR, scan(160, 500)), wall])
    found, _ = depth_from_cloud(both, CAMERA, config, SENSOR)
    ball = truth < 1.3
    wrong = np.abs(found - truth)[ball & ~np.isnan(found)] > 0.05
    assert wrong.mean() < 0.02


def test_nothing_in_nothing_out():
    empty = np.empty((0, 3), np.float32)
    depth, sensor = depth_from_cloud(empty, CAMERA, LidarConfig(), SENSOR)
    assert np.isnan(depth).all() and sensor is SENSOR
