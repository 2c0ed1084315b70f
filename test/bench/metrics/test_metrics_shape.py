# SPDX-License-Identifier: Apache-2.0
"""Shape metrics against values computed by hand, and on solids whose volumes are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.metrics import metrics_shape as shape
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply

open3d = pytest.importorskip('open3d', reason='solids are tested through Open3D (extra: bench)')


def box_mesh(size, center=(0, 0, 0)):
    mesh = open3d.geometry.TriangleMesh.create_box(*size)
    vertices = np.asarray(mesh.vertices) - np.divide(size, 2) + center
    return vertices, np.asarray(mesh.triangles, np.int32)


def surface(size, center=(0, 0, 0), count=4000, seed=0):
    return sample_surface(*box_mesh(size, center), count, seed)


def compare(predicted, truth, threshold):
    """Score two (vertices, faces) meshes."""
    points, target = (sample_surface(*mesh, 4000) for mesh in (predicted, truth))
    there = shape.Surface(*truth).distance(points)
    back = shape.Surface(*predicted).distance(target)
    return shape.compare_surfaces(there, back, threshold)


def test_surface_score_by_hand():
    score = shape.compare_surfaces(np.array([0.0, 0.5]), np.array([0.0, 0.05, 1.0, 1.0]), 0.1)
    assert (score.precision, score.recall) == (0.5, 0.5)
    assert score.f1 == pytest.approx(0.5)
    assert score.chamfer == pytest.approx((0.25 + 2.05 / 4) / 2)


def test_nothing_predicted_and_nothing_to_find():
    nothing = np.zeros(0)
    missed = shape.compare_surfaces(nothing, np.array([10.0]), 1.0)
    assert (missed.f1, missed.chamfer) == (0.0, 10.0)
    assert shape.compare_surfaces(np.array([1.0]), nothing, 1.0).f1 == 1.0


def test_distances_are_to_the_surface_not_to_samples():
    cube = shape.Surface(*box_mesh((2.0, 2.0, 2.0)))
    points = np.array([[0.0, 0.0, 1.3], [0.3, 0.4, 0.9], [1.3, 1.4, 0.0]])
    np.testing.assert_allclose(cube.distance(points), [0.3, 0.1, 0.5], atol=1e-6)
    np.testing.assert_array_equal(cube.inside(points), [False, True, False])


def test_identity_scores_one():
    mesh = box_mesh((0.1, 0.2, 0.3))
    score = compare(mesh, mesh, 1e-6)
    assert score.chamfer == pytest.approx(0.0, abs=1e-8)
    assert score.f1 == 1.0
    points = surface((0.1, 0.2, 0.3))
    assert shape.surface_voxel_iou(points, points) == 1.0
    assert shape.earth_mover_distance(points, points) == 0.0


@pytest.mark.parametrize('grow', [0.01, 0.02, 0.05])
def test_scores_fall_as_the_error_grows(grow):
    truth = box_mesh((0.2, 0.2, 0.2))
    less = compare(box_mesh((0.2 + grow / 2,) * 3), truth, 0.005)
    more = compare(box_mesh((0.2 + grow,) * 3), truth, 0.005)
    assert more.chamfer > less.chamfer
    assert more.f1 <= less.f1


def test_alignment_undoes_size_place_and_turns():
    vertices, faces = box_mesh((0.1, 0.2, 0.35))
    R = Rotation.from_euler('xyz', [90, 5, 8], degrees=True).as_matrix()
    moved = 3.0 * vertices @ R.T + [1.0, 2.0, 3.0]
    mine = apply(shape.normalisation(moved), moved)
    real = apply(shape.normalisation(vertices), vertices)
    assert np.abs(real).max() == pytest.approx(1.0)
    T = shape.alignment(sample_surface(mine, faces, 4000), sample_surface(real, faces, 4000))
    score = compare((apply(T, mine), faces), (real, faces), 0.1)
    assert score.f1 > 0.95


def test_solid_iou_of_boxes_is_their_volumes():
    a, b = box_mesh((0.10, 0.10, 0.10)), box_mesh((0.10, 0.10, 0.10), (0.05, 0, 0))
    grid = shape.shared_grid(np.concatenate([a[0], b[0]]), 0.005)
    inside_a, inside_b = shape.Surface(*a).inside(grid), shape.Surface(*b).inside(grid)
    assert inside_a.sum() * 0.005**3 == pytest.approx(0.001, rel=0.01)
    assert shape.solid_iou(inside_a, inside_b) == pytest.approx(1 / 3, abs=0.01)
    assert shape.solid_iou(inside_a, inside_a) == 1.0
