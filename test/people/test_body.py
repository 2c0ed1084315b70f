# SPDX-License-Identifier: Apache-2.0
"""The fitted body is closed, as thick as was seen, and says what of it was seen."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from sam3d_ros.core.people import Capsule, Skeleton
from sam3d_ros.core.types import FaceLabel
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.blazepose.landmarks import HandNetworks
from sam3d_ros.people.body import body_of, fitted, seen_faces
from sam3d_ros.people.capsules import clearance
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.people.hands import find_hands
from sam3d_ros.people.stage import PeopleStage

LIMBS = (
    Capsule(np.array([0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.5]), 0.1),
    Capsule(np.array([1.0, 0.0, 0.0]), np.array([1.3, 0.0, 0.0]), 0.05),
)


def test_every_part_is_closed_and_faces_outward() -> None:
    body = body_of(LIMBS)
    edges = Counter(
        (int(face[k]), int(face[(k + 1) % 3])) for face in body.faces for k in range(3)
    )
    assert set(edges.values()) == {1} and all((b, a) in edges for a, b in edges)
    corners = body.vertices_m[body.faces].astype(np.float64)
    volume = np.einsum('ij,ij->', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    wanted = sum(
        np.pi * c.radius_m**2 * np.linalg.norm(c.end_m - c.start_m) + 4 / 3 * np.pi * c.radius_m**3
        for c in LIMBS
    )
    assert volume == pytest.approx(wanted, rel=0.15)


def test_corners_lie_on_the_capsules() -> None:
    assert np.abs(clearance(body_of(LIMBS).vertices_m, LIMBS)).max() < 1e-6


def test_radii_are_those_of_the_points() -> None:
    angle = np.linspace(0, np.pi, 40)
    height = np.linspace(0.1, 0.4, 40)
    points = np.column_stack([0.12 * np.cos(angle), 0.12 * np.sin(angle), height])
    thick, other = fitted(LIMBS, points)
    assert thick.radius_m == pytest.approx(0.12, abs=0.002)
    assert other.radius_m == LIMBS[1].radius_m
    assert fitted(LIMBS, np.zeros((0, 3))) == LIMBS


def test_faces_without_points_are_made_up() -> None:
    body = body_of(LIMBS[:1])
    front = body.vertices_m[body.vertices_m[:, 0] > 0.0].astype(np.float64)
    labels = seen_faces(body, front, np.array([3.0, 0.0, 0.2]))
    middles = body.vertices_m[body.faces].mean(axis=1)
    assert (labels[middles[:, 0] > 0.06] == FaceLabel.OBSERVED).mean() > 0.7
    assert (labels[middles[:, 0] < 0.0] == FaceLabel.OCCLUDED).all()


def test_somebody_with_joints_has_a_body_that_is_seen_from_the_front(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig(body=True))
    for sample in samples:
        frame = sample.frame()
        (person,) = stage.update(frame).items
    assert person.body is not None
    corners = apply(inverse(frame.T_fixed_cam), person.body.vertices_m)[person.body.faces]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    toward = np.einsum('ij,ij->i', outward, corners.mean(axis=1)) < 0
    seen = person.body.face_labels == FaceLabel.OBSERVED
    assert 0.1 < seen.mean() < 0.5
    assert toward[seen].mean() > 0.95


def test_hands_hang_on_their_wrists(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    frame = samples[0].frame()
    points = np.zeros((33, 3))
    hidden = Skeleton(points, np.tile(np.eye(3), (33, 1, 1)), np.zeros(33), np.zeros(33, bool))
    assert find_hands(HandNetworks(), frame, hidden, 1.0) == ()
    stage = PeopleStage(PeopleConfig(hands=True))
    for sample in samples:
        (person,) = stage.update(sample.frame()).items
    assert person.skeleton is not None
    for hand in person.hands:  # none or some: made-up hands have no fingers
        wrist = person.skeleton.points_m[16 if hand.is_right else 15]
        assert np.linalg.norm(hand.points_m[0] - wrist) < 0.15
