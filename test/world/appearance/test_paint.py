# SPDX-License-Identifier: Apache-2.0
"""Paints are colours of places: seeded, bounded, and with the structure they promise."""

import numpy as np
import pytest

from sam3d_ros.world.appearance.paint import (
    ColorField,
    PrintedPatch,
    Stripes,
    painted,
    random_paint,
)
from sam3d_ros.world.appearance.palette import (
    furniture_color,
    print_color,
    random_color,
    wood_color,
)
from sam3d_ros.world.shapes import FAMILIES, random_solid


def tube(count=4000):
    rng = np.random.default_rng(0)
    angle, height = rng.uniform(-np.pi, np.pi, count), rng.uniform(-0.1, 0.1, count)
    return np.column_stack([0.03 * np.cos(angle), 0.03 * np.sin(angle), height])


def test_same_seed_same_colours_and_variety_over_seeds():
    points = tube()
    first = random_paint(np.random.default_rng(1))(points)
    assert first.dtype == np.uint8 and first.shape == points.shape
    assert np.array_equal(first, random_paint(np.random.default_rng(1))(points))
    means = [random_paint(np.random.default_rng(k))(points).mean(axis=0) for k in range(30)]
    assert np.std(means, axis=0).min() > 20


def test_stripes_alternate_along_their_direction():
    stripes = Stripes(np.random.default_rng(2))
    stripes.direction, stripes.period_m, stripes.duty = np.array([0.0, 0.0, 1.0]), 0.02, 0.5
    points = tube()
    is_striped = (stripes(points, np.full(points.shape, -1.0)) >= 0).all(axis=1)
    cycle = (points[:, 2] / 0.02 + stripes.phase) % 1.0
    assert np.array_equal(is_striped, cycle < 0.5)


def test_patch_covers_a_part_with_paper_and_ink():
    points = tube()
    below = np.full(points.shape, -1.0)
    label = PrintedPatch(np.random.default_rng(3))
    painted = label(points, below)
    covered = (painted >= 0).all(axis=1)
    assert 0.02 < covered.mean() < 0.7
    colors = np.unique(painted[covered], axis=0)
    assert len(colors) == 2


def test_field_drifts_smoothly():
    field = ColorField(np.random.default_rng(4))
    points = tube()
    near = field(points + 1e-4, points) - field(points, points)
    assert np.abs(near).max() < 5


def test_colours_are_bytes_and_saturation_is_limited():
    colors = np.array([random_color(np.random.default_rng(k), 0.3) for k in range(200)])
    assert colors.min() >= 0 and colors.max() <= 255
    assert ((colors.max(axis=1) - colors.min(axis=1)) / colors.max(axis=1)).max() <= 0.3 + 1e-9


@pytest.mark.parametrize('draw', [furniture_color, print_color, wood_color])
def test_palettes_are_seeded_colours(draw):
    colors = np.array([draw(np.random.default_rng(k)) for k in range(300)])
    assert colors.min() >= 0 and colors.max() <= 255
    assert np.array_equal(draw(np.random.default_rng(7)), colors[7])
    assert np.std(colors, axis=0).min() > 25


def test_prints_are_strong_white_and_black_alike():
    colors = np.array([print_color(np.random.default_rng(k)) for k in range(400)])
    chroma = np.ptp(colors, axis=1) / 255
    assert (chroma > 0.6).mean() > 0.12
    assert (colors.min(axis=1) > 200).mean() > 0.08
    assert (colors.max(axis=1) < 60).mean() > 0.05


@pytest.mark.parametrize('family', sorted(FAMILIES))
def test_painted_solids_keep_their_shape_and_get_a_picture(family):
    solid = random_solid(np.random.default_rng(5), [family])
    first, again = (painted(solid, np.random.default_rng(6)) for _ in range(2))
    assert first.vertices_m is solid.vertices_m and first.faces is solid.faces
    assert np.array_equal(first.texture.image, again.texture.image)
    assert np.array_equal(first.colors, again.colors)
    assert first.texture.uv.shape == (len(solid.faces), 3, 2)
    assert first.texture.uv.min() >= 0 and first.texture.uv.max() <= 1
    assert first.colors.shape == solid.colors.shape


def test_painted_solids_show_plain_and_printed_styles():
    solid = random_solid(np.random.default_rng(5), ['box'])
    images = [painted(solid, np.random.default_rng(k)).texture.image for k in range(40)]
    detail = [np.abs(np.diff(image.astype(int), axis=1)).mean() for image in images]
    assert min(detail) < 3 and max(detail) > 4
    dark = painted(solid, np.random.default_rng(3), 0.1).texture.image
    assert dark.max() <= 40
