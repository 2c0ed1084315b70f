# SPDX-License-Identifier: Apache-2.0
"""Subscriptions to sensors: fit to what the publishers offer, and counted."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from sam3d_ros.ros.qos import sensor_profile


class SensorInput:
    """One topic of a sensor.

    Listens best-effort until every publisher is known to be reliable, then reliably: both kinds
    are heard, and large reliable images are not lost. Call :meth:`tick` about once a second.

    :param name: topic as the node names it; remapping applies.
    :param kind: message class; None = Image, or CompressedImage for image_transport's topics.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        kind: type | None,
        callback: Callable[[Any], None],
        group: CallbackGroup | None = None,
    ) -> None:
        self._node = node
        self._name = name
        self.topic = node.resolve_topic_name(name)
        self._kind = kind or image_class(self.topic)
        self._callback = callback
        self._group = group
        self._since = perf_counter()
        self._counted = 0
        self.received = 0
        self.rate_hz = 0.0
        self.mismatch = ''
        self._subscribe()

    @property
    def publishers(self) -> int:
        """How many publishers the topic has."""
        return self._node.count_publishers(self.topic)

    def tick(self) -> None:
        """Measure the rate since the last call, and follow what the publishers offer."""
        now = perf_counter()
        self.rate_hz = (self.received - self._counted) / max(now - self._since, 1e-3)
        self._since, self._counted = now, self.received
        wanted = sensor_profile(self._node.get_publishers_info_by_topic(self.topic))
        if self.publishers and wanted.reliability != self._profile.reliability:
            self.close()
            self._subscribe()

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> None:
        self._profile = sensor_profile(self._node.get_publishers_info_by_topic(self.topic))
        self.mismatch = ''
        self._subscription = self._node.create_subscription(
            self._kind,
            self._name,
            self._received,
            self._profile,
            callback_group=self._group,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._incompatible),
        )

    def _received(self, message: Any) -> None:
        self.received += 1
        self._callback(message)

    def _incompatible(self, event: Any) -> None:
        self.mismatch = (
            f'{self.topic}: a publisher offers another quality of service '
            f'(policy {event.last_policy_kind})'
        )
        self._node.get_logger().warning(self.mismatch)


def image_class(topic: str) -> type:
    """Return CompressedImage for the topics of image_transport's plugins, else Image."""
    return CompressedImage if topic.endswith(('/compressed', '/compressedDepth')) else Image
