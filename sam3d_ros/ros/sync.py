# SPDX-License-Identifier: Apache-2.0
"""Pairs of messages by stamp that go on after everything live systems do.

A callback that raises is logged: upstream's synchroniser would keep its lock for ever. Stamps that
go back empty the queues: upstream's would keep the old, larger stamps and drop what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger

from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.ros.clock import StampWatch
from sam3d_ros.ros.upstream import message_filters


class Synchronizer:
    """Calls back with one message of each filter when their stamps are within the slop.

    :param filters: message_filters' Subscriber, or any SimpleFilter.
    :param queue_size: messages of each kept while the others are on their way.
    :param callback: takes one message of each filter, in their order.
    :param on_reset: called when stamps went back, before the first message of the new time.
    """

    def __init__(
        self,
        filters: Sequence[Any],
        queue_size: int,
        slop_s: float,
        callback: Callable[..., None],
        logger: RcutilsLogger,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self._callback, self._on_reset, self._logger = callback, on_reset, logger
        self._watches = [StampWatch() for _ in filters]
        self.failures = 0
        # Filters call back in the order of registration: the watch sees a message first.
        for each, watch in zip(filters, self._watches, strict=True):
            each.registerCallback(self._look, watch)
        self._sync = message_filters.ApproximateTimeSynchronizer(filters, queue_size, slop_s)
        self._sync.registerCallback(self._matched)

    def clear(self) -> None:
        """Forget what is queued; call it on a clock jump."""
        for watch in self._watches:
            watch.clear()
        with self._sync.lock:
            for queue in self._sync.queues:
                queue.clear()

    def _look(self, message: Any, watch: StampWatch) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        if watch.goes_back(stamp_ns):
            self._logger.warning(
                f'stamps of the inputs went back to {stamp_ns * 1e-9:.3f} s: starting anew'
            )
            self.clear()
            watch.goes_back(stamp_ns)
            self._on_reset()

    def _matched(self, *messages: Any) -> None:
        try:
            self._callback(*messages)
        except Exception as error:
            self.failures += 1
            self._logger.error(f'input not used: {type(error).__name__}: {error}')
