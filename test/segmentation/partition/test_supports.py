# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np

from sam3d_ros.segmentation.config import SupportConfig
from sam3d_ros.segmentation.partition.grid import make_grid
from sam3d_ros.segmentation.partition.normals import local_planes
from sam3d_ros.segmentation.partition.supports import find_structure

CONFIG = SupportConfig()
EYE = (0.0, -0.75, 0.65)


def supports_of(frame):
    grid = make_grid(frame)
    return find_structure(
        grid, local_planes(grid, frame.sensor), frame.sensor, frame.up_cam, CONFIG
    ).supports


def test_the_table_and_not_a_box_top(make_scene, box):
    scene = make_scene([box((0, 0, 0.1), (0.3, 0.25, 0.2))], eye=EYE)
    for frame in (scene.frame, dataclasses.replace(scene.frame, up_cam=None)):
        (support,) = supports_of(frame)
        assert support.plane.normal @ scene.frame.up_cam > np.cos(0.01)
        assert abs(support.plane.offset_m - EYE[2]) < 0.003


def test_a_shelf_board_is_a_second_support(make_scene, box):
    scene = make_scene([box((0, 0.25, 0.1), (1.2, 0.4, 0.2))], eye=(0.0, -0.6, 0.9))
    offsets = sorted(round(support.plane.offset_m, 2) for support in supports_of(scene.frame))
    assert offsets == [0.7, 0.9]


def test_a_wall_is_no_support(make_scene, box):
    wall = box((0, 0.7, 0.5), (3.0, 0.02, 1.2))
    scene = make_scene([wall], eye=(0.0, -0.6, 0.25))
    grid = make_grid(scene.frame)
    structure = find_structure(
        grid,
        local_planes(grid, scene.frame.sensor),
        scene.frame.sensor,
        scene.frame.up_cam,
        CONFIG,
    )
    assert len(structure.supports) == 1
    assert len(structure.walls) == 1


def test_the_footprint_covers_what_stands_on_it(make_scene, box):
    scene = make_scene([box((0, 0, 0.1), (0.1, 0.1, 0.2))], eye=EYE)
    grid = make_grid(scene.frame)
    (support,) = supports_of(scene.frame)
    on_table = grid.valid & (scene.truth[::2, ::2] == 0)
    assert support.covers(grid.points)[on_table].mean() > 0.99
    far_left = grid.points[on_table][:50] - np.float32([5.0, 0, 0])
    assert not support.covers(far_left).any()
    assert np.abs(support.height(grid.points[on_table])).max() < 0.02
