# SPDX-License-Identifier: Apache-2.0
"""TF from and to the graph: listener and broadcasters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage


class TransformListener:
    """Feeds a buffer from /tf and /tf_static, in a callback group of its own.

    ``spin_thread`` is accepted and must be False: a second executor for a node is a trap.
    """

    def __init__(
        self,
        buffer: Any,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
        tf_topic: str = '/tf',
        tf_static_topic: str = '/tf_static',
    ) -> None:
        if spin_thread:
            raise ValueError('spin_thread=True is not offered: spin the node in an executor')
        self.buffer = buffer
        self.node = node
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage, tf_topic, self.callback, qos or _tf_qos(), callback_group=self.group
        )
        self.tf_static_sub = node.create_subscription(
            TFMessage,
            tf_static_topic,
            self.static_callback,
            static_qos or _tf_qos(is_static=True),
            callback_group=self.group,
        )

    def unregister(self) -> None:
        """Stop listening."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Take transforms that move."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, 'default_authority')

    def static_callback(self, data: TFMessage) -> None:
        """Take transforms that do not move."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, 'default_authority')


class TransformBroadcaster:
    """Publishes transforms on /tf."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, '/tf', qos or _tf_qos())

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several."""
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Publishes transforms on /tf_static, all that were ever sent with every change."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        latched = QoSProfile(
            depth=1,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
            history=HistoryPolicy.KEEP_LAST,
        )
        self.pub_tf = node.create_publisher(TFMessage, '/tf_static', qos or latched)
        self.net_transforms: dict[str, TransformStamped] = {}

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several; those of the same child frame are replaced."""
        self.net_transforms |= {item.child_frame_id: item for item in _as_list(transform)}
        self.pub_tf.publish(TFMessage(transforms=list(self.net_transforms.values())))


def _tf_qos(*, is_static: bool = False) -> QoSProfile:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if is_static else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=100, durability=durability, history=HistoryPolicy.KEEP_LAST)


def _as_list(transform: Any) -> list[TransformStamped]:
    return list(transform) if isinstance(transform, Iterable) else [transform]
