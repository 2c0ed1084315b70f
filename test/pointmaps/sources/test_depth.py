# SPDX-License-Identifier: Apache-2.0
"""Registration against a ray-cast truth: accurate, without gaps, the nearer surface wins."""

import numpy as np
import pytest
from ray_cast_world import camera, moved, render, visible
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.pointmaps.sources.depth import register, same_camera, splat, within_range

TURNED = transform(
    Rotation.from_euler('xyz', [1.5, -2.0, 4.0], degrees=True).as_matrix(),
    np.array([0.06, -0.02, 0.01]),
)


@pytest.mark.parametrize(
    ('source', 'target'),
    [
        (camera(320, 240, 260), camera(320, 240, 260)),
        (camera(212, 120, 110), camera(320, 180, 230, cx=140.0)),
        (camera(424, 240, 210), camera(160, 120, 130)),
    ],
    ids=['same size', 'to twice as fine', 'to coarser'],
)
def test_registered_depth_is_what_the_target_would_have_measured(source, target):
    T_world_source, T_world_target = np.eye(4), TURNED
    depth, _ = render(source, T_world_source)
    truth, surface = render(target, T_world_target)
    found = register(depth, source, inverse(T_world_target) @ T_world_source, target)

    points = apply(T_world_target, pointmap_from_depth(truth, target).astype(float)).reshape(-1, 3)
    local = points
    u = local[:, 0] / local[:, 2] * source.fx + source.cx
    v = local[:, 1] / local[:, 2] * source.fy + source.cy
    in_view = (u > 2) & (u < source.width - 3) & (v > 2) & (v < source.height - 3)
    shared = (visible(points, T_world_source) & in_view).reshape(truth.shape)
    assert shared.mean() > 0.6
    assert np.isnan(found[shared]).mean() < 0.005
    error = np.abs(found - truth)[shared]
    assert np.nanmedian(error) < 0.0005
    assert np.nanpercentile(error, 95) < 0.006
    # A surface of its own between ball and wall would be a flying pixel.
    assert np.nanmean(error > 0.05) < 0.012
    assert set(np.unique(surface)) == {0, 1, 2}


def test_what_the_source_did_not_see_stays_unknown():
    source = target = camera(320, 240, 260)
    depth, _ = render(source, np.eye(4))
    T_world_target = moved(x=0.5)
    found = register(depth, source, inverse(T_world_target), target)
    truth, _ = render(target, T_world_target)
    points = apply(T_world_target, pointmap_from_depth(truth, target).astype(float)).reshape(-1, 3)
    hidden = ~visible(points, np.eye(4), 0.02).reshape(truth.shape)
    assert hidden.sum() > 1000
    # Behind the ball's silhouette nothing was measured; a pixel of margin at its border.
    assert (np.abs(found - truth)[hidden] < 0.02).mean() < 0.05


def test_missing_depth_makes_no_depth():
    source = camera(64, 48, 60)
    found = register(np.full((48, 64), np.nan, np.float32), source, TURNED, camera(80, 60, 70))
    assert np.isnan(found).all() and found.shape == (60, 80)


def test_the_nearer_point_wins_and_the_rest_is_left_out():
    target = camera(9, 7, 5)
    points = np.array([[0, 0, 2], [0, 0, 1], [0, 0, -1], [9, 0, 1], [np.nan] * 3], np.float32)
    depth = splat(tuple(points.T), target)
    assert depth[3, 4] == 1 and np.isfinite(depth).sum() == 1


def test_range_and_camera_comparison():
    depth = np.array([[0.05, 1.0, 20.0, np.nan]], np.float32)
    np.testing.assert_array_equal(within_range(depth, 0.1, 10.0), [[np.nan, 1, np.nan, np.nan]])
    assert same_camera(camera(8, 6, 5), camera(8, 6, 5.001))
    assert not same_camera(camera(8, 6, 5), camera(8, 6, 5.1))
    assert not same_camera(camera(8, 6, 5, 1, 1), camera(9, 6, 5, 1, 1))
