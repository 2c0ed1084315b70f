# SPDX-License-Identifier: Apache-2.0
"""The listener of tf2_ros, with upstream's name and signature as far as the nodes use it."""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from sam3d_ros.messages.topics import TF, TF_STATIC
from sam3d_ros.ros.qos import profile


class TransformListener:
    """Feeds a buffer from /tf and /tf_static, in a callback group of its own.

    :param buffer: has ``set_transform`` and ``set_transform_static``.
    :param node: listens.
    """

    def __init__(self, buffer: Any, node: Node) -> None:
        self.buffer = buffer
        self.node = node
        group = ReentrantCallbackGroup()
        self.tf_sub, self.tf_static_sub = (
            node.create_subscription(
                TFMessage, topic.name, take, profile(topic.quality), callback_group=group
            )
            for topic, take in ((TF, self.callback), (TF_STATIC, self.static_callback))
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
