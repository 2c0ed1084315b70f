# SPDX-License-Identifier: Apache-2.0
"""LiDAR sweeps: rings, ranges, times, and a mount that moves meanwhile."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import GREY, LIGHT, at

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.geometry.transforms import interpolate
from sam3d_ros.world.rendering.lidar import Lidar, poses_at
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.setting.surroundings import slab

NOBODY = np.zeros((0, 4, 4))
WALL = slab('wall', np.array([3.0, -9, -9]), np.array([3.1, 9, 9]), GREY, 1.0)


def swept(lidar, path_s, T_fixed_link, start_s=0.0, T_link_lidar=None):
    renderer = Renderer([], [WALL], LIGHT)
    mount = np.eye(4) if T_link_lidar is None else T_link_lidar
    rng = np.random.default_rng(0)
    here = np.zeros(0, bool)
    return lidar.sweep(renderer, path_s, T_fixed_link, mount, start_s, NOBODY, here, rng)


@pytest.mark.parametrize('rings', [16, 32, 64])
def test_wall_is_flat_with_the_stated_noise_on_every_ring(rings):
    sweep = swept(Lidar(rings=rings), np.zeros(1), np.eye(4)[None])
    assert set(sweep.ring) == set(range(rings))
    elevation = np.arcsin(sweep.points_m[:, 2] / np.linalg.norm(sweep.points_m, axis=1))
    expected = np.linspace(-np.pi / 8, np.pi / 8, rings)[sweep.ring]
    assert np.allclose(elevation, expected, atol=1e-5)
    direction = sweep.points_m / np.linalg.norm(sweep.points_m, axis=1, keepdims=True)
    error = np.linalg.norm(sweep.points_m, axis=1) - 3.0 / direction[:, 0]
    assert (
        error.std() == pytest.approx(MODELS['lidar'].floor_m, rel=0.1) and abs(error.mean()) < 2e-3
    )


def test_it_turns_clockwise_and_looks_ahead_in_the_middle_of_the_sweep():
    sweep = swept(Lidar(rings=16), np.zeros(1), np.eye(4)[None])
    azimuth = np.arctan2(sweep.points_m[:, 1], sweep.points_m[:, 0])
    assert (np.diff(sweep.time_s) >= 0).all()
    assert np.allclose(azimuth, np.pi - 2 * np.pi * sweep.time_s / 0.1, atol=0.01)


def test_points_are_seen_from_where_the_mount_was_at_their_time():
    lidar = Lidar(rings=16, model=replace(MODELS['lidar'], floor_m=0.0))
    path = np.stack([at(0, 0, 0), at(1.0, 0, 0)])
    sweep = swept(lidar, np.array([0.0, 0.1]), path, T_link_lidar=at(0.5, 0, 0))
    assert np.allclose(sweep.points_m[:, 0], 2.5 - sweep.time_s / 0.1, atol=1e-3)


def test_path_is_interpolated_and_held_at_its_ends():
    T_0, T_1 = np.eye(4), at(0.2, 0.4, 0.0)
    T_1[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    R, t = poses_at(np.array([1.0, 2.0]), np.stack([T_0, T_1]), np.array([0.0, 1.25, 9.0]))
    middle = interpolate(T_0, T_1, 0.25)
    assert np.allclose(R[1], middle[:3, :3]) and np.allclose(t[1], middle[:3, 3])
    assert np.allclose(t[[0, 2]], [T_0[:3, 3], T_1[:3, 3]])


def test_a_rosette_looks_ahead_and_never_twice_the_same_way():
    lidar = Lidar(6, 2000, field_of_view_rad=np.radians(70), pattern='rosette')
    first, second = (swept(lidar, np.zeros(1), np.eye(4)[None], start_s=s) for s in (0.0, 0.1))
    direction = first.points_m / np.linalg.norm(first.points_m, axis=1, keepdims=True)
    assert len(first.points_m) == 12000 and direction[:, 0].min() > np.cos(np.radians(37))
    cells = [
        np.unique(np.rint(200 * s.points_m[:, 1:] / s.points_m[:, :1]), axis=0)
        for s in (first, second)
    ]
    both = np.unique(np.concatenate(cells), axis=0)
    assert len(both) > 1.5 * max(map(len, cells))
