# SPDX-License-Identifier: Apache-2.0
"""Frames come out of a recording as they went in, each one or a sentence in its place."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_recordings import (
    START_NS,
    STEP_NS,
    Message,
    frames,
    messages,
    write,
    write_ros1,
    write_sqlite,
)

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import Overrides, select
from sam3d_ros.core.errors import RecordingError, TransformError
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pipeline.frames import BadFrame, FrameReader
from sam3d_ros.pointmaps.config import PointmapConfig

DEPTH = '/camera/depth/image'
RGB = '/camera/color/image'


@pytest.fixture(scope='module')
def recorded(boxes_world):
    """Four frames of the boxes."""
    return frames(boxes_world)


def read(path, config=None, slop_s=0.05, **overrides):
    """Return everything that a reader yields, and the reader."""
    with Recording(path) as recording:
        selection = select(recording, Overrides(**overrides))
        reader = FrameReader(recording, selection, config or PointmapConfig(), slop_s)
        return list(reader), reader


def assert_same(got, expected, depth_m=0.0006):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert isinstance(one, Frame), one
        assert one.stamp_ns == other.stamp_ns
        assert (one.frame_id, one.fixed_frame) == ('optical', 'world')
        assert np.array_equal(one.rgb, other.rgb)
        assert np.allclose(one.T_fixed_cam, other.T_fixed_cam, atol=1e-9)
        assert np.array_equal(np.isnan(one.depth_m), np.isnan(other.depth_m))
        assert np.nanmax(np.abs(one.pointmap - other.pointmap)) < depth_m
        assert np.allclose(one.up_cam, other.up_cam)
        assert np.allclose(one.camera.K, other.camera.K)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
@pytest.mark.parametrize('writer', [write, write_sqlite, write_ros1])
def test_frames_survive(tmp_path, recorded, encoding, writer):
    path = writer(tmp_path / 'r.bag', messages(recorded, encoding))
    got, reader = read(path)
    assert_same(got, recorded)
    assert len(reader) == 4 and reader.fixed_frame == 'world'
    assert len(reader.scan.transforms) == 5


def test_compressed_colour(tmp_path, recorded):
    got, _ = read(write(tmp_path / 'r', messages(recorded, compressed=True)))
    assert_same(got, recorded)


def test_stamp_order_whatever_the_order_of_the_file(tmp_path, recorded):
    made = messages(recorded)
    received = [replace(item, stamp_ns=START_NS + at) for at, item in enumerate(made[::-1])]
    got, _ = read(write(tmp_path / 'r', received))
    assert_same(got, recorded)


def test_depth_a_little_later_is_moved_by_tf(tmp_path, recorded):
    got, reader = read(write(tmp_path / 'r', messages(recorded, lag_ns=5_000_000)))
    assert [frame.stamp_ns for frame in got] == [frame.stamp_ns for frame in recorded]
    assert reader.pairing.alone_first == reader.pairing.alone_second == 0


def test_what_has_no_partner_is_counted(tmp_path, recorded):
    made = [
        item
        for item in messages(recorded)
        if not (item.topic == DEPTH and item.stamp_ns == START_NS + STEP_NS)
    ]
    got, reader = read(write(tmp_path / 'r', made))
    assert_same(got, [recorded[0], *recorded[2:]])
    assert (reader.pairing.alone_first, reader.pairing.alone_second) == (1, 0)


def damaged(made, topic, place, **changes):
    """Return messages with the fields of one of them changed."""
    at = [number for number, item in enumerate(made) if item.topic == topic][place]
    content = replace(made[at].content, **changes)
    return [*made[:at], replace(made[at], content=content), *made[at + 1 :]]


@pytest.mark.parametrize(
    ('topic', 'changes', 'reason'),
    [
        (DEPTH, {'data': np.zeros(100, np.uint8)}, '100 bytes in a 160x120'),
        (DEPTH, {'step': 7}, 'step 7'),
        (RGB, {'encoding': 'nonsense'}, 'nonsense'),
    ],
)
def test_a_bad_message_is_a_sentence_and_the_rest_goes_on(
    tmp_path, recorded, topic, changes, reason
):
    made = damaged(messages(recorded), topic, 2, **changes)
    got, _ = read(write(tmp_path / 'r', made))
    assert isinstance(got[2], BadFrame)
    assert reason in got[2].reason and topic in got[2].reason
    assert got[2].stamp_ns == recorded[2].stamp_ns
    assert_same([got[0], got[1], got[3]], [recorded[0], recorded[1], recorded[3]])


def test_a_frame_outside_of_tf(tmp_path, recorded):
    made = [
        item
        for item in messages(recorded)
        if not (item.topic == '/tf' and item.stamp_ns == START_NS)
    ]
    got, _ = read(write(tmp_path / 'r', made))
    assert isinstance(got[0], BadFrame) and 'before its oldest data' in got[0].reason
    assert_same(got[1:], recorded[1:])


@pytest.mark.parametrize('odometry', ['auto', 'off'])
def test_without_tf_odometry_follows_unless_it_is_off(tmp_path, boxes_world, odometry):
    eyes = [(0.5, 0.03 * at - 0.6, 0.6) for at in range(3)]
    recorded = frames(boxes_world, 3, (320, 240), eyes)
    made = [item for item in messages(recorded) if not item.topic.startswith('/tf')]
    got, reader = read(write(tmp_path / 'r', made), PointmapConfig(odometry=odometry))
    assert reader.fixed_frame == 'optical' and reader.is_followed == (odometry == 'auto')
    assert all(isinstance(item, Frame) and item.up_cam is None for item in got), got
    if odometry == 'off':
        assert got[0].fixed_frame == 'optical' and np.array_equal(got[0].T_fixed_cam, np.eye(4))
        return
    assert [frame.fixed_frame for frame in got] == ['odom'] * len(recorded)
    for one, other in zip(got, recorded, strict=True):
        true = inverse(recorded[0].T_fixed_cam) @ other.T_fixed_cam
        found = inverse(got[0].T_fixed_cam) @ one.T_fixed_cam
        assert np.linalg.norm(found[:3, 3] - true[:3, 3]) < 0.01


def test_a_configured_fixed_frame(tmp_path, recorded):
    path = write(tmp_path / 'r', messages(recorded))
    got, _ = read(path, PointmapConfig(fixed_frame='base'))
    assert got[0].fixed_frame == 'base'
    assert np.allclose(got[0].T_fixed_cam[:3, 3], recorded[0].T_fixed_cam[:3, 3] - [0, 0, 0.5])
    with pytest.raises(TransformError, match='nowhere'):
        read(path, PointmapConfig(fixed_frame='nowhere'))


def test_points_of_a_lidar_make_frames(tmp_path, recorded):
    classes = typestore().types
    made = [item for item in messages(recorded) if not item.topic.startswith('/camera/depth')]
    for frame in recorded:
        cloud = encode_pointmap(
            frame.pointmap,
            frame.rgb,
            classes['sensor_msgs/msg/PointCloud2'],
            classes['sensor_msgs/msg/PointField'],
            header_message(StoreTypes(), frame.stamp_ns, 'lidar'),
        )
        made.append(Message('/lidar', 'sensor_msgs/msg/PointCloud2', frame.stamp_ns, cloud))
    aside = StampedTransform(START_NS, 'optical', 'lidar', np.eye(4))
    static = transforms_message(StoreTypes(), [aside])
    made.append(Message('/tf_static', 'tf2_msgs/msg/TFMessage', START_NS, static))
    got, reader = read(write(tmp_path / 'r', made))
    assert reader.selection.points.topic == '/lidar'
    assert [frame.stamp_ns for frame in got] == [frame.stamp_ns for frame in recorded]
    for one, other in zip(got, recorded, strict=True):
        both = np.isfinite(one.depth_m) & np.isfinite(other.depth_m)
        assert both.mean() > 0.4
        assert np.median(np.abs(one.depth_m - other.depth_m)[both]) < 1e-3


def test_streams_that_never_meet(tmp_path, recorded):
    path = write(tmp_path / 'r', messages(recorded, lag_ns=30_000_000))
    with pytest.raises(RecordingError, match=r'no two are within 0.01 s.*--slop'):
        read(path, slop_s=0.01)


def test_a_camera_that_is_not_calibrated(tmp_path, recorded):
    made = messages(recorded)
    for place in range(4):
        made = damaged(made, '/camera/color/camera_info', place, k=np.zeros(9), p=np.zeros(12))
    got, _ = read(write(tmp_path / 'r', made))
    assert all(isinstance(item, BadFrame) and 'K[0]' in item.reason for item in got)


def test_a_transform_that_is_none(tmp_path, recorded):
    made = messages(recorded)
    at = [number for number, item in enumerate(made) if item.topic == '/tf'][1]
    rotation = made[at].content.transforms[0].transform.rotation
    rotation.x = rotation.y = rotation.z = rotation.w = 0.0
    got, reader = read(write(tmp_path / 'r', made))
    assert len(reader.scan.refused) == 1 and '/tf' in reader.scan.refused[0]
    assert all(isinstance(item, Frame) for item in got), 'interpolated between its neighbours'


def test_the_shelf(shared_data):
    got, reader = read(shared_data / 'recordings' / 'shelf')
    assert len(got) == len(reader) == 25
    assert all(isinstance(item, Frame) for item in got)
    assert reader.fixed_frame == 'map'
    assert np.isfinite(got[0].depth_m).mean() > 0.3


def test_every_reading_measures_the_camera_anew(tmp_path, recorded):
    write(tmp_path / 'twice', messages(recorded))
    with Recording(tmp_path / 'twice') as recording:
        reader = FrameReader(recording, select(recording, Overrides()), PointmapConfig())
        once, again = ([frame.sensor for frame in reader] for _ in range(2))
    assert once == again
