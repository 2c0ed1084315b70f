# SPDX-License-Identifier: Apache-2.0
"""Subscriptions as filters: the part of message_filters that the inputs use, upstream's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node


class SimpleFilter:
    """Passes messages on to callbacks."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Have ``cb(*message, *args)`` called with every output; return its number."""
        conn = len(self.callbacks)
        self.callbacks[conn] = (cb, args)
        return conn

    def signalMessage(self, *msg: Any) -> None:
        """Call every callback with one output."""
        for cb, args in self.callbacks.values():
            cb(*(msg + args))


class Subscriber(SimpleFilter):
    """A subscription as a filter: ``Subscriber(node, msg_type, topic, qos_profile=10, ...)``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.node: Node = args[0]
        self.topic: str = args[2]
        kwargs.setdefault('qos_profile', 10)
        self.sub = self.node.create_subscription(*args[1:], self.callback, **kwargs)

    def callback(self, msg: Any) -> None:
        """Pass one message on."""
        self.signalMessage(msg)
