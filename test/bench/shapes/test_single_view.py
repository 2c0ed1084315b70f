# SPDX-License-Identifier: Apache-2.0
"""Scores of single views of solids whose errors are known; the ceiling of our meshing."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='scores need Open3D (extra: bench)')

import trimesh

from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference
from sam3d_ros.bench.shapes.single_view import remeshed, score_view, summary
from sam3d_ros.reconstruction.config import EvidenceConfig


def ball(radius=0.05, shift=0.0):
    mesh = trimesh.creation.icosphere(4, radius)
    return PosedMesh(np.asarray(mesh.vertices) + [shift, 0, 0], np.asarray(mesh.faces, np.int32))


@pytest.fixture(scope='module')
def truth():
    """Return a ball whose half x > 0 is hidden."""
    mesh = ball()
    return Reference(mesh, mesh.samples()[:, 0] > 0)


def test_the_truth_itself_is_right(truth):
    score = score_view(truth.mesh, truth, emd=True)
    assert score.chamfer_mm < 1e-3 and score.f1_10mm == 1.0
    assert score.normal_consistency > 0.999
    assert score.emd_mm < 1e-6


def test_a_larger_ball_is_off_by_what_it_is_larger(truth):
    score = score_view(ball(0.058), truth, emd=False)
    assert score.chamfer_mm == pytest.approx(8.0, abs=0.1)
    assert score.f1_10mm == 1.0 and np.isnan(score.emd_mm)
    assert score_view(ball(0.062), truth, emd=False).f1_10mm == 0.0


def test_hidden_and_visible_are_scored_apart(truth):
    half = ball()
    away = half.vertices_m.copy()
    away[away[:, 0] > 0, 0] *= 0.2
    score = score_view(PosedMesh(away, half.faces), truth, emd=False)
    assert score.visible_f1_10mm > 0.98 > 0.6 > score.hidden_f1_10mm
    assert score.hidden_chamfer_mm > 5 * score.visible_chamfer_mm


def test_what_is_missed_counts_its_diagonal(truth):
    score = score_view(None, truth, emd=False)
    assert score.chamfer_mm == pytest.approx(100 * np.sqrt(3), rel=0.01)
    assert summary([score])['f1_10mm'] == 0.0
    assert np.isnan(summary([])['chamfer_mm'])


def test_the_ceiling_is_near_the_truth_and_not_at_it(truth):
    score = score_view(remeshed(truth.mesh, EvidenceConfig(), 10_000), truth, emd=False)
    assert 0.0 < score.chamfer_mm < 0.5
    assert score.f1_10mm == 1.0 and score.normal_consistency > 0.99
