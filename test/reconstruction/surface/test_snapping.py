# SPDX-License-Identifier: Apache-2.0
"""The pull of observed points on a surface."""

from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.geometry.shapes.meshes import adjacency, vertex_normals
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.evidence.points import ObservedPoints
from sam3d_ros.reconstruction.surface.snapping import _certainty, snapped
from sam3d_ros.reconstruction.surface.surface import extract_surface

GRID = Grid(32, 0.006, np.eye(4))
RADIUS_M = 0.06


@pytest.fixture(scope='module')
def ball():
    field = np.linalg.norm(GRID.centres_m(), axis=-1) - RADIUS_M
    return extract_surface(field.astype(np.float32), GRID)


def half_ball(radius_m, noise_m, count=3000, seed=0):
    """Points on the half of a ball that looks to -x."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals[:, 0] = -np.abs(normals[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    radii = radius_m + noise_m * rng.standard_normal(count)
    return ObservedPoints(
        (normals * radii[:, None]).astype(np.float32),
        normals.astype(np.float32),
        np.zeros((count, 3), np.uint8),
        np.full(count, max(noise_m, 5e-4), np.float32),
        np.zeros(count, np.int32),
    )


def pulled(ball, points):
    vertices, faces = ball
    normals, neighbours = vertex_normals(vertices, faces), adjacency(faces, len(vertices))
    return snapped(vertices, normals, faces, neighbours, points, GRID.voxel_m)


def test_the_seen_side_moves_onto_the_points_and_the_other_stays(ball):
    vertices = pulled(ball, half_ball(RADIUS_M + 0.003, 0.0))
    radii = np.linalg.norm(vertices, axis=1)
    assert np.median(radii[vertices[:, 0] < -0.02]) == pytest.approx(RADIUS_M + 0.003, abs=3e-4)
    np.testing.assert_allclose(radii[vertices[:, 0] > 0.03], RADIUS_M, atol=5e-4)


def test_noise_is_averaged_and_not_followed(ball):
    vertices = pulled(ball, half_ball(RADIUS_M + 0.002, 0.002))
    error = np.linalg.norm(vertices, axis=1)[vertices[:, 0] < -0.02] - (RADIUS_M + 0.002)
    assert abs(error.mean()) < 3e-4
    assert error.std() < 0.6 * 0.002


def test_points_off_the_object_do_not_pull(ball):
    stray = half_ball(RADIUS_M + 0.03, 0.0)
    np.testing.assert_array_equal(pulled(ball, stray), ball[0])


def test_a_few_points_are_not_enough(ball):
    np.testing.assert_array_equal(pulled(ball, half_ball(RADIUS_M + 0.003, 0.0, count=5)), ball[0])


def test_few_sure_points_among_many_inferred_ones_pull_no_harder_than_they_would_alone():
    feet = SimpleNamespace(distances_m=np.zeros(100))
    alike = np.random.default_rng(0).uniform(0.002, 0.003, 100).astype(np.float32)
    usual = _certainty(feet, alike, 0.004)
    np.testing.assert_allclose(usual, np.median(alike) / alike, rtol=1e-6)
    mixed = np.where(np.arange(100) < 30, alike, np.float32(0.03))
    among = _certainty(feet, mixed, 0.004)
    assert among[:30].max() < 2.0 * usual.max()
    assert among[30:].max() < 0.2


def test_views_from_near_and_far_are_of_one_kind():
    feet = SimpleNamespace(distances_m=np.zeros(100))
    sigmas = np.where(np.arange(100) < 40, np.float32(0.001), np.float32(0.0025))
    np.testing.assert_allclose(_certainty(feet, sigmas, 0.004), 0.0025 / sigmas, rtol=1e-6)
