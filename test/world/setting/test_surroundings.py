# SPDX-License-Identifier: Apache-2.0
"""Floors, tables, walls and distractors stand where they should."""

import numpy as np
from worlds import GREY, block

from sam3d_ros.world.setting.placing import Body, is_closed
from sam3d_ros.world.setting.surroundings import (
    TABLE_THICKNESS_M,
    distractors,
    floor,
    slab,
    table,
    wall,
)

RNG = np.random.default_rng


def test_slab_is_a_closed_outward_box():
    solid = slab('s', np.array([0, 0, 0]), np.array([0.1, 0.2, 0.3]), GREY, 0.5)
    assert is_closed(solid)
    assert np.isclose(Body(solid).volume_m3, 0.006)


def test_table_and_floor_end_at_their_height():
    top = table(RNG(0), (1.2, 0.9), 0.7)
    assert np.isclose(top.vertices_m[:, 2].max(), 0.7)
    assert np.allclose(top.extents_m, [1.2, 0.9, TABLE_THICKNESS_M], atol=1e-6)
    assert np.isclose(floor(RNG(0), 0.1).vertices_m[:, 2].max(), 0.1)


def test_wall_is_as_far_as_asked_in_its_direction():
    upright = wall(RNG(0), 0.7, 2.0, 0.0)
    along = upright.vertices_m[:, :2] @ [np.cos(0.7), np.sin(0.7)]
    assert np.isclose(along.min(), 2.0, atol=1e-5)
    assert np.isclose(upright.vertices_m[:, 2].min(), 0.0)


def test_distractors_stand_on_the_floor_away_from_the_objects():
    placed = distractors(RNG(1), [block(), block()], near_m=1.3, z_m=0.2)
    for solid in placed:
        assert np.isclose(solid.vertices_m[:, 2].min(), 0.2, atol=1e-5)
        assert np.linalg.norm(solid.vertices_m[:, :2].mean(axis=0)) >= 1.2
