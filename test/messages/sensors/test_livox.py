# SPDX-License-Identifier: Apache-2.0
"""Livox's own clouds: by the definition in a file, of ROS 1 and 2, as clouds with times."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sam3d_ros.bags.channels import CDR, ROS1, Channel
from sam3d_ros.bags.definitions import Definitions, todays_type
from sam3d_ros.messages.sensors import livox
from sam3d_ros.messages.sensors.clouds import decode_cloud
from sam3d_ros.messages.typestore import DEFINITIONS
from sam3d_ros.pointmaps.decoding import Decoder

STAMP_NS = 1_700_000_000_500_000_000
FOLDER = DEFINITIONS / 'livox_ros_driver2' / 'msg'
TAGS = (0x00, 0x10, 0x20, 0x30, 0x03)
"""Two points of these are noise, says the sensor."""
KEPT = [0, 1, 4]


def recorded(package, version):
    """Return a channel as a file has it, and the bytes of one message."""
    store = get_typestore(Stores.ROS1_NOETIC if version == ROS1 else Stores.ROS2_JAZZY)
    name = f'{package}/msg/CustomMsg'
    text = (FOLDER / 'CustomMsg.msg').read_text()
    point = (FOLDER / 'CustomPoint.msg').read_text()
    types = get_types_from_msg(point, f'{package}/msg/CustomPoint')
    types |= get_types_from_msg(text, name)
    store.register(types)
    kinds = store.types
    points = [
        kinds[f'{package}/msg/CustomPoint'](2_000_000 * at, 1.0 + at, 2.0, -0.5, 40, tag, at)
        for at, tag in enumerate(TAGS)
    ]
    stamp = kinds['builtin_interfaces/msg/Time'](*divmod(STAMP_NS, 10**9))
    sequence = {'seq': 0} if version == ROS1 else {}
    message = kinds[name](
        header=kinds['std_msgs/msg/Header'](stamp=stamp, frame_id='livox_frame', **sequence),
        timebase=STAMP_NS,
        point_num=len(points),
        lidar_id=1,
        rsvd=np.zeros(3, np.uint8),
        points=points,
    )
    definition, digest = store.generate_msgdef(name)
    if version == ROS1:
        data = bytes(store.serialize_ros1(message, name))
        return Channel('/livox/lidar', name, ROS1, 'ros1msg', definition, digest), data
    data = bytes(store.serialize_cdr(message, name))
    return Channel('/livox/lidar', name, CDR, 'ros2msg', definition), data


@pytest.mark.parametrize(
    ('package', 'version'),
    [('livox_ros_driver2', CDR), ('livox_interfaces', CDR), ('livox_ros_driver', ROS1)],
)
def test_a_recorded_sweep_is_a_cloud_with_times(package, version):
    channel, data = recorded(package, version)
    assert todays_type(channel.type) == 'sensor_msgs/msg/PointCloud2'
    message = Definitions().decode(channel, data)
    assert np.allclose(decode_cloud(message).points_m, [[1.0 + at, 2.0, -0.5] for at in KEPT])
    cloud = Decoder().cloud(message, '/livox/lidar')
    assert cloud.stamp_ns == STAMP_NS and cloud.frame_id == 'livox_frame'
    assert np.allclose(cloud.times_s, [0.002 * at for at in KEPT])


def test_a_file_without_definitions_is_read_by_ours():
    channel, data = recorded('livox_ros_driver2', CDR)
    bare = Channel(channel.topic, channel.type, CDR)
    assert Definitions().problem(bare) == ''
    assert Definitions().decode(bare, data).width == len(KEPT)


def test_a_live_topic_whose_package_is_missing_is_named():
    assert not livox.has_type('livox_nowhere/msg/CustomMsg')
    said = livox.without_type('/livox/lidar', 'livox_ros_driver2/msg/CustomMsg')
    assert '/livox/lidar' in said and 'xfer_format' in said
