# SPDX-License-Identifier: Apache-2.0
"""Axes of revolution: found where there is one, refused where there is none."""

import numpy as np

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.config import EvidenceConfig, ReconstructionConfig
from sam3d_ros.reconstruction.evidence import build_evidence
from sam3d_ros.reconstruction.geometric import GeometricCompletion
from sam3d_ros.reconstruction.revolution import find_axis
from sam3d_ros.reconstruction.views import crop_view


def evidence_of(scenes, solid, seed=0):
    frame, instances = scenes.see([solid], noise_seed=seed)
    return build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())


def test_the_axis_of_a_ball_goes_through_its_centre(scenes):
    evidence = evidence_of(scenes, scenes.Ball((0.0, 0.02, 0.05), 0.05))
    axis = find_axis(evidence)
    assert axis is not None
    at = apply(evidence.grid.T_ref_grid, np.array([[axis.x, axis.y, 0.0]]))[0]
    np.testing.assert_allclose(at[:2], [0.0, 0.02], atol=0.006)


def test_a_box_has_none(scenes):
    assert find_axis(evidence_of(scenes, scenes.Box((0, 0, 0.05), (0.08, 0.12, 0.10)))) is None


def test_a_ball_is_completed_from_one_view(scenes):
    ball = scenes.Ball((0.0, 0.02, 0.05), 0.05)
    evidence = evidence_of(scenes, ball)
    completion = GeometricCompletion(ReconstructionConfig()).complete([evidence])[0]
    inside = completion.distance_m < 0
    truth = ball.inside(apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float)))
    assert (inside & truth).sum() / (inside | truth).sum() > 0.8
    assert ((completion.probability > 0.5) == inside).mean() > 0.999
