# SPDX-License-Identifier: Apache-2.0
"""A recording with a depth camera and a LiDAR: fused, or one in the other's place."""

import numpy as np
import pytest
from made_up_recordings import START_NS, TYPES, Message, frames, messages

from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.typestore import typestore

T_OPTICAL_LIDAR = transform(np.eye(3), np.array([0.0, -0.03, 0.0]))
EYES = [(0.5 - 0.004 * at, -0.6, 0.6) for at in range(36)]
DEAD = range(8, 24)
"""Frames without a depth image."""


def cloud(frame):
    """Return the returns of a frame as a LiDAR beside the camera has them."""
    points = frame.pointmap - T_OPTICAL_LIDAR[:3, 3].astype(np.float32)
    kinds = [
        typestore().types[f'sensor_msgs/msg/{name}'] for name in ('PointCloud2', 'PointField')
    ]
    header = header_message(TYPES, frame.stamp_ns, 'lidar')
    content = encode_pointmap(points, frame.rgb, *kinds, header)
    return Message('/lidar/points', 'sensor_msgs/msg/PointCloud2', frame.stamp_ns, content)


@pytest.fixture(scope='module')
def both(boxes_world):
    """The messages of both sensors; the depth camera is away for 1.6 s."""
    shown = frames(boxes_world, len(EYES), (80, 60), EYES)
    dead = {shown[at].stamp_ns for at in DEAD}
    made = [
        item
        for item in messages(shown)
        if item.topic != '/camera/depth/image' or item.stamp_ns not in dead
    ]
    aside = StampedTransform(START_NS, 'optical', 'lidar', T_OPTICAL_LIDAR)
    static = transforms_message(TYPES, [aside])
    made.insert(0, Message('/tf_static', 'tf2_msgs/msg/TFMessage', START_NS, static))
    return made + [cloud(frame) for frame in shown], dead


def kinds(got):
    return [frame.sensor.kind for frame in got]


def test_points_stand_by_and_take_over_while_depth_is_away(both, read):
    made, dead = both
    got, notes = read(made)
    assert all(isinstance(frame, Frame) for frame in got)
    by = {frame.stamp_ns: frame.sensor.kind for frame in got}
    from_points = {stamp for stamp, kind in by.items() if kind == 'lidar'}
    # The first one after is looked at before it is trusted.
    assert len(from_points - dead) == 1 and len(from_points & dead) >= len(dead) - 10
    assert by[max(by)] == 'structured_light'
    said = [note for note in notes if 'range comes from' in note]
    assert len(said) == 2 and '/camera/depth/image is silent' in said[0]
    assert 'range comes from /camera/depth/image' in said[1]


def test_the_users_choice_stands(both, read):
    made, dead = both
    got, notes = read(made, {'depth': '/camera/depth/image'})
    assert set(kinds(got)) == {'structured_light'} and len(got) == len(EYES) - len(dead)
    assert not any('range comes from' in note for note in notes)


def test_all_sensors_are_fused_where_that_is_wanted(both, read):
    made, dead = both
    got, notes = read(made, range='fused')
    assert len(got) == len(EYES)
    alive = [frame for frame in got if frame.stamp_ns not in dead]
    assert all(frame.range_sigma_m is not None for frame in got)
    assert np.isfinite(alive[0].depth_m).mean() > 0.95
    assert [note for note in notes if 'fused' in note] == [
        '/camera/depth/image is silent: ranges are fused without it',
        '/camera/depth/image is back: its ranges are fused again',
    ]


def test_the_doctor_says_where_range_comes_from(both, doctor):
    made, _ = both

    def said(**options):
        return [each.text for each in doctor(made, **options) if each.subject == 'range']

    assert said() == ['from /camera/depth/image; where it is silent or blind, from /lidar/points']
    assert said(range='fused') == ['fused from /camera/depth/image, /lidar/points']
