# SPDX-License-Identifier: Apache-2.0
"""Layout refinement: finds a perturbed pose again, with an honest covariance."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.geometry.transforms import inverse, moved_by, twist_between
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.config import EvidenceConfig, LayoutConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.pose import layout
from sam3d_ros.reconstruction.pose.layout import Placed, measure_poses, pose_covariance
from sam3d_ros.reconstruction.shape import build_shape
from sam3d_ros.reconstruction.views import crop_view

NOISE, CONFIG = EvidenceConfig(), LayoutConfig()


def measure_pose(shape, view, T_cam_shape, config):
    """What a view says about the pose of one object alone."""
    return measure_poses([Placed(shape, view, T_cam_shape)], config)[0]


def true_shape(scenes, solids, frame, instances):
    """The first solid's shape in the world frame, from its true signed distance."""
    evidence = build_evidence([crop_view(frame, instances, 0)], NOISE)
    box = solids[0]
    points = evidence.grid.centres_m() @ evidence.grid.T_ref_grid[:3, :3].T
    points = points + evidence.grid.T_ref_grid[:3, 3]
    outside = np.abs(points - np.array(box.centre)) - 0.5 * np.array(box.size)
    far = np.linalg.norm(np.maximum(outside, 0), axis=-1)
    distance = (far + np.minimum(outside.max(axis=-1), 0)).astype(np.float32)
    return build_shape(
        evidence, Completion(distance, (distance < 0) * np.float32(1), 'true'), 8000
    )


@pytest.fixture(scope='module')
def seen(scenes):
    box = scenes.Box((0.0, 0.0, 0.05), (0.08, 0.12, 0.10))
    eye = (-0.4, -0.3, 0.4)
    clean_frame, clean = scenes.see([box], eye)
    shape = true_shape(scenes, [box], clean_frame, clean)
    centred = shape.moved(inverse(moved_by(np.eye(4), np.array([0, 0, 0.05, 0, 0, 0]))))
    T_cam_obj = inverse(clean_frame.T_fixed_cam) @ moved_by(
        np.eye(4), np.array([0, 0, 0.05, 0, 0, 0])
    )
    return box, eye, centred, T_cam_obj


def test_twists_compose():
    T = moved_by(np.eye(4), np.array([0.1, -0.2, 0.3, 0.4, -0.1, 0.2]))
    twist = np.array([0.01, 0.02, -0.03, 0.05, 0.1, -0.2])
    np.testing.assert_allclose(twist_between(T, moved_by(T, twist)), twist, atol=1e-12)


@pytest.mark.parametrize('seed', range(4))
def test_a_perturbed_pose_is_found_again(scenes, seen, seed):
    box, eye, shape, T_cam_obj = seen
    frame, instances = scenes.see([box], eye, noise_seed=seed)
    rng = np.random.default_rng(seed)
    start = moved_by(T_cam_obj, rng.normal(0, [0.006] * 3 + [0.05] * 3))
    update = measure_pose(shape, crop_view(frame, instances, 0), start, CONFIG)
    error = twist_between(T_cam_obj, moved_by(start, update.twist))
    assert update.score_after > update.score_before
    assert np.linalg.norm(error[:3]) < 0.002
    assert np.linalg.norm(error[3:]) < 0.03


def test_registration_takes_the_errors_that_the_frame_says(scenes, seen):
    box, eye, shape, T_cam_obj = seen
    frame, instances = scenes.see([box], eye)
    sigma_m = np.full(frame.depth_m.shape, 0.02, np.float32)
    unsure = replace(frame, range_sigma_m=sigma_m)
    sure, doubtful = (
        measure_pose(shape, crop_view(each, instances, 0), T_cam_obj, CONFIG).covariance
        for each in (frame, unsure)
    )
    assert np.trace(doubtful[:3, :3]) > 4 * np.trace(sure[:3, :3])


def test_a_far_displacement_is_followed(scenes, seen):
    box, eye, shape, T_cam_obj = seen
    frame, instances = scenes.see([box], eye, noise_seed=9)
    start = moved_by(T_cam_obj, np.array([0.06, 0.02, -0.05, 0, 0, 0]))
    update = measure_pose(shape, crop_view(frame, instances, 0), start, CONFIG)
    error = twist_between(T_cam_obj, moved_by(start, update.twist))
    assert np.linalg.norm(error[:3]) < 0.008


def test_covariance_covers_the_errors(scenes, seen):
    box, eye, shape, T_cam_obj = seen
    distances = []
    for seed in range(12):
        frame, instances = scenes.see([box], eye, noise_seed=100 + seed)
        update = measure_pose(shape, crop_view(frame, instances, 0), T_cam_obj, CONFIG)
        assert np.linalg.eigvalsh(update.covariance).min() > 0
        distances.append(update.twist @ np.linalg.solve(update.covariance, update.twist))
    # Chi-square with 6 degrees of freedom: mean 6, 99.9 % below 22.5.
    assert np.mean(distances) < 9.0
    assert np.mean(distances) > 0.02
    assert max(distances) < 22.5


