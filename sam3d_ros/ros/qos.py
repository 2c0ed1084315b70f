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

_RELIABILITY = (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE)
_DURABILITY = (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL)


def profile(quality: Quality) -> QoSProfile:
    """Return the profile of a quality; a new one each time, since rclpy's can be changed."""
    offer = quality.value
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=offer.depth,
        reliability=_RELIABILITY[offer.is_reliable],
        durability=_DURABILITY[offer.is_latched],
    )


def sensor_profile(publishers: Iterable[Any]) -> QoSProfile:
    """Return the profile to listen to sensors with: reliable only when every publisher is.

    A reliable subscription never hears a best-effort publisher, and a best-effort one loses
    large images that arrive in many datagrams; so neither is right for all.

    :param publishers: what ``node.get_publishers_info_by_topic(topic)`` returns.
    """
    offered = [info.qos_profile.reliability for info in publishers]
    chosen = profile(Quality.SENSOR_DATA)
    if offered and all(reliability == ReliabilityPolicy.RELIABLE for reliability in offered):
        chosen.reliability = ReliabilityPolicy.RELIABLE
    return chosen
