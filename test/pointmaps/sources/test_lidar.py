# SPDX-License-Identifier: Apache-2.0
"""A spinning LiDAR beside the camera: planes are closed, edges are where colours change."""

import numpy as np
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


TRUTH, SURFACE = render(CAMERA, np.eye(4))
RGB = np.array([[90, 90, 90], [120, 130, 110], [200, 60, 50]], np.uint8)[SURFACE]
"""Wall, floor and ball, each of one colour."""


def densify(points_cam, config=None, sensor=SENSOR, rgb=RGB):
    found = depth_from_cloud(points_cam, rgb, CAMERA, config or LidarConfig(), sensor)
    return found.depth_m, found


def noisy(points, sigma_m, seed=0):
    noise = np.random.default_rng(seed).normal(scale=sigma_m, size=(len(points), 1))
    return (points * (1 + noise / np.linalg.norm(points, axis=1, keepdims=True))).astype(
        np.float32
    )


def test_a_scan_becomes_the_depth_the_camera_would_measure():
    points_cam = apply(T_WORLD_LIDAR, scan())
    found, _ = densify(points_cam)
    known = ~np.isnan(found)
    returns, alone = densify(points_cam, LidarConfig(radius_px=0))
    assert alone.sensor is SENSOR
    sparse = ~np.isnan(returns)
    assert sparse.mean() < 0.3 and known.mean() > 0.7
    error = np.abs(found - TRUTH)[known]
    assert np.median(error) < 0.002
    assert np.percentile(error, 95) < 0.015
    assert (error > 0.05).mean() < 0.002


def test_noise_is_averaged_not_taken_for_edges():
    found, said = densify(apply(T_WORLD_LIDAR, noisy(scan(), 0.02)))
    known = ~np.isnan(found)
    assert known.mean() > 0.7
    error = np.abs(found - TRUTH)[known]
    assert np.median(error) < 0.004
    # Each pixel's own sigma is what it is off by, within a factor.
    assert 0.5 < 1.4826 * np.median(error / said.sigma_m[known]) < 1.3


def test_rings_do_not_print_through_on_planes():
    found, _ = densify(apply(T_WORLD_LIDAR, noisy(scan(32, 260), 0.02)))
    wall = (SURFACE == 0)[:90] & ~np.isnan(found[:90])
    assert wall.mean() > 0.8
    slope = np.abs(found[6:90] - found[:84])[wall[6:] & wall[:-6]] / (6 * 2.0 / 260)
    assert np.degrees(np.arctan(np.median(slope))) < 4.0


def test_edges_are_where_colours_change():
    few = apply(T_WORLD_LIDAR, noisy(scan(40, 200), 0.01))
    found, _ = densify(few, sensor=SENSOR.measured(0.5, SENSOR.grain))
    grey, _ = densify(few, sensor=SENSOR.measured(0.5, SENSOR.grain), rgb=np.full_like(RGB, 90))

    def wrong(depth):
        return int((np.abs(depth - TRUTH) > 0.05).sum())

    assert wrong(found) < 0.5 * wrong(grey)


def test_what_the_narrow_fit_leaves_of_the_noise_is_what_the_frame_says():
    _, said = densify(apply(T_WORLD_LIDAR, scan()))
    assert 0.1 * SENSOR.floor_m < said.sensor.floor_m < 0.5 * SENSOR.floor_m
    # Where a plane explains more returns, the pixel is known better than that.
    wall = SURFACE == 0
    assert np.nanmedian(said.sigma_m[wall]) < 0.6 * said.sensor.floor_m


def test_between_few_rings_only_planes_are_known():
    found, _ = densify(apply(T_WORLD_LIDAR, scan(rings=16)))
    known = ~np.isnan(found)
    assert np.percentile(np.abs(found - TRUTH)[known & (SURFACE < 2)], 95) < 0.06
    assert known[SURFACE == 2].mean() < known[SURFACE == 0].mean()


def test_returns_that_the_camera_cannot_see_are_dropped():
    wall = np.stack(np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-0.6, 0.4, 120)), -1)
    wall = np.concatenate([wall.reshape(-1, 2), np.full((24000, 1), 2.0)], 1).astype(np.float32)
    both = np.concatenate([apply(T_WORLD_LIDAR, scan(160, 500)), wall])
    found, _ = densify(both)
    ball = SURFACE == 2
    wrong = np.abs(found - TRUTH)[ball & ~np.isnan(found)] > 0.05
    assert (ball & ~np.isnan(found)).sum() > 0.6 * ball.sum() and wrong.mean() < 0.05


def test_nothing_in_nothing_out():
    depth, said = densify(np.empty((0, 3), np.float32))
    assert np.isnan(depth).all() and said.sensor is SENSOR
