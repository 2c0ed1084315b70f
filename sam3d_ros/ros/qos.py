# SPDX-License-Identifier: Apache-2.0
"""Quality-of-service profiles by name, and a choice that fits what the publishers offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

from sam3d_ros.messages.topics import Quality

_BEST_EFFORT, _RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
_VOLATILE, _LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
_PROFILES = {
    Quality.SENSOR_DATA: (_BEST_EFFORT, _VOLATILE, 5),
    Quality.RELIABLE: (_RELIABLE, _VOLATILE, 10),
    Quality.LATCHED: (_RELIABLE, _LATCHED, 1),
    Quality.TF: (_RELIABLE, _VOLATILE, 100),
    Quality.TF_STATIC: (_RELIABLE, _LATCHED, 100),
}


def profile(quality: Quality) -> QoSProfile:
    """Return the profile of a quality; a new one each time, since rclpy's can be changed."""
    reliability, durability, depth = _PROFILES[quality]
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


def sensor_profile(publishers: Iterable[Any]) -> QoSProfile:
    """Return the profile to listen to sensors with: reliable only when every publisher is.

    A reliable subscription never hears a best-effort publisher, and a best-effort one loses
    large images that arrive in many datagrams; so neither is right for all.

    :param publishers: what ``node.get_publishers_info_by_topic(topic)`` returns.
    """
    offered = [info.qos_profile.reliability for info in publishers]
    chosen = profile(Quality.SENSOR_DATA)
    if offered and all(reliability == _RELIABLE for reliability in offered):
        chosen.reliability = _RELIABLE
    return chosen
