# SPDX-License-Identifier: Apache-2.0
"""Scene scores: matching, the price of a miss, the ceiling."""

import numpy as np
import pytest

from sam3d_ros.bench.metrics import scoring

open3d = pytest.importorskip('open3d', reason='solids are tested through Open3D (extra: bench)')


def box(size=(0.1, 0.1, 0.1), center=(0, 0, 0)):
    mesh = open3d.geometry.TriangleMesh.create_box(*size)
    vertices = np.asarray(mesh.vertices) - np.divide(size, 2) + center
    return scoring.PosedMesh(vertices, np.asarray(mesh.triangles, np.int32))


def reference(*args, unseen=None):
    return scoring.Reference(box(*args), unseen)


def test_truth_against_itself_is_perfect():
    half = np.arange(scoring.SAMPLES) % 2 == 0
    scene = scoring.score_scene([box()], [reference(unseen=half)])
    (score,) = scene.objects
    assert score.found == score.box_iou == score.f1_5mm == score.solid_iou == 1.0
    assert score.add_s == 0.0
    assert score.chamfer_mm == pytest.approx(0.0, abs=1e-4)
    assert score.occluded_chamfer_mm == pytest.approx(0.0, abs=1e-4)
    assert score.add_s_below_01 == score.aligned_f1_001 == 1.0
    assert score.aligned_voxel_iou > 0.999


def test_missed_object_costs_its_diagonal_and_surplus_costs_precision():
    truth = [reference(), reference((0.1, 0.1, 0.1), (1, 0, 0))]
    scene = scoring.score_scene([box(), box(center=(0.3, 0, 0))], truth)
    values = scoring.summary([scene])
    assert (values['recall'], values['precision']) == (0.5, 0.5)
    assert scene.objects[1].add_s == 1.0
    assert scene.objects[1].solid_iou == 0.0
    assert scene.objects[1].chamfer_mm == pytest.approx(100 * np.sqrt(3))
    assert values['add_s'] == pytest.approx(0.5, abs=0.02)


def test_what_stands_outside_the_region_of_the_truth_is_not_scored():
    # The region ends REGION_M beyond the side of the box, which is 0.05 from its centre.
    edge = scoring.REGION_M + 0.05
    inside, outside = box(center=(edge - 0.001, 0, 0)), box(center=(edge + 0.001, 0, 0))
    assert scoring.score_scene([box(), inside], [reference()], emd=False).results == 2
    scene = scoring.score_scene([outside, box()], [reference()], emd=False)
    assert scene.results == 1
    assert scene.objects[0].solid_iou == 1.0


def test_order_of_results_does_not_matter():
    meshes = [box(), box((0.1, 0.2, 0.1), (0.3, 0, 0))]
    truth = [scoring.Reference(mesh) for mesh in meshes]
    one = scoring.score_scene(meshes, truth, emd=False).objects
    other = scoring.score_scene(meshes[::-1], truth, emd=False).objects
    assert max(s.chamfer_mm for s in (*one, *other)) < 1e-4


def test_aligned_scores_ignore_size_and_place():
    moved = box((0.3, 0.6, 0.9), (4, 5, 6))
    score = scoring.score_shape(moved, reference((0.1, 0.2, 0.3)), emd=True)
    assert score.surface.f1 == 1.0
    assert score.voxel_iou > 0.98
    assert score.emd < 0.12
    other = scoring.score_shape(box((0.3, 0.3, 0.9)), reference((0.1, 0.2, 0.3)), emd=False)
    assert other.surface.f1 < 0.6
    assert np.isnan(other.emd)


def test_ceiling_is_the_truth_grown_by_a_millimetre():
    score = scoring.score_scene([scoring.grown(box())], [reference()], emd=False).objects[0]
    assert 0.5 < score.chamfer_mm < 1.1
    assert score.f1_5mm == 1.0
    # Corners of a box move along the diagonal: sqrt(1/3) mm to each side.
    assert score.box_iou == pytest.approx((100 / (100 + 2 / np.sqrt(3))) ** 3, abs=1e-3)


def test_no_results_is_a_score_too():
    values = scoring.summary([scoring.score_scene([], [reference()])])
    assert (values['recall'], values['precision'], values['add_s']) == (0.0, 0.0, 1.0)
