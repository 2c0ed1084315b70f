# SPDX-License-Identifier: Apache-2.0
"""Which stream of range live messages are taken from, without DDS."""

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.pointmap import inputs
from sam3d_ros.nodes.pointmap.live_clocks import LiveClocks
from sam3d_ros.pointmaps.config import PointmapConfig

RGB, DEPTH, POINTS = '/rgb/image_rect_color', '/depth_registered/image_rect', '/points'


class Node:
    """Knows no publisher."""

    def get_publishers_info_by_topic(self, topic):
        return []

    def count_publishers(self, topic):
        return 0

    def resolve_topic_name(self, name):
        return f'/{name.lstrip("/")}'

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=0))

    def get_logger(self):
        return SimpleNamespace(warning=print, error=print)


def test_when_stamps_go_back_streams_of_before_are_not_waited_for(monkeypatch, handed_on):
    """A recording is played again, this time without its depth."""
    monkeypatch.setattr(inputs.message_filters, 'Subscriber', handed_on)
    node, config, resets = Node(), InputConfig(), []
    clocks = LiveClocks(PointmapConfig(stamps='header'), 0.05, (RGB, DEPTH, POINTS), print)
    got = []
    listening = inputs.SensorInputs(node, config, clocks, got.append, lambda: resets.append(1))
    sources = {source.topic: source for source in listening.sources}

    def come(at_ds, *topics):
        stamp = Time(sec=at_ds // 10, nanosec=at_ds % 10 * 100_000_000)
        kinds = {RGB: Image, DEPTH: Image, POINTS: PointCloud2}
        for topic in topics:
            message = kinds[topic](header=Header(stamp=stamp, frame_id='optical'))
            sources[topic]._subscriber.callback(message)

    sources['/rgb/camera_info']._subscriber.callback(CameraInfo())
    for at_ds in range(100, 120):
        come(at_ds, RGB, DEPTH, POINTS)
    assert {each.topic for data in got if not data.is_look for each in data.ranges} == {DEPTH}
    got.clear()
    for at_ds in range(20):
        come(at_ds, RGB, POINTS)
    assert resets and len(got) == 20
    assert all(data.ranges[0].topic == POINTS and not data.is_look for data in got)
