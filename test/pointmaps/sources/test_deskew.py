# SPDX-License-Identifier: Apache-2.0
"""A LiDAR that moves while it sweeps: points come out where they were, in any unit of time."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='the moving LiDAR is in the bench: extra bench')

from sam3d_ros.bench.ranges.motion import errors_m
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.messages.sensors.point_times import point_times
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.sources.deskew import as_seen_at_once

STAMP_NS = 1_700_000_000_123_456_789
SWEEP_S = np.linspace(0, 0.1, 50)


@pytest.mark.parametrize('rate_hz', [30, 100])
def test_motion_is_undone_to_millimetres(rate_hz):
    undone, rigid = errors_m(np.random.default_rng(0), rate_hz)
    assert undone.max() < 0.005
    assert np.percentile(rigid, 95) > 0.1


@pytest.mark.parametrize(
    ('name', 'kind', 'values', 'first_s'),
    [
        ('t', '<u4', SWEEP_S * 1e9, 0.0),
        ('time', '<f4', SWEEP_S - 0.1, -0.1),
        ('timestamp', '<f8', STAMP_NS * 1e-9 + SWEEP_S - 0.05, -0.05),
        ('timestamp', '<f8', STAMP_NS + SWEEP_S * 1e9, 0.0),
        ('t', '<u8', STAMP_NS + (SWEEP_S * 1e9).astype(np.uint64) + 10_000_000, 0.01),
        ('offset_time', '<u4', SWEEP_S * 1e6, 0.0),
        ('timestamp', '<f8', 512.0 + SWEEP_S, 0.0),
        ('Time', '<f4', SWEEP_S * 1e3, 0.0),
    ],
    ids=['ouster', 'velodyne', 'hesai', 'livox', 'epoch ns', 'us', 'other clock', 'ms'],
)
def test_unit_and_zero_are_found(name, kind, values, first_s):
    points = np.zeros(50, np.dtype([('x', '<f4'), (name, kind)]))
    points[name] = values
    times_s = point_times(points, STAMP_NS)
    assert times_s[0] == pytest.approx(first_s, abs=2e-4)
    assert np.allclose(times_s - times_s[0], SWEEP_S, atol=1e-5)


@pytest.mark.parametrize('values', [np.zeros(50), np.linspace(0, 3, 50), np.full(50, np.nan)])
def test_times_that_cannot_be_are_no_times(values):
    points = np.zeros(50, np.dtype([('t', '<f4')]))
    points['t'] = values
    assert point_times(points, STAMP_NS) is None
    assert point_times(np.zeros(50, np.dtype([('x', '<f4')])), STAMP_NS) is None


def test_where_tf_ends_motion_goes_on():
    tree = TransformTree()
    for k in range(-2, 3):
        pose = transform(np.eye(3), np.array([0.02 * k, 0, 0]))
        tree.add('odom', 'lidar', pose, STAMP_NS + k * 20_000_000)
    image = ColorImage(STAMP_NS, 'lidar', None, None)
    points = np.array([[1.0, 0, 0], [1.0, 0, 0]], np.float32)
    cloud = PointCloud(STAMP_NS, 'lidar', points, np.array([0.0, 0.08]))
    assert as_seen_at_once(image, cloud, tree)[:, 0] == pytest.approx([1.0, 1.08], abs=1e-4)


def test_without_tf_a_cloud_is_one_body():
    image = ColorImage(STAMP_NS, 'lidar', None, None)
    points = np.ones((2, 3), np.float32)
    cloud = PointCloud(STAMP_NS, 'lidar', points, np.array([0.0, 0.08]))
    assert np.array_equal(as_seen_at_once(image, cloud, TransformTree()), points)
