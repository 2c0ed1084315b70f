# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from sam3d_ros.bags.writer import offered_qos
from sam3d_ros.messages.topics import Quality
from sam3d_ros.nodes.recorded_qos import recorded_profile


def connection(quality: Quality) -> SimpleNamespace:
    return SimpleNamespace(ext=SimpleNamespace(offered_qos_profiles=[offered_qos(quality)]))


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
    chosen = recorded_profile('/camera/image', [connection(quality)], wish)
    assert chosen.reliability == expected
    assert chosen.durability == DurabilityPolicy.VOLATILE


def test_tf_stays_reliable_and_static_tf_latched() -> None:
    tf = recorded_profile('/tf', [connection(Quality.TF)], 'best_effort')
    assert tf.reliability == ReliabilityPolicy.RELIABLE
    static = recorded_profile('/tf_static', [connection(Quality.TF_STATIC)], 'best_effort')
    assert static.reliability == ReliabilityPolicy.RELIABLE
    assert static.durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_ros_1_bags_carry_no_profile_and_are_played_reliably() -> None:
    ros1 = SimpleNamespace(ext=SimpleNamespace(latching=0))
    chosen = recorded_profile('/camera/image', [ros1], 'recorded')
    assert chosen.reliability == ReliabilityPolicy.RELIABLE
    latched = recorded_profile('/tf_static', [ros1], 'recorded')
    assert latched.durability == DurabilityPolicy.TRANSIENT_LOCAL
