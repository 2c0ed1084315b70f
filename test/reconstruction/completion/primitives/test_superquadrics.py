# SPDX-License-Identifier: Apache-2.0
"""Superquadrics: distances, fits to one view of a known solid, and refusal of what is none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.primitives.superquadrics import (
    E_ROUND,
    E_UP,
    Superquadric,
    superquadric_distance,
)
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.views import crop_view


def evidence_of(scenes, solids, seed=0):
    frame, instances = scenes.see(solids, noise_seed=seed)
    return build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())


def solid(axes=(0.03, 0.05, 0.04), exponents=(0.5, 0.5), centre=(0.0, 0.0, 0.0), yaw=0.0):
    return Superquadric(np.array([*centre, *np.log(axes), yaw, *exponents]))


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(0.01, 0.1)] * 3),
    st.tuples(*[st.floats(0.1, 1.0)] * 2),
    st.floats(-3.0, 3.0),
)
def test_the_distance_changes_sign_at_the_end_of_every_axis(axes, exponents, yaw):
    shape = solid(axes, exponents, (0.01, -0.02, 0.03), yaw)
    c, s = np.cos(yaw), np.sin(yaw)
    directions = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    ends = np.array([0.01, -0.02, 0.03]) + directions * np.array(axes)[:, None]
    np.testing.assert_allclose(shape.distances(ends.astype(np.float32)), 0.0, atol=1e-5)
    middle = np.array([[0.01, -0.02, 0.03]]) + 0.3 * directions * np.array(axes)[:, None]
    assert (shape.distances(middle.astype(np.float32)) < 0).all()


def test_a_ball_has_true_distances():
    ball = solid((0.05, 0.05, 0.05), (1.0, 1.0))
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (200, 3)).astype(np.float32)
    np.testing.assert_allclose(
        ball.distances(points), np.linalg.norm(points, axis=1) - 0.05, atol=1e-4
    )


def test_the_volume_agrees_with_the_distances(scenes):
    grid = evidence_of(scenes, [scenes.Ball((0.0, 0.0, 0.05), 0.05)]).grid
    shape = solid(yaw=0.4)
    volume = shape.volume(grid)
    everywhere = shape.distances(grid.centres_m().reshape(-1, 3)).reshape(volume.shape)
    np.testing.assert_array_equal(volume < 0, everywhere < 0)
    near = np.abs(everywhere) < grid.voxel_m
    np.testing.assert_allclose(volume[near], everywhere[near], atol=1e-6)


def test_extreme_exponents_stay_finite():
    shape = solid(exponents=(0.1, 0.1))
    assert np.isfinite(shape.distances(np.array([[0, 0, 0], [9, 9, 9]], np.float32))).all()
    assert shape.parameters[E_UP] == shape.parameters[E_ROUND] == 0.1


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('kind', ['box', 'ball'])
def test_simple_solids_are_completed_from_one_view(scenes, kind, seed):
    truth = (
        scenes.Box((0.0, 0.0, 0.05), (0.08, 0.12, 0.10))
        if kind == 'box'
        else scenes.Ball((0.0, 0.02, 0.05), 0.05)
    )
    evidence = evidence_of(scenes, [truth], seed)
    distance = superquadric_distance(evidence)
    assert distance is not None
    inside = distance < 0
    real = truth.inside(apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float)))
    assert (inside & real).sum() / (inside | real).sum() > (0.7 if kind == 'box' else 0.9)


def test_two_balls_in_one_mask_are_none(scenes):
    balls = [scenes.Ball((0.0, y, 0.03), 0.03) for y in (-0.06, 0.06)]
    frame, instances = scenes.see(balls, noise_seed=0)
    left, right = (item.mask for item in instances.items)
    both = replace(instances.items[0], mask=left | right, box_px=scenes.box_of(left | right))
    instances = replace(instances, items=(both,))
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    assert superquadric_distance(evidence) is None


def test_a_few_points_are_not_enough(scenes):
    frame, instances = scenes.see([scenes.Ball((0.0, 0.0, 0.05), 0.05)])
    rows, columns = np.nonzero(instances.items[0].mask)
    frame.pointmap[rows[99:], columns[99:]] = np.nan
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    assert superquadric_distance(evidence) is None
