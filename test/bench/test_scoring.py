# SPDX-License-Identifier: Apache-2.0
"""Scene scores: matching, the price of a miss, the ceiling."""

import numpy as np
import pytest

from sam3d_ros.bench import scoring

open3d = pytest.importorskip('open3d', reason='solids are tested through Open3D (extra: bench)')


def box(size=(0.1, 0.1, 0.1), center=(0, 0, 0)):
    mesh = open3d.geometry.TriangleMesh.create_box(*size)
    vertices = np.asarray(mesh.vertices) - np.divide(size, 2) + center
    return scoring.PosedMesh(vertices, np.asarray(mesh.triangles, np.int32))


def test_truth_against_itself_is_perfect():
    scene = scoring.score_scene([box()], [box()], unseen=[np.arange(scoring.SAMPLES) % 2 == 0])
    (score,) = scene.objects
    assert score.found == score.box_iou == score.f1_5mm == score.solid_iou == 1.0
    assert score.add_s == 0.0
    assert score.chamfer_mm == pytest.approx(0.0, abs=1e-4)
    assert score.occluded_chamfer_mm == pytest.approx(0.0, abs=1e-4)
    assert score.add_s_below_01 == score.aligned_f1_001 == score.aligned_voxel_iou == 1.0


def test_missed_object_costs_its_diagonal_and_surplus_costs_precision():
    scene = scoring.score_scene([box(), box(center=(5, 5, 5))], [box(), box(center=(1, 0, 0))])
    values = scoring.summary([scene])
    assert (values['recall'], values['precision']) == (0.5, 0.5)
    assert scene.objects[1].add_s == 1.0
    assert scene.objects[1].solid_iou == 0.0
    assert scene.objects[1].chamfer_mm == pytest.approx(100 * np.sqrt(3))
    assert values['add_s'] == pytest.approx(0.5, abs=0.02)


def test_order_of_results_does_not_matter():
    truth = [box(), box((0.1, 0.2, 0.1), (0.3, 0, 0))]
    one = scoring.score_scene(truth, truth, emd=False).objects
    other = scoring.score_scene(truth[::-1], truth, emd=False).objects
    assert max(s.chamfer_mm for s in (*one, *other)) < 1e-4


def test_ceiling_is_the_truth_grown_by_a_millimetre():
    score = scoring.score_scene([scoring.grown(box())], [box()], emd=False).objects[0]
    assert 0.5 < score.chamfer_mm < 1.1
    assert score.f1_5mm == 1.0
    # Corners of a box move along the diagonal: sqrt(1/3) mm to each side.
    assert score.box_iou == pytest.approx((100 / (100 + 2 / np.sqrt(3))) ** 3, abs=1e-3)


def test_no_results_is_a_score_too():
    values = scoring.summary([scoring.score_scene([], [box()])])
    assert (values['recall'], values['precision'], values['add_s']) == (0.0, 0.0, 1.0)