@pytest.mark.parametrize('name', ['structured_light', 'd435'])
def test_covariance_knows_that_neighbours_share_errors(scenes, seen, name):
    box, eye, shape, T_cam_obj = seen
    sensor, distances, as_if_white = MODELS[name], [], []
    for seed in range(12):
        frame, instances = scenes.see([box], eye, noise_seed=seed, sensor=sensor)
        view = crop_view(frame, instances, 0)
        alone = replace(view, sensor=replace(sensor, grain=MODELS['white'].grain))
        for found, as_seen in ((distances, view), (as_if_white, alone)):
            update = measure_pose(shape, as_seen, T_cam_obj, CONFIG)
            found.append(update.twist @ np.linalg.solve(update.covariance, update.twist))
    assert 1.0 < np.mean(distances) < 9.0
    assert np.mean(as_if_white) > 1.3 * np.mean(distances)


def test_a_ball_may_have_turned(scenes):
    ball = scenes.Ball((0.0, 0.0, 0.05), 0.05)
    frame, instances = scenes.see([ball], (-0.4, -0.3, 0.4), noise_seed=1)
    view = crop_view(frame, instances, 0)
    evidence = build_evidence([view], NOISE)
    points = evidence.grid.centres_m() @ evidence.grid.T_ref_grid[:3, :3].T
    points = points + evidence.grid.T_ref_grid[:3, 3]
    distance = (np.linalg.norm(points - np.array(ball.centre), axis=-1) - 0.05).astype(np.float32)
    made = build_shape(
        evidence, Completion(distance, (distance < 0) * np.float32(1), 'true'), 8000
    )
    T_world_obj = moved_by(np.eye(4), np.array([*ball.centre, 0, 0, 0]))
    shape = made.moved(inverse(T_world_obj))
    T_cam_obj = inverse(frame.T_fixed_cam) @ T_world_obj
    sigma = np.sqrt(np.diag(pose_covariance(Placed(shape, view, T_cam_obj), CONFIG)))
    assert sigma[:3].max() < 0.005
    assert sigma[3:].min() > 0.05


@pytest.mark.parametrize('grown_px', [-9, 9])
def test_a_wrong_mask_does_not_pull(scenes, seen, grown_px):
    box, eye, shape, T_cam_obj = seen
    frame, instances = scenes.see([box], eye, noise_seed=3)
    view = crop_view(frame, instances, 0)
    window = np.ones((abs(grown_px), abs(grown_px)), np.uint8)
    change = cv2.dilate if grown_px > 0 else cv2.erode
    wrong = replace(view, mask=change(view.mask.astype(np.uint8), window).astype(bool))
    update = measure_pose(shape, wrong, T_cam_obj, CONFIG)
    assert np.linalg.norm(update.twist[:3]) < 0.003
    assert np.linalg.norm(update.twist[3:]) < 0.04


def test_what_stands_before_the_measured_surface_is_pushed_back(scenes, seen, monkeypatch):
    box, eye, shape, T_cam_obj = seen
    frame, instances = scenes.see([box], eye)
    view = crop_view(frame, instances, 0)
    start = moved_by(T_cam_obj, np.array([0.0, 0.0, -0.014, 0, 0, 0]))
    whole = measure_pose(shape, view, start, CONFIG)
    assert whole.twist[2] == pytest.approx(0.014, abs=0.003)
    assert whole.score_after > whole.score_before
    # Without pairs only what the sensor saw through moves the shape.
    monkeypatch.setattr(layout, '_weights', lambda pairs, *_: np.zeros(pairs.distance.shape))
    alone = measure_pose(shape, view, start, CONFIG)
    assert alone.twist[2] > 0.003


def test_a_batch_gives_each_object_what_it_would_get_alone(scenes, seen):
    box, eye, shape, T_cam_obj = seen
    placed = []
    for seed in range(4):
        # Views of many and of few points, good starts and poor ones.
        frame, instances = scenes.see([box], eye, noise_seed=seed)
        view = crop_view(frame, instances, 0)
        if seed == 1:
            view.pointmap[:, : view.mask.shape[1] // 2 + 12] = np.nan
        rng = np.random.default_rng(seed)
        start = moved_by(T_cam_obj, rng.normal(0, [0.02 * seed] * 3 + [0.05] * 3))
        placed.append(Placed(shape, view, start))
    for item, together in zip(placed, measure_poses(placed, CONFIG), strict=True):
        (alone,) = measure_poses([item], CONFIG)
        np.testing.assert_array_equal(alone.twist, together.twist)
        np.testing.assert_array_equal(alone.covariance, together.covariance)
        assert alone.score_before == together.score_before
        assert alone.score_after == together.score_after
    assert measure_poses([], CONFIG) == []
