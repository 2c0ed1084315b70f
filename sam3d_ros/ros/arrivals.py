# SPDX-License-Identifier: Apache-2.0
"""When messages arrive on the wire: by their stamps and the steady clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from rclpy.context import Context
from rclpy.node import Node

from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.ros.qos import profile
from sam3d_ros.ros.spinning import own_spun_node

Reader = Callable[[bytes], int | None]
"""Returns the stamp (ns) of a CDR message, or None when the message does not matter."""


class Arrivals(Node):
    """Notes when each stamp first arrived on each topic.

    :param readers: topics with absolute names, and how to read their stamps.
    :param context: of rclpy; None = the default one.
    """

    def __init__(self, readers: Mapping[Topic, Reader], context: Context | None = None) -> None:
        super().__init__('arrivals', context=context)
        self._lock = threading.Lock()
        self._times_s: dict[str, dict[int, float]] = {topic.name: {} for topic in readers}
        for topic, reader in readers.items():
            self.create_subscription(
                import_message(topic.type),
                topic.name,
                partial(self._note, self._times_s[topic.name], reader),
                profile(topic.quality),
                raw=True,
            )

    def times_s(self, name: str) -> dict[int, float]:
        """Return the ``time.monotonic()`` at which each stamp (ns) arrived on a topic."""
        with self._lock:
            return dict(self._times_s[name])

    def forget(self) -> None:
        """Note arrivals anew, of stamps that came before too."""
        with self._lock:
            for times_s in self._times_s.values():
                times_s.clear()

    def _note(self, times_s: dict[int, float], reader: Reader, data: bytes) -> None:
        now_s = time.monotonic()
        stamp_ns = reader(data)
        if stamp_ns is not None:
            with self._lock:
                times_s.setdefault(stamp_ns, now_s)


@contextmanager
def listening(readers: Mapping[Topic, Reader]) -> Iterator[Arrivals]:
    """Listen in a thread and a ROS context of its own for as long as the context lasts."""
    with own_spun_node(partial(Arrivals, readers)) as node:
        yield node
