# SPDX-License-Identifier: Apache-2.0
"""Feet on a mesh against exact distances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.surface.nearest import facing_feet, nearest_feet, unit_normals
from sam3d_ros.reconstruction.surface.surface import extract_surface

GRID = Grid(24, 0.01, np.eye(4))


@pytest.fixture(scope='module')
def ball():
    field = np.linalg.norm(GRID.centres_m(), axis=-1) - 0.08
    return extract_surface(field.astype(np.float32), GRID)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_feet_lie_on_their_faces_and_distances_are_theirs(ball, seed):
    vertices, faces = ball
    points = np.random.default_rng(seed).uniform(-0.12, 0.12, (50, 3)).astype(np.float32)
    feet = nearest_feet(points, vertices, faces)
    assert (feet.weights >= 0).all()
    np.testing.assert_allclose(feet.weights.sum(axis=1), 1.0, atol=1e-5)
    on_mesh = np.einsum('pk,pkc->pc', feet.weights, vertices[faces[feet.faces]])
    np.testing.assert_allclose(
        np.linalg.norm(points - on_mesh, axis=1), feet.distances_m, atol=1e-6
    )
    assert (np.abs(feet.heights_m) <= feet.distances_m + 1e-6).all()


def test_distances_near_a_ball_are_those_to_the_ball(ball):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = rng.uniform(0.07, 0.09, 400)
    feet = nearest_feet((directions * radii[:, None]).astype(np.float32), *ball)
    np.testing.assert_allclose(feet.distances_m, np.abs(radii - 0.08), atol=1e-3)
    outside = radii > 0.0815
    assert (feet.heights_m[outside] > 0).all()


def test_on_a_thin_wall_a_point_belongs_to_the_side_it_looks_from():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    vertices = np.concatenate([square, square + [0, 0, 0.002]]).astype(np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]], np.int32)
    point = np.array([[0.6, 0.3, 0.0005]], np.float32)
    up = np.array([[0, 0, 1]], np.float32)
    assert nearest_feet(point, vertices, faces).faces[0] in (0, 1)
    feet = facing_feet(point, up, vertices, faces, 0.01)
    assert feet.faces[0] in (2, 3)
    assert feet.heights_m[0] == pytest.approx(-0.0015, abs=1e-6)


def test_degenerate_triangles_have_no_normal_and_finite_feet():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    assert not unit_normals(vertices[faces]).any()
    feet = nearest_feet(np.array([[1, 1, 0]], np.float32), vertices, faces)
    assert np.isfinite(feet.distances_m).all() and feet.distances_m[0] == pytest.approx(1.0)
