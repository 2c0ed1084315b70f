# SPDX-License-Identifier: Apache-2.0
"""Cases of the bench: true masks, posed truth, and what no frame has shown."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.scoring import SAMPLES
from sam3d_ros.bench.worlds import TruthSegmenter
from sam3d_ros.geometry.transforms import apply, inverse


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
