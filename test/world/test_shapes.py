# SPDX-License-Identifier: Apache-2.0
"""Every family gives closed, outward, tabletop-sized solids, the same for the same seed."""

import numpy as np
import pytest

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.setting.placing import Body, is_closed
from sam3d_ros.world.shapes import EXTENT_M, FAMILIES, SPECIAL_FAMILIES, random_solid

LONGEST_M = 0.55
"""A board with its grip is the longest of the families that keep their own sizes."""
HOLLOW = ('bowl', 'cup', 'mug', 'pan', 'plate', 'tray')


@pytest.mark.parametrize('family', FAMILIES | SPECIAL_FAMILIES)
def test_members_are_closed_outward_and_of_tabletop_size(family):
    for seed in range(3):
        solid = random_solid(np.random.default_rng(seed), [family])
        assert is_closed(solid)
        low, high = EXTENT_M if family in FAMILIES else (0.008, LONGEST_M)
        assert low - 1e-6 <= solid.extents_m.max() <= high + 1e-6
        assert np.allclose(solid.vertices_m.min(axis=0), -solid.vertices_m.max(axis=0), atol=1e-6)
        assert solid.colors.shape == solid.vertices_m.shape
        body = Body(solid)
        assert 0 < body.volume_m3 <= np.prod(solid.extents_m) + 1e-9
        corners = solid.vertices_m[solid.faces[:: max(1, len(solid.faces) // 200)]].astype(float)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=1, keepdims=True)
        step = 2e-4 * normal / np.maximum(area, 1e-12)
        middle = corners.mean(axis=1)[area[:, 0] > 1e-8]
        step = step[area[:, 0] > 1e-8]
        share = area[area[:, 0] > 1e-8, 0]
        assert np.average(body.contains(middle - step), weights=share) > 0.98
        assert np.average(body.contains(middle + step), weights=share) < 0.02


@pytest.mark.parametrize('family', HOLLOW)
def test_vessels_are_hollow_with_walls(family):
    solid = random_solid(np.random.default_rng(4), [family])
    body = Body(solid)
    assert body.volume_m3 < 0.5 * np.prod(solid.extents_m)
    faces = solid.faces[::7]
    corners = solid.vertices_m[faces].astype(float)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    depth = corners.mean(axis=1) - 0.002 * normal
    assert body.contains(depth).mean() > 0.9, 'walls are at least 2 mm thick'


def test_same_seed_same_solid_and_another_seed_another():
    first, second, other = (random_solid(np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert first.family == second.family
    assert np.array_equal(first.vertices_m, second.vertices_m)
    assert np.array_equal(first.colors, second.colors)
    assert not np.array_equal(first.vertices_m, other.vertices_m)


def test_unknown_family_is_named():
    with pytest.raises(ConfigurationError, match='teapot'):
        random_solid(np.random.default_rng(0), ['teapot'])


def test_special_families_come_by_name_only():
    drawn = {random_solid(np.random.default_rng(seed)).family for seed in range(120)}
    assert drawn <= set(FAMILIES) and not set(FAMILIES) & set(SPECIAL_FAMILIES)
