# SPDX-License-Identifier: Apache-2.0
"""Landmarks become metric joints: by depth, by usual size, and smooth over time."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.people import BONES, INDEX, JOINTS
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.blazepose.detector import Square
from sam3d_ros.people.blazepose.landmarks import Landmarks
from sam3d_ros.people.joints import JointFilter
from sam3d_ros.people.lifting import SIZES, lift

HIPS = [INDEX['left_hip'], INDEX['right_hip']]


def seen_landmarks(
    frame: Frame, joints_m: np.ndarray, visible: np.ndarray, sigma_px: float, seed: int = 0
) -> Landmarks:
    """Return what a network that errs by so much would say about joints of the fixed frame."""
    rng = np.random.default_rng(seed)
    points = apply(inverse(frame.T_fixed_cam), joints_m)
    size = np.linalg.norm(points[INDEX['left_shoulder']] - points[INDEX['left_hip']]) / 0.5
    relative = (points - points[HIPS].mean(axis=0)) / size + rng.normal(0, 0.03, points.shape)
    pixels = project(points, frame.camera) + rng.normal(0, sigma_px, (len(points), 2))
    visibility = np.where(visible, 0.9, 0.2)
    return Landmarks(1.0, pixels, visibility, relative, Square((0.0, 0.0), 1.0, 0.0))


@pytest.mark.parametrize('activity', ['standing', 'sitting'])
def test_joints_are_where_they_are(activity: str, drawn: Callable) -> None:
    episode, samples = drawn(activity, seed=3, frames=3, distance_m=1.8)
    visible, hidden = [], []
    joints = JointFilter()
    for k, sample in enumerate(samples):
        frame, shown = sample.frame(), episode.visible(k, sample)[0]
        # Half the size of picture, half the error.
        landmarks = seen_landmarks(frame, episode.joints_m[k, 0], shown, 2.0, k)
        lifted = lift(frame, landmarks, joints.size)
        R = frame.T_fixed_cam[:3, :3]
        joints.update(
            frame.stamp_ns,
            apply(frame.T_fixed_cam, lifted.points_m),
            R @ lifted.covariance @ R.T,
            landmarks.visibility,
            lifted.measured,
            lifted.size,
        )
        apart = np.linalg.norm(joints.skeleton().points_m - episode.joints_m[k, 0], axis=1)
        visible += apart[shown].tolist()
        hidden += apart[~shown].tolist()
    assert np.mean(visible) < 0.045
    assert np.mean(hidden) < 0.1


def test_without_depth_the_usual_size_gives_the_distance(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=3, distance_m=1.8)
    frame = samples[0].frame()
    blind = replace(frame, pointmap=np.full_like(frame.pointmap, np.nan))
    landmarks = seen_landmarks(frame, episode.joints_m[0, 0], np.ones(33, bool), 0.5)
    lifted = lift(blind, landmarks)
    assert not lifted.measured.any() and np.isnan(lifted.size)
    truth = apply(inverse(frame.T_fixed_cam), episode.joints_m[0, 0])[HIPS].mean(axis=0)
    found = lifted.points_m[HIPS].mean(axis=0)
    assert abs(found[2] - truth[2]) < 0.2 * truth[2]
    sight = truth / np.linalg.norm(truth)
    sigma = np.sqrt(sight @ lifted.covariance[HIPS[0]] @ sight)
    assert 0.1 * truth[2] < sigma < 0.2 * truth[2]


def test_a_wrong_calibration_shows_as_a_wrong_size(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=3, distance_m=1.8)
    frame = samples[0].frame()
    landmarks = seen_landmarks(frame, episode.joints_m[0, 0], np.ones(33, bool), 0.5)
    K = frame.camera.K.copy()
    K[:2, :2] *= 3
    wrong = replace(frame, camera=replace(frame.camera, K=K))
    assert lift(wrong, landmarks).size < 0.6 * lift(frame, landmarks).size


def test_what_looks_like_a_small_person_up_close_is_nobody(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=3, distance_m=1.8)
    frame = samples[0].frame()
    landmarks = seen_landmarks(frame, episode.joints_m[0, 0], np.ones(33, bool), 0.5)
    toy = replace(frame, pointmap=frame.pointmap * np.float32(0.2))
    person = lift(frame, landmarks)
    assert person.extent == pytest.approx(1.0, abs=0.25) and not person.is_too_small
    assert lift(toy, landmarks).is_too_small
    blind = replace(frame, pointmap=np.full_like(frame.pointmap, np.nan))
    assert not lift(blind, landmarks).is_too_small


def test_bones_keep_their_lengths() -> None:
    rng = np.random.default_rng(0)
    body = rng.normal(0, 0.4, (33, 3))
    covariance = np.tile(1e-4 * np.eye(3), (33, 1, 1))
    joints = JointFilter()
    for k in range(10):
        noisy = body + rng.normal(0, 0.01, body.shape)
        joints.update(k * 10**8, noisy, covariance, np.ones(33), np.ones(33, bool), 1.0)
    skeleton = joints.skeleton()
    for a, b in BONES:
        wanted = np.linalg.norm(body[a] - body[b])
        assert np.linalg.norm(skeleton.points_m[a] - skeleton.points_m[b]) == pytest.approx(
            wanted, abs=0.012
        )
    before = np.trace(skeleton.covariance[0])
    joints.predict(2 * 10**9)
    assert np.trace(joints.skeleton().covariance[0]) > before


def test_a_head_alone_may_not_be_as_small_as_a_whole_body_may(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=2)
    frame = samples[0].frame()
    is_head = np.arange(len(JOINTS)) < INDEX['left_shoulder']
    landmarks = seen_landmarks(frame, episode.joints_m[0, 0], is_head, 0.0)
    ball = replace(frame, pointmap=frame.pointmap * np.float32(0.7))
    assert not lift(frame, landmarks).is_too_small
    assert lift(ball, landmarks).is_too_small and lift(ball, landmarks).extent > SIZES[0]
