# SPDX-License-Identifier: Apache-2.0
"""Confidence follows the evidence: seen faces, sharp and blurred guesses, coarse voxels."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import FaceLabel
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.surface.confidence import (
    NEAR_M,
    face_confidence,
    scale_sigma,
    tolerance_m,
)
from sam3d_ros.reconstruction.surface.labels import face_labels
from sam3d_ros.reconstruction.surface.surface import extract_surface
from sam3d_ros.reconstruction.views import crop_view


@pytest.fixture(scope='module')
def ball(scenes):
    """Return the evidence, true mesh and signed distance of a ball."""
    solid = scenes.Ball((0.0, 0.0, 0.05), 0.05)
    frame, instances = scenes.see([solid], (-0.4, -0.3, 0.4), noise_seed=1)
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    centre = np.linalg.inv(evidence.grid.T_ref_grid) @ np.array([*solid.centre, 1.0])
    distance = np.linalg.norm(evidence.grid.centres_m() - centre[:3], axis=-1) - solid.radius
    return evidence, *extract_surface(distance.astype(np.float32), evidence.grid), distance


def guess(distance, width_m):
    return (1.0 / (1.0 + np.exp(np.clip(distance / width_m, -30, 30)))).astype(np.float32)


def test_seen_faces_are_nearly_certain(ball):
    evidence, vertices, faces, distance = ball
    confidence = face_confidence(vertices, faces, guess(distance, 0.02), evidence)
    labels = face_labels(vertices, faces, evidence)
    assert confidence.shape == (len(faces),)
    assert np.median(confidence[labels == FaceLabel.OBSERVED]) > 0.95


def test_hidden_faces_are_as_sure_as_the_guess(ball):
    evidence, vertices, faces, distance = ball
    hidden = face_labels(vertices, faces, evidence) == FaceLabel.OCCLUDED
    means = [
        face_confidence(vertices, faces, guess(distance, width), evidence)[hidden].mean()
        for width in (0.001, 0.005, 0.02)
    ]
    assert means[0] > means[1] + 0.03
    assert means[1] > means[2] + 0.03


def test_a_hidden_face_where_the_guess_has_no_surface_is_doubtful(ball):
    evidence, vertices, faces, distance = ball
    hidden = face_labels(vertices, faces, evidence) == FaceLabel.OCCLUDED
    sharp = guess(distance, 0.001)
    there = face_confidence(vertices, faces, sharp, evidence)[hidden].mean()
    elsewhere = face_confidence(vertices, faces, guess(distance + 0.03, 0.001), evidence)
    assert elsewhere[hidden].mean() < there - 0.2


def test_an_inferred_range_that_is_far_off_widens_not_what_counts_as_right(scenes):
    frame, instances = scenes.see([scenes.Ball((0, 0, 0.05), 0.05)])
    view = crop_view(frame, instances, 0)
    unsure = np.full(view.mask.shape, 0.03, np.float32)
    measured = build_evidence([replace(view, range_sigma_m=unsure)], EvidenceConfig())
    told = replace(view, range_sigma_m=unsure, measured=~view.mask)
    inferred = build_evidence([told], EvidenceConfig())
    assert not measured.is_inferred and inferred.is_inferred
    assert tolerance_m(measured) > 0.05
    assert tolerance_m(inferred) == NEAR_M


def test_size_is_less_sure_of_coarse_and_of_unlike_things():
    box = np.array([[0.0, 0, 0], [0.1, 0.1, 0.1]], np.float32)
    best = scale_sigma(box, 0.001, 1.0)
    assert 0 < best < scale_sigma(box, 0.02, 1.0)
    assert best < scale_sigma(box, 0.001, 0.8)
    flat = box * np.array([1, 1, 0.05], np.float32)
    assert scale_sigma(flat, 0.005, 1.0) > scale_sigma(box, 0.005, 1.0)
    assert np.isfinite(scale_sigma(np.zeros((0, 3), np.float32), 0.005, 0.0))
