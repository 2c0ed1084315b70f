# SPDX-License-Identifier: Apache-2.0
import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from sam3d_ros.bags.writer import offered_qos
from sam3d_ros.messages.topics import Quality
from sam3d_ros.nodes.replay.recorded_qos import recorded_profile

IMAGE, TRANSFORMS = 'sensor_msgs/msg/Image', 'tf2_msgs/msg/TFMessage'


@pytest.mark.parametrize(
    ('quality', 'wish', 'expected'),
    [
        (Quality.SENSOR_DATA, 'recorded', ReliabilityPolicy.BEST_EFFORT),
        (Quality.SENSOR_DATA, 'reliable', ReliabilityPolicy.RELIABLE),
        (Quality.RELIABLE, 'recorded', ReliabilityPolicy.RELIABLE),
        (Quality.RELIABLE, 'best_effort', ReliabilityPolicy.BEST_EFFORT),
    ],
)
def test_images_are_as_reliable_as_recorded_or_as_wished(quality, wish, expected) -> None:
    chosen = recorded_profile('/camera/image', IMAGE, [offered_qos(quality)], wish)
    assert chosen.reliability == expected
    assert chosen.durability == DurabilityPolicy.VOLATILE


def test_tf_stays_reliable_and_static_tf_latched() -> None:
    tf = recorded_profile('/tf', TRANSFORMS, [offered_qos(Quality.TF)], 'best_effort')
    assert tf.reliability == ReliabilityPolicy.RELIABLE
    offered = [offered_qos(Quality.TF_STATIC)]
    static = recorded_profile('/robot/tf_static', TRANSFORMS, offered, 'best_effort')
    assert static.reliability == ReliabilityPolicy.RELIABLE
    assert static.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_an_image_is_no_tf_whatever_it_is_called() -> None:
    chosen = recorded_profile('/tf_camera/image', IMAGE, [], 'best_effort')
    assert chosen.reliability == ReliabilityPolicy.BEST_EFFORT


def test_ros_1_bags_carry_no_profile_and_are_played_reliably() -> None:
    chosen = recorded_profile('/camera/image', IMAGE, [], 'recorded')
    assert chosen.reliability == ReliabilityPolicy.RELIABLE
    latched = recorded_profile('/tf_static', TRANSFORMS, [], 'recorded')
    assert latched.durability == DurabilityPolicy.TRANSIENT_LOCAL
