# SPDX-License-Identifier: Apache-2.0
"""A live cloud topic of Livox's own type is listened to by that type, where it is installed."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from sam3d_ros.messages.sensors import livox
from sam3d_ros.messages.sensors.clouds import decode_cloud
from sam3d_ros.nodes.pointmap import inputs

KIND = 'livox_ros_driver2/msg/CustomMsg'


class CustomMsg:
    """Stands in for the generated class."""


class Node:
    """Knows one publisher, of Livox's type."""

    def get_publishers_info_by_topic(self, topic):
        quality = SimpleNamespace(reliability=ReliabilityPolicy.RELIABLE)
        return [SimpleNamespace(topic_type=KIND, qos_profile=quality)]

    def destroy_subscription(self, subscription):
        pass


@pytest.fixture
def listening(monkeypatch, handed_on):
    monkeypatch.setattr(inputs.message_filters, 'Subscriber', handed_on)
    monkeypatch.setattr(inputs, 'import_message', lambda name: CustomMsg)

    def start(is_installed):
        monkeypatch.setattr(livox, 'has_type', lambda name: is_installed)
        return inputs._Source(Node(), PointCloud2, '/livox/lidar')

    return start


def test_its_messages_come_as_clouds(listening):
    source = listening(True)
    assert source._subscriber.kind is CustomMsg and not source.problem
    got = []
    source.registerCallback(got.append)
    points = [
        SimpleNamespace(x=1.0, y=2.0, z=float(k), offset_time=k, reflectivity=9, tag=16, line=k)
        for k in range(3)
    ]
    message = SimpleNamespace(header=Header(frame_id='livox_frame'), points=points)
    source._subscriber.callback(message)
    (cloud,) = got
    assert isinstance(cloud, PointCloud2) and cloud.header.frame_id == 'livox_frame'
    assert decode_cloud(cloud).points_m.tolist() == [[1.0, 2.0, float(k)] for k in range(3)]


def test_without_its_package_it_is_said_what_to_do(listening):
    source = listening(False)
    assert source._subscriber.kind is PointCloud2
    assert 'xfer_format' in source.problem and '/livox/lidar' in source.problem


def test_a_folder_of_the_driver_s_sources_is_no_installation(tmp_path, monkeypatch):
    (tmp_path / 'livox_interfaces' / 'msg').mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    assert not livox.has_type('livox_interfaces/msg/CustomMsg')
