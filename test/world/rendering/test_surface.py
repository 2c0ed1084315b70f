# SPDX-License-Identifier: Apache-2.0
"""Hits, normals and colours of one solid, or several as one."""

import numpy as np
import pytest
from worlds import at, ball, block

from sam3d_ros.world.rendering.surface import Surface, rotated
from sam3d_ros.world.setting.surroundings import posed
from sam3d_ros.world.solid import Solid, Texture

DOWN = np.array([[0.0, 0.0, -1.0]], np.float32)


def test_hits_are_at_the_analytic_distance_and_misses_are_infinite():
    surface = Surface([ball(0.05)])
    origins = np.array([[0.0, 0, 1], [0.03, 0, 1], [0.2, 0, 1]], np.float32)
    hits = surface.cast(origins, np.repeat(DOWN, 3, axis=0))
    assert hits.t[0] == pytest.approx(0.95, abs=1e-4)
    assert hits.t[1] == pytest.approx(1 - 0.04, abs=1e-4)
    assert np.isinf(hits.t[2])


def test_normals_are_smooth_on_a_ball_and_creased_on_a_block():
    sphere = Surface([ball(0.05)])
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(200, 3)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = sphere.cast(-0.5 * directions, directions)
    assert np.allclose(sphere.normals(hits.face, hits.uv), -directions, atol=0.01)
    box = Surface([block()])
    hits = box.cast(np.array([[0.049, 0.029, 1]], np.float32), DOWN)
    assert np.allclose(box.normals(hits.face, hits.uv), [[0, 0, 1]], atol=1e-6)


def test_texture_has_its_first_row_on_top():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    image = np.array([[[1, 1, 1], [2, 2, 2]], [[3, 3, 3], [4, 4, 4]]], np.uint8)
    sheet = Solid(
        'sheet', vertices, faces, np.zeros((4, 3), np.uint8), 'sheet',
        Texture(image, vertices[:, :2][faces]),
    )  # fmt: skip
    surface = Surface([sheet])
    points = np.array([[0.2, 0.8, 1], [0.8, 0.8, 1], [0.2, 0.2, 1], [0.8, 0.2, 1]], np.float32)
    hits = surface.cast(points, np.repeat(DOWN, 4, axis=0))
    assert surface.colors(hits.face, hits.uv)[:, 0].tolist() == [1, 2, 3, 4]


def test_several_solids_keep_their_own_colours():
    left, right = posed(block(), at(-0.2, 0, 0)), posed(ball(), at(0.2, 0, 0))
    right.colors[:] = [7, 8, 9]
    surface = Surface([left, right])
    origins = np.array([[-0.2, 0, 1], [0.2, 0, 1]], np.float32)
    hits = surface.cast(origins, np.repeat(DOWN, 2, axis=0))
    assert np.allclose(hits.t, [0.98, 0.95], atol=1e-4)
    assert np.allclose(surface.colors(hits.face, hits.uv), [[200, 100, 50], [7, 8, 9]], atol=1e-3)
    assert np.allclose(surface.normals(hits.face, hits.uv), [0, 0, 1], atol=0.02)


def test_inside_is_inside():
    surface = Surface([block()])
    inside = surface.contains(np.array([[0, 0, 0], [0.049, 0, 0], [0.051, 0, 0]], np.float32))
    assert inside.tolist() == [True, True, False]


def test_rotated_is_a_matrix_product_for_any_shape():
    rng = np.random.default_rng(1)
    R = rng.normal(size=(3, 3))
    vectors = rng.normal(size=(5, 7, 3)).astype(np.float32)
    assert np.allclose(rotated(vectors, R), vectors @ R.T, atol=1e-5)
