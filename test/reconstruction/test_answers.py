# SPDX-License-Identifier: Apache-2.0
"""Several answers: level sets of one opinion, ranked by what was seen, between two hulls."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import EvidenceScore
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.reconstruction.answers import at_level, likeliest_level, ranked, size_spread
from sam3d_ros.reconstruction.completion.completion import Completion, MadeSurface
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.shape import build_shape
from sam3d_ros.reconstruction.views import crop_view

BOX = ((0, 0, 0.05), (0.08, 0.12, 0.10))


@pytest.fixture(scope='module')
def evidence(scenes):
    frame, instances = scenes.see([scenes.Box(*BOX)], noise_seed=0)
    return build_evidence([crop_view(frame, instances, 0)], EvidenceConfig(grid=40))


@pytest.fixture(scope='module')
def completion(evidence, scenes):
    """The true box, unsure of its hidden side by about a centimetre."""
    T_fixed_ref = evidence.grid.T_ref_grid
    centres = evidence.grid.centres_m() @ T_fixed_ref[:3, :3].T + T_fixed_ref[:3, 3]
    away = np.abs(centres - np.array(BOX[0])) - 0.5 * np.array(BOX[1])
    distance = np.linalg.norm(np.maximum(away, 0), axis=-1) + np.minimum(away.max(axis=-1), 0)
    logit = -distance / 0.006
    scaled = np.tanh(0.5 * logit) * evidence.truncation_m
    return Completion(-scaled.astype(np.float32), 1 / (1 + np.exp(-logit)).astype(np.float32), 'c')


def test_what_is_sure_is_cut_in_the_middle_and_what_is_not_lower():
    assert likeliest_level(np.repeat(np.float32([0.95, 0.05]), 100)) == 0.5
    assert likeliest_level(np.repeat(np.float32([0.55, 0.42, 0.05]), 100)) == pytest.approx(0.42)
    assert likeliest_level(np.repeat(np.float32([0.2, 0.05]), 100)) == pytest.approx(0.3)
    assert likeliest_level(np.empty(0, np.float32)) == 0.5
    probability = np.random.default_rng(0).beta(2, 4, 4000).astype(np.float32)
    draws = np.random.default_rng(1).random((50, 4000)) < probability

    def overlap(level):
        cut = probability >= level
        return np.mean([(cut & truth).sum() / (cut | truth).sum() for truth in draws])

    level = likeliest_level(probability)
    assert level < 0.45
    assert overlap(level) >= max(overlap(other) for other in (0.3, 0.4, 0.5)) - 0.002


@pytest.mark.parametrize('level', [0.15, 0.3, 0.7, 0.85])
def test_a_level_set_lies_where_the_probability_says(evidence, completion, level):
    moved = at_level(completion, evidence, level)
    inside = completion.probability > level
    sure = np.abs(completion.probability - level) > 0.02
    assert np.array_equal((moved.distance_m < 0)[sure], inside[sure])


def test_half_is_the_completion_itself(evidence, completion):
    assert at_level(completion, evidence, 0.5) is completion


def test_answers_and_hulls_hold_each_other(evidence, completion):
    shape = build_shape(evidence, completion, 10_000, answers=4)
    answers = shape.mesh.answers
    assert len(answers.others) == 3
    scores = [answer.score for answer in answers.others]
    assert min(scores) > 0.5
    volumes = [
        np.prod(np.ptp(surface.vertices_m, axis=0))
        for surface in (answers.inner, shape.mesh, answers.outer)
    ]
    assert volumes[0] < 0.9 * volumes[1] < volumes[1] < 0.95 * volumes[2]
    assert shape.scale_sigma >= size_spread([shape.mesh.vertices_m, answers.others[0].vertices_m])


def test_the_truth_lies_between_the_hulls(evidence, completion):
    o3d = pytest.importorskip('open3d')
    answers = build_shape(evidence, completion, 10_000, answers=2).mesh.answers
    corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T * BOX[1] + BOX[0]
    hull = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(corners)).compute_convex_hull()[0]
    points = sample_surface(np.asarray(hull.vertices), np.asarray(hull.triangles), 2000)

    def holds(surface):
        scene = o3d.t.geometry.RaycastingScene()
        scene.add_triangles(surface.vertices_m.astype(np.float32), surface.faces.astype(np.uint32))
        return scene.compute_occupancy(points.astype(np.float32), nsamples=3).numpy() > 0.5

    between = holds(answers.outer) & ~holds(answers.inner)
    assert between.mean() > 0.8


def test_answers_move_with_the_shape(evidence, completion):
    shape = build_shape(evidence, completion, 10_000, answers=2)
    T = transform(np.eye(3)[[1, 2, 0]], np.array([0.1, 0.2, 0.3]))
    there, back = shape.moved(T), shape.moved(T).moved(inverse(T))
    for name in ('inner', 'outer'):
        before, after = (getattr(one.mesh.answers, name) for one in (shape, back))
        assert np.allclose(before.vertices_m, after.vertices_m, atol=1e-6)
        assert not np.allclose(before.vertices_m, getattr(there.mesh.answers, name).vertices_m)


def test_one_answer_has_no_company(evidence, completion):
    assert build_shape(evidence, completion, 10_000).mesh.answers is None


def test_the_middle_leads_unless_others_agree_clearly_better():
    good = EvidenceScore(0.9, 0.0, 0.9)
    assert ranked([good] * 4)[0] == 0
    little = replace(good, observed_inliers=0.95)
    assert ranked([good, little, good])[0] == 0
    much = replace(good, observed_inliers=0.99, silhouette_iou=0.97)
    assert ranked([replace(good, observed_inliers=0.7), much, good])[0] == 1


def unsure(evidence, completion):
    """A completion of what is nowhere likely, cut at the lowest level, which is one of several."""
    logit = np.log(completion.probability / (1 - completion.probability)) * 0.12 - 1.0
    scaled = -np.tanh(0.5 * logit) * evidence.truncation_m
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    assert likeliest_level(probability[evidence.free == 0]) == 0.3
    return replace(completion, distance_m=scaled.astype(np.float32), probability=probability)


@pytest.fixture(scope='module')
def inferred(scenes):
    frame, instances = scenes.see([scenes.Box(*BOX)], noise_seed=0)
    view = crop_view(frame, instances, 0)
    view = replace(view, measured=np.zeros_like(view.mask))
    evidence = build_evidence([view], EvidenceConfig(grid=40))
    assert evidence.is_inferred
    return evidence


def test_no_answer_of_what_has_no_depth_comes_twice(inferred, completion):
    shape = build_shape(inferred, unsure(inferred, completion), 10_000, answers=4)
    made = [shape.mesh.vertices_m, *(one.vertices_m for one in shape.mesh.answers.others)]
    assert len(made) > 1
    assert not any(np.array_equal(a, b) for k, a in enumerate(made) for b in made[:k])


def test_a_surface_of_its_own_is_not_cut_elsewhere(inferred, completion, monkeypatch):
    cut = []
    monkeypatch.setattr(
        'sam3d_ros.reconstruction.shape.at_level',
        lambda completion, evidence, level: cut.append(level) or completion,
    )
    mesh = build_shape(inferred, completion, 10_000).mesh
    cut.clear()
    own = MadeSurface(mesh.vertices_m, mesh.faces, mesh.colors)
    build_shape(inferred, replace(unsure(inferred, completion), surface=own), 10_000)
    assert cut == [0.5]
