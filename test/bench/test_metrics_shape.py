# SPDX-License-Identifier: Apache-2.0
"""Shape metrics against values computed by hand, and on solids whose volumes are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.bench import metrics_shape as shape
from sam3d_ros.geometry.meshes import sample_surface

open3d = pytest.importorskip('open3d', reason='solids are tested through Open3D (extra: bench)')


def box_mesh(size, center=(0, 0, 0)):
    mesh = open3d.geometry.TriangleMesh.create_box(*size)
    vertices = np.asarray(mesh.vertices) - np.divide(size, 2) + center
    return vertices, np.asarray(mesh.triangles, np.int32)


def surface(size, center=(0, 0, 0), count=4000, seed=0):
    return sample_surface(*box_mesh(size, center), count, seed)


def test_surface_score_by_hand():
    truth = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    predicted = np.array([[0.0, 0, 0], [1, 0.5, 0]])
    score = shape.compare_surfaces(predicted, truth, 0.1)
    assert score.precision == 0.5
    assert score.recall == 0.25
    assert score.f1 == pytest.approx(1 / 3)
    back = (0 + 0.5 + np.hypot(1, 0.5) + np.hypot(2, 0.5)) / 4
    assert score.chamfer == pytest.approx((0.25 + back) / 2)


def test_identity_scores_one():
    points = surface((0.1, 0.2, 0.3))
    score = shape.compare_surfaces(points, points, 1e-9)
    assert (score.chamfer, score.f1) == (0.0, 1.0)
    assert shape.surface_voxel_iou(shape.normalised(points), shape.normalised(points)) == 1.0
    assert shape.earth_mover_distance(points, points) == 0.0


def test_part_scores_that_part_alone():
    truth = np.array([[0.0, 0, 0], [10, 0, 0]])
    predicted = np.array([[0.0, 0, 0], [12.0, 0, 0]])
    far = shape.compare_surfaces(predicted, truth, 1.0, part=np.array([False, True]))
    near = shape.compare_surfaces(predicted, truth, 1.0, part=np.array([True, False]))
    assert (far.f1, far.chamfer) == (0.0, 2.0)
    assert (near.f1, near.chamfer) == (1.0, 0.0)
    nothing_there = shape.compare_surfaces(truth[:1], truth, 1.0, part=np.array([False, True]))
    assert (nothing_there.f1, nothing_there.chamfer) == (0.0, 10.0)


@pytest.mark.parametrize('grow', [0.01, 0.02, 0.05])
def test_scores_fall_as_the_error_grows(grow):
    truth = surface((0.2, 0.2, 0.2))
    less = shape.compare_surfaces(surface((0.2 + grow / 2,) * 3), truth, 0.005)
    more = shape.compare_surfaces(surface((0.2 + grow,) * 3), truth, 0.005)
    assert more.chamfer > less.chamfer
    assert more.f1 <= less.f1


def test_alignment_undoes_size_place_and_turns():
    truth = surface((0.1, 0.2, 0.35), seed=1)
    R = Rotation.from_euler('xyz', [90, 5, 8], degrees=True).as_matrix()
    predicted = 3.0 * surface((0.1, 0.2, 0.35), seed=2) @ R.T + [1.0, 2.0, 3.0]
    moved = shape.aligned(predicted, truth)
    score = shape.compare_surfaces(moved, shape.normalised(truth), 0.1)
    assert score.f1 > 0.95


def test_solid_iou_of_boxes_is_their_volumes():
    a, b = box_mesh((0.10, 0.10, 0.10)), box_mesh((0.10, 0.10, 0.10), (0.05, 0, 0))
    grid = shape.shared_grid(np.concatenate([a[0], b[0]]), 0.005)
    inside_a, inside_b = shape.occupancy(*a, grid), shape.occupancy(*b, grid)
    assert inside_a.sum() * 0.005**3 == pytest.approx(0.001, rel=0.01)
    assert shape.solid_iou(inside_a, inside_b) == pytest.approx(1 / 3, abs=0.01)
    assert shape.solid_iou(inside_a, inside_a) == 1.0
