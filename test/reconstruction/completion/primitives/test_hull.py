# SPDX-License-Identifier: Apache-2.0
"""Convex hulls against a solid that is known, and what is flat."""

import itertools

import numpy as np

from sam3d_ros.reconstruction.completion.primitives.hull import convex_hull
from sam3d_ros.reconstruction.evidence.grid import Grid

GRID = Grid(16, 0.01, np.eye(4))
EVERYWHERE = np.ones((16, 16, 16), bool)


def test_a_box_is_exact_inside_and_never_too_far_outside():
    sides = np.array([0.05, 0.03, 0.04])
    corners = np.array(list(itertools.product((-1, 1), repeat=3))) * sides
    distance = convex_hull(corners).distance(GRID, EVERYWHERE)
    beyond = np.abs(GRID.centres_m()) - sides
    inside = (beyond < 0).all(axis=-1)
    np.testing.assert_allclose(distance[inside], beyond.max(axis=-1)[inside], atol=1e-5)
    true = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
    near = ~inside & (true < GRID.voxel_m)
    assert (distance[near] > 0).all()
    assert (distance[near] <= true[near] + 1e-5).all()


def test_only_what_is_asked_for_is_computed():
    ball = np.random.default_rng(0).standard_normal((2000, 3))
    hull = convex_hull(0.05 * ball / np.linalg.norm(ball, axis=1, keepdims=True))
    asked = np.zeros_like(EVERYWHERE)
    asked[:8] = True
    distance = hull.distance(GRID, asked)
    np.testing.assert_array_equal(distance[:8], hull.distance(GRID, EVERYWHERE)[:8])
    assert (distance[:8] < 0).any()
    assert (distance[8:] == np.float32(GRID.voxel_m)).all()


def test_flat_points_have_no_inside():
    square = np.array([[x, y, 0.0] for x in (-0.03, 0.03) for y in (-0.03, 0.03)])
    assert (convex_hull(square).distance(GRID, EVERYWHERE) == np.float32(GRID.voxel_m)).all()


def test_no_points_have_no_inside():
    distance = convex_hull(np.zeros((0, 3))).distance(GRID, EVERYWHERE)
    assert (distance == np.float32(GRID.voxel_m)).all()
