# SPDX-License-Identifier: Apache-2.0
"""Arrivals note when each stamp was first heard, and only those that matter."""

import time

import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from sam3d_ros.messages.topics import TF
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.ros.arrivals import Arrivals
from sam3d_ros.ros.qos import profile


def even_seconds(data):
    (item,) = typestore().deserialize_cdr(data, TF.type).transforms
    return None if item.header.stamp.sec % 2 else item.header.stamp.sec * 1_000_000_000


def message(second):
    item = TransformStamped()
    item.header.stamp.sec = second
    return TFMessage(transforms=[item])


def test_first_arrival_of_every_stamp_that_matters(graph):
    publisher = graph.node('camera').create_publisher(TFMessage, TF.name, profile(TF.quality))
    arrivals = Arrivals({TF: even_seconds}, graph.context)
    graph.executor.add_node(arrivals)
    graph.nodes.append(arrivals)
    begin_s = time.monotonic()

    def send():
        for second in (1, 2, 3, 4):
            publisher.publish(message(second))

    graph.spin_until(lambda: len(arrivals.times_s(TF.name)) == 2, each=send)
    times_s = arrivals.times_s(TF.name)
    assert sorted(times_s) == [2_000_000_000, 4_000_000_000]
    assert begin_s <= times_s[2_000_000_000] <= times_s[4_000_000_000] <= time.monotonic()

    send()
    graph.spin_until(lambda: True)
    graph.executor.spin_once(timeout_sec=0.1)
    assert arrivals.times_s(TF.name) == times_s
