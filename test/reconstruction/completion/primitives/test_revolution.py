# SPDX-License-Identifier: Apache-2.0
"""Axes of revolution: found where there is one, refused where there is none."""

import numpy as np

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.geometric import GeometricCompletion
from sam3d_ros.reconstruction.completion.primitives.revolution import find_axis, shell_distance
from sam3d_ros.reconstruction.config import EvidenceConfig, ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
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


def test_a_bowl_seen_from_above_becomes_a_thin_wall(scenes):
    middle, radius, wall = np.array([0.0, 0.0, 0.06]), 0.06, 0.003
    frame, instances = scenes.see([Bowl(middle, radius, wall)], (-0.35, 0.0, 0.4), noise_seed=0)
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    axis = find_axis(evidence)
    assert axis is not None
    distance = shell_distance(evidence, axis)
    points = apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float))
    away = np.linalg.norm(points - middle, axis=-1)
    below = points[..., 2] < 0.05
    assert (distance[below & (away < radius - 2 * wall - evidence.grid.voxel_m)] > 0).all()
    in_wall = below & (np.abs(away - (radius - 0.5 * wall)) < 0.25 * wall)
    assert (distance[in_wall] < 0).mean() > 0.9


class Bowl:
    """The lower half of a hollow ball."""

    def __init__(self, centre, radius, wall):
        self.centre, self.radius, self.wall = centre, radius, wall

    def hit(self, origin, directions):
        best = np.full(directions.shape[:2], np.inf)
        offset = origin - self.centre
        a, b = (directions**2).sum(axis=-1), directions @ offset
        for radius in (self.radius, self.radius - self.wall):
            root = b * b - a * (offset @ offset - radius**2)
            for sign in (-1.0, 1.0):
                t = (-b + sign * np.sqrt(np.maximum(root, 0.0))) / a
                height = origin[2] + t * directions[..., 2] - self.centre[2]
                met = (root > 0) & (t > 0) & (height < 0)
                best = np.where(met & (t < best), t, best)
        return best
