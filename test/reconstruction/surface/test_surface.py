# SPDX-License-Identifier: Apache-2.0
"""Surfaces: closed, outward, accurate, within budget, whatever the volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.geometry.shapes.meshes import adjacency
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.surface.meshing import faired
from sam3d_ros.reconstruction.surface.surface import extract_surface
from sam3d_ros.reconstruction.surface.wellcomposed import well_composed

GRID = Grid(24, 0.01, np.eye(4))


def ball(radius_m, grid=GRID):
    return (np.linalg.norm(grid.centres_m(), axis=-1) - radius_m).astype(np.float32)


def edge_counts(faces):
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {tuple(edge) for edge in edges.tolist()}
    assert len(directed) == len(edges), 'two faces run along an edge in the same direction'
    return all((b, a) in directed for a, b in directed)


def volume_of(vertices, faces):
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum('fc,fc->', a, np.cross(b, c)) / 6)


def test_ball_is_closed_outward_and_accurate():
    vertices, faces = extract_surface(ball(0.08), GRID)
    assert edge_counts(faces)
    assert volume_of(vertices, faces) == pytest.approx(4 / 3 * np.pi * 0.08**3, rel=0.02)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 0.08).max() < 0.05 * GRID.voxel_m + 5e-4


def test_object_at_the_border_is_closed():
    vertices, faces = extract_surface(np.full((24, 24, 24), -0.01, np.float32), GRID)
    assert edge_counts(faces)
    assert volume_of(vertices, faces) > 0


def test_nothing_inside_gives_nothing():
    vertices, faces = extract_surface(np.full((24, 24, 24), 0.01, np.float32), GRID)
    assert len(vertices) == len(faces) == 0


def test_distances_of_zero_are_outside_and_close_too():
    field = np.rint(ball(0.08) / 0.01).astype(np.float32)
    assert (field == 0).any()
    vertices, faces = extract_surface(field, GRID)
    assert edge_counts(faces)
    assert volume_of(vertices, faces) > 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98))
def test_noise_volumes_give_closed_manifolds(seed, threshold):
    field = (np.random.default_rng(seed).random((9, 9, 9)) - threshold).astype(np.float32)
    _, faces = extract_surface(field, Grid(9, 0.01, np.eye(4)))
    assert len(faces) == 0 or edge_counts(faces)


def test_repair_only_adds():
    field = (np.random.default_rng(3).random((12, 12, 12)) - 0.3).astype(np.float32)
    field = np.pad(field, 2, constant_values=1.0)
    repaired = well_composed(field)
    assert (repaired >= (field < 0)).all()


def test_budget_is_kept_and_the_surface_stays():
    vertices, faces = extract_surface(ball(0.08), GRID, max_faces=600)
    assert 0 < len(faces) <= 600
    assert edge_counts(faces)
    assert np.abs(np.linalg.norm(vertices, axis=1) - 0.08).mean() < 0.003


def test_fairing_smooths_without_shrinking():
    vertices, faces = extract_surface(ball(0.08), GRID)
    rough = vertices + np.random.default_rng(0).normal(0, 0.001, vertices.shape)
    smooth = faired(rough.astype(np.float32), adjacency(faces, len(rough)))
    spread = np.std(np.linalg.norm(smooth, axis=1))
    assert spread < 0.8 * np.std(np.linalg.norm(rough, axis=1))
    assert volume_of(smooth, faces) == pytest.approx(volume_of(vertices, faces), rel=0.01)
