# SPDX-License-Identifier: Apache-2.0
"""Synchronise messages by stamp: the subset of message_filters that RGB-D nodes use.

Names, signatures and results are upstream's; two of its traps are not: a callback that raises
leaves no lock behind, and a queue whose stamps go back is emptied instead of refusing everything
new for ever.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time

# Nanoseconds; a message that is older than the newest of its queue by more than this, or by
# more than the slop, belongs to an earlier run of a looped recording.
_JUMP_BACK_NS = 1_000_000_000


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

    def getTopic(self) -> str:
        """Return the topic as it was given."""
        return self.topic

    def __getattr__(self, key: str) -> Any:
        if key == 'sub':
            raise AttributeError(key)
        return getattr(self.sub, key)


class TimeSynchronizer(SimpleFilter):
    """Calls back with one message of each input when all have the same stamp.

    :param fs: the input filters.
    :param queue_size: messages kept of each while the others are on their way.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.connectInput(fs)
        self.queue_size = queue_size
        self.lock = threading.Lock()

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Take other inputs."""
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self.input_connections = [
            f.registerCallback(self.add, queue, index)
            for index, (f, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int | None = None) -> None:
        """Take a message of one input."""
        stamp_ns = Time.from_msg(msg.header.stamp).nanoseconds
        with self.lock:
            self._put(my_queue, stamp_ns, msg, _JUMP_BACK_NS)
            if any(stamp_ns not in queue for queue in self.queues):
                return
            # Each arrival can complete its own stamp only.
            matched = [queue.pop(stamp_ns) for queue in self.queues]
        self.signalMessage(*matched)

    def _put(self, queue: dict[int, Any], stamp_ns: int, msg: Any, jump_ns: int) -> None:
        if queue and stamp_ns < max(queue) - jump_ns:
            for each in self.queues:
                each.clear()
        queue[stamp_ns] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Calls back with one message of each input when their stamps differ by less than ``slop``.

    :param slop: seconds.
    :param allow_headerless: give messages without a header the ROS time of their arrival.
    """

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int | None = None) -> None:
        """Take a message of one input."""
        stamp_ns = self._stamp(msg)
        if stamp_ns is None:
            return
        with self.lock:
            self._put(my_queue, stamp_ns, msg, max(_JUMP_BACK_NS, self.slop.nanoseconds))
            stamps = next(self._matches(stamp_ns, my_queue), None)
            if stamps is None:
                return
            matched = [queue.pop(at) for queue, at in zip(self.queues, stamps, strict=True)]
        self.signalMessage(*matched)

    def _matches(self, stamp_ns: int, my_queue: dict[int, Any]) -> Iterator[tuple[int, ...]]:
        """Yield sets of stamps within the slop, those nearest to ``stamp_ns`` first."""
        slop_ns = self.slop.nanoseconds
        choices = []
        for queue in self.queues:
            # The new message is gone already when its full queue holds only later ones.
            reach_ns = 0 if queue is my_queue else slop_ns
            near = [s for s in queue if abs(s - stamp_ns) <= reach_ns]
            choices.append(sorted(near, key=lambda s: abs(s - stamp_ns)))
        for stamps in itertools.product(*choices):
            if max(stamps) - min(stamps) < slop_ns:
                yield stamps

    def _stamp(self, msg: Any) -> int | None:
        if hasattr(msg, 'header') and hasattr(msg.header, 'stamp'):
            return int(Time.from_msg(msg.header.stamp).nanoseconds)
        if self.allow_headerless:
            return int(ROSClock().now().nanoseconds)
        get_logger('message_filters').warning(
            f'{type(msg).__name__} without a header cannot be synchronised; '
            'allow_headerless gives it the time of its arrival'
        )
        return None
