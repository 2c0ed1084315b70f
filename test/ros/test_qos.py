# SPDX-License-Identifier: Apache-2.0
"""Profiles by name, and the one that fits what publishers offer."""

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from std_msgs.msg import String

from sam3d_ros.messages.topics import Quality
from sam3d_ros.ros.qos import profile, sensor_profile

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


@pytest.mark.parametrize(
    ('quality', 'reliability', 'durability', 'depth'),
    [
        (Quality.SENSOR_DATA, BEST_EFFORT, DurabilityPolicy.VOLATILE, 5),
        (Quality.RELIABLE, RELIABLE, DurabilityPolicy.VOLATILE, 10),
        (Quality.LATCHED, RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1),
        (Quality.TF, RELIABLE, DurabilityPolicy.VOLATILE, 100),
        (Quality.TF_STATIC, RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 100),
    ],
)
def test_profiles(quality, reliability, durability, depth):
    made = profile(quality)
    assert (made.reliability, made.durability, made.depth) == (reliability, durability, depth)
    assert profile(quality) is not made


@pytest.mark.dds
@pytest.mark.parametrize(
    ('offered', 'chosen'),
    [
        ([], BEST_EFFORT),
        ([Quality.SENSOR_DATA], BEST_EFFORT),
        ([Quality.RELIABLE], RELIABLE),
        ([Quality.RELIABLE, Quality.SENSOR_DATA], BEST_EFFORT),
    ],
)
def test_sensors_are_heard_whatever_they_offer(graph, offered, chosen):
    node, heard = graph.node(), []
    publishers = [node.create_publisher(String, 'camera', profile(each)) for each in offered]
    graph.spin_until(lambda: node.count_publishers('camera') == len(offered))
    wanted = sensor_profile(node.get_publishers_info_by_topic('/camera'))
    assert wanted.reliability == chosen
    node.create_subscription(String, 'camera', lambda m: heard.append(m.data), wanted)

    def publish():
        for number, publisher in enumerate(publishers):
            publisher.publish(String(data=str(number)))

    everyone = {str(number) for number in range(len(offered))}
    graph.spin_until(lambda: set(heard) >= everyone, each=publish)
