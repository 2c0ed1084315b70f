# SPDX-License-Identifier: Apache-2.0
"""The quality of service to replay a topic with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosDurability, QosReliability

from sam3d_ros.messages.topics import TF, TF_STATIC

DEPTH = 10
STATIC_DEPTH = 100
CHOICES = {
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}


def recorded_profile(
    topic: str, kind: str, offered: Sequence[Any], reliability: str
) -> QoSProfile:
    """Return the profile to publish a recorded topic with.

    :param topic: its name.
    :param kind: its type, in ROS 2's spelling.
    :param offered: rosbags' profiles of those who published it; ROS 1 has none.
    :param reliability: ``recorded``, ``reliable`` or ``best_effort``; TF stays as it must be.
    """
    is_tf = kind == TF.type
    is_static = (is_tf and topic.endswith(TF_STATIC.name)) or any(
        profile.durability == QosDurability.TRANSIENT_LOCAL for profile in offered
    )
    best_effort = any(profile.reliability == QosReliability.BEST_EFFORT for profile in offered)
    recorded = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
    return QoSProfile(
        depth=STATIC_DEPTH if is_static else DEPTH,
        reliability=recorded if is_tf else CHOICES.get(reliability, recorded),
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if is_static else DurabilityPolicy.VOLATILE),
    )
