# SPDX-License-Identifier: Apache-2.0
"""Furniture is closed, stands on z = 0 and leaves its areas free."""

import numpy as np
import pytest

from sam3d_ros.world.setting import furniture
from sam3d_ros.world.setting.parts import drum, joined, pattern, tube
from sam3d_ros.world.setting.placing import Body, is_closed
from sam3d_ros.world.setting.reach import reach

RNG = np.random.default_rng
HALF = np.array([0.3, 0.2])
DRAWN = {
    'bin': furniture.bin_,
    'drawer': furniture.drawer,
    'shelf': furniture.shelf,
    'chair': furniture.chair,
    'block': lambda rng: furniture.block(rng, HALF, 0.4),
    'table': lambda rng: furniture.legged(rng, HALF, 0.5),
    'stool': lambda rng: furniture.legged(rng, HALF, 0.5, is_round=True),
    'sheet': lambda rng: furniture.sheet(rng, HALF),
}


@pytest.mark.parametrize('name', DRAWN)
def test_areas_are_level_and_free(name):
    for seed in range(4):
        piece = DRAWN[name](RNG(seed))
        parts = [Body(part) for part in piece.parts]
        assert all(is_closed(part.solid) for part in parts)
        for area in piece.areas:
            inside = [area.spot(RNG(k), np.full(2, 0.002)) for k in range(20)]
            above = np.column_stack([np.array(inside), np.full(20, area.middle_m[2] + 5e-4)])
            below = above - [0, 0, 1e-3 if name != 'sheet' else 6e-4]
            assert not any(part.contains(above).any() for part in parts)
            assert np.any([part.contains(below) for part in parts], axis=0).all()


def test_moved_furniture_takes_its_areas_along():
    piece = furniture.block(RNG(0), HALF, 0.4)
    moved = piece.at(1.0, 2.0, 0.5)
    assert np.allclose(moved.areas[0].middle_m, piece.areas[0].middle_m + [1, 2, 0.5])
    shift = moved.parts[0].vertices_m - piece.parts[0].vertices_m
    assert np.allclose(shift, [1, 2, 0.5], atol=1e-6)


def test_drums_and_tubes_face_outward():
    path = np.column_stack([np.linspace(0, 0.3, 9), np.zeros(9), 0.1 * np.linspace(0, 1, 9) ** 2])
    for solid in (drum('d', 0.1, 0.2, 0.4, pattern(RNG(0))), tube('t', path, 0.01, np.ones(3))):
        corners = solid.vertices_m[solid.faces].astype(np.float64)
        signed = np.einsum('ij,ij->i', corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
        assert is_closed(solid) and signed.sum() > 0


def test_parts_with_one_picture_become_one_solid():
    piece = furniture.legged(RNG(0), HALF, 0.5)
    whole = joined([*piece.parts, *furniture.sheet(RNG(1), HALF).parts])
    assert len(whole) == 3 and all(is_closed(solid) for solid in whole)
    assert (
        sum(len(s.faces) for s in whole) == 12 * (len(piece.parts) + 1) or whole[2].name == 'mat'
    )
    assert all(s.texture.uv.shape == (len(s.faces), 3, 2) for s in whole)


def test_what_reaches_in_stays_before_the_target():
    for seed in range(8):
        for part in reach(RNG(seed), np.eye(4), 1.0):
            assert part.vertices_m[:, 2].min() > 0.2 and part.vertices_m[:, 2].max() < 0.85
