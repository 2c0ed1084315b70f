# SPDX-License-Identifier: Apache-2.0
"""TF under a namespace: listened to beside /tf, and taken where /tf does not name the camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from sam3d_ros.core.errors import TransformError
from sam3d_ros.messages.headers import frame_name
from sam3d_ros.messages.topics import TF, TF_STATIC, Quality
from sam3d_ros.messages.transforms import choose_namespaces, namespace_of
from sam3d_ros.messages.types import import_message
from sam3d_ros.ros.qos import profile

Take = Callable[[Any, bool], None]
"""Takes a TransformStamped and whether it is static."""

# Transforms kept of each namespace until one is chosen.
_KEPT = 10_000


class TfElsewhere:
    """TF of other namespaces than the root's.

    :param node: listens.
    :param take: called with each transform of the chosen namespace.
    :param wanted: the namespace that the user named; empty = the only one there is.
    """

    def __init__(self, node: Node, take: Take, wanted: str = '') -> None:
        self._node = node
        self._take = take
        self._wanted = wanted.strip('/') and f'/{wanted.strip("/")}'
        self._subscriptions: dict[str, Subscription] = {}
        self._kept: dict[str, list[tuple[Any, bool]]] = {}
        self._chosen: str | None = None
        self.complaint = ''
        if self._wanted:
            self._listen(f'{self._wanted}{TF.name}')
            self._listen(f'{self._wanted}{TF_STATIC.name}')
            self._chosen = self._wanted

    @property
    def namespace(self) -> str:
        """The namespace that TF is taken from beside the root's; empty = none so far."""
        return self._chosen or ''

    def search(self, camera: str) -> str:
        """Look for TF that names the camera; call it while /tf does not.

        :param camera: the frame of the colour images.
        :return: what is to be said when a namespace was chosen now, else nothing.
        """
        if self._chosen is not None:
            return ''
        for name, types in self._node.get_topic_names_and_types():
            if TF.type in types and namespace_of(name) and name not in self._subscriptions:
                self._listen(name)
        edges = {
            namespace: {
                (frame_name(item.header.frame_id), frame_name(item.child_frame_id))
                for item, _ in kept
            }
            for namespace, kept in self._kept.items()
            if kept
        }
        try:
            chosen, note = choose_namespaces(edges, camera)
        except TransformError as error:
            self.complaint = str(error)
            return ''
        if not chosen:
            return ''
        self._chosen, self.complaint = chosen[0], ''
        for item, is_static in self._kept.pop(self._chosen):
            self._take(item, is_static)
        return note

    def close(self) -> None:
        """Stop listening."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.popitem()[1])

    def _listen(self, topic: str) -> None:
        is_static = topic.endswith(TF_STATIC.name)
        quality = Quality.TF_STATIC if is_static else Quality.TF
        self._kept.setdefault(namespace_of(topic) or '', [])
        self._subscriptions[topic] = self._node.create_subscription(
            import_message(TF.type), topic, partial(self._hear, topic, is_static), profile(quality)
        )

    def _hear(self, topic: str, is_static: bool, message: Any) -> None:
        namespace = namespace_of(topic) or ''
        for item in message.transforms:
            if namespace == self._chosen:
                self._take(item, is_static)
            elif self._chosen is None and len(self._kept[namespace]) < _KEPT:
                self._kept[namespace].append((item, is_static))
