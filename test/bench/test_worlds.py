# SPDX-License-Identifier: Apache-2.0
"""Cases of the bench: true masks, posed truth, and what no frame has shown."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.live.latency import world_of
from sam3d_ros.bench.masks.scenes_segmentation import others_in, world_frames
from sam3d_ros.bench.metrics.scoring import SAMPLES
from sam3d_ros.bench.worlds import TruthSegmenter, bare, cases
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import samples
from sam3d_ros.world.setting.surroundings import distractors
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.suites import make_episode


def test_true_masks_are_those_of_the_world(spaced_case):
    frame, sample = spaced_case.frames[0], spaced_case.samples[0]
    instances = TruthSegmenter(spaced_case).segment(frame)
    assert len(instances.items) == len(spaced_case.truth) == 5
    for item in instances.items:
        value = int(item.source.removeprefix('truth:'))
        np.testing.assert_array_equal(item.mask, sample.truth.instances == value)
        left, top, right, bottom = item.box_px
        assert item.mask[top:bottom, left:right].sum() == item.mask.sum()
        rows, columns = item.mask[top:bottom, left:right].any(1), item.mask[:, left:right].any(0)
        assert rows[0] and rows[-1] and columns.all()


def test_true_support_is_where_the_objects_stand(spaced_case):
    frame = spaced_case.frames[0]
    (support,) = TruthSegmenter(spaced_case).segment(frame).supports
    lowest = min(item.mesh.vertices_m[:, 2].min() for item in spaced_case.truth)
    assert abs(lowest - spaced_case.support_z_m) < 2e-3
    on_support = np.array([[0.0, 0.0, spaced_case.support_z_m], [0.2, -0.1, lowest]])
    points = apply(inverse(frame.T_fixed_cam), on_support)
    np.testing.assert_allclose(points @ support.normal + support.offset_m, 0.0, atol=2e-3)


def test_unseen_is_the_side_that_faces_away(spaced_case):
    eyes = [frame.T_fixed_cam[:3, 3] for frame in spaced_case.frames]
    for truth in spaced_case.truth:
        assert truth.unseen.shape == (SAMPLES,)
        assert 0.2 < truth.unseen.mean() < 0.9
        away = np.linalg.norm(truth.points - np.mean(eyes, axis=0), axis=1)
        assert away[truth.unseen].mean() > away[~truth.unseen].mean()


def test_seen_points_are_in_front_of_the_camera_where_depth_says(spaced_case):
    frame, sample = spaced_case.frames[-1], spaced_case.samples[-1]
    truth = spaced_case.truth[0]
    points = apply(inverse(frame.T_fixed_cam), truth.points[~truth.unseen])
    pixels = points @ frame.camera.K.T
    columns, rows = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int).T
    error = np.abs(sample.rendering.depth_m[rows, columns] - points[:, 2])
    assert np.median(error) < 2e-3


def test_worlds_are_seen_by_the_sensor_that_is_asked_for():
    options = BenchOptions(sensor='ideal')
    (case,) = cases('spaced', 1, options, frames=1)
    (sample,) = case.samples
    np.testing.assert_array_equal(sample.depth_m, sample.rendering.depth_m)
    for sensor in ('ideal', 'active_stereo'):
        (item,) = world_frames('spaced', 1, 0, None, sensor)
        error = item.frame.depth_m - sample.rendering.depth_m
        assert (np.nanstd(error) > 1e-4) == (sensor != 'ideal')
    assert world_of('single', 1, options).sensor.model.name == 'ideal'


def test_things_that_the_truth_does_not_list_are_no_objects_and_no_slabs():
    episode = make_episode('spaced', 0, frames=1, sensor=depth_sensor('ideal'))
    rng = np.random.default_rng(0)
    many = [random_solid(rng) for _ in range(8)]
    near = distractors(rng, many, 0.3, episode.support_z_m)
    crowded = replace(episode, surroundings=(*bare(episode).surroundings, *near))
    drawn = [next(samples(item)).rendering for item in (bare(episode), crowded)]
    assert not others_in(bare(episode), drawn[0].depth_m).any()
    others = others_in(crowded, drawn[1].depth_m)
    assert others.sum() > 100
    np.testing.assert_array_equal(others, drawn[1].depth_m < drawn[0].depth_m)
    assert not others[drawn[1].instances > 0].any()
