# SPDX-License-Identifier: Apache-2.0
"""Pairs of live messages by stamp, by the rule for recordings, through everything live systems do.

A callback that raises is logged and ends nothing; stamps that go back start anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger

from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.pointmaps.pairing import Pairer
from sam3d_ros.ros.clock import StampWatch


class Synchronizer:
    """Calls back with one message of each of two filters when they are a pair.

    Not for several threads: filters and :meth:`settle` must call from one callback group.

    :param filters: message_filters' Subscriber, or any SimpleFilter.
    :param queue_size: messages of each kept while the other is on its way.
    :param slop_s: most time between two of a pair, seconds.
    :param callback: takes one message of each filter, in their order.
    :param logger: is told what went wrong.
    :param on_reset: called when stamps went back, before the first message of the new time.
    """

    def __init__(
        self,
        filters: Sequence[Any],
        queue_size: int,
        slop_s: float,
        callback: Callable[[Any, Any], None],
        logger: RcutilsLogger,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self._callback, self._on_reset, self._logger = callback, on_reset, logger
        self._pairer: Pairer[Any] = Pairer(round(slop_s * 1e9), queue_size)
        self._watches = [StampWatch() for _ in filters]
        self._is_quiet = True
        self.failures = 0
        for stream, each in enumerate(filters):
            each.registerCallback(self._take, stream)

    def clear(self) -> None:
        """Forget what is queued; call it on a clock jump."""
        self._pairer.clear()
        for watch in self._watches:
            watch.clear()

    def settle(self) -> None:
        """Let go of pairs that wait for a message, when none came since the last call.

        Call it now and then, less often than messages come.
        """
        if self._is_quiet:
            self._hand_on(self._pairer.flush())
        self._is_quiet = True

    def take_late(self) -> int:
        """Return how many messages since the last call came after later ones were used."""
        late, self._pairer.late = self._pairer.late, 0
        return late

    def _take(self, message: Any, stream: int) -> None:
        self._is_quiet = False
        stamp_ns = nanoseconds(message.header.stamp)
        if self._watches[stream].goes_back(stamp_ns):
            self._logger.warning(
                f'stamps of the inputs went back to {stamp_ns * 1e-9:.3f} s: starting anew'
            )
            self.clear()
            self._watches[stream].goes_back(stamp_ns)
            self._on_reset()
        self._hand_on(self._pairer.push(stream, stamp_ns, message))

    def _hand_on(self, pairs: list[tuple[Any, Any]]) -> None:
        for pair in pairs:
            try:
                self._callback(*pair)
            except Exception as error:
                self.failures += 1
                self._logger.error(f'input not used: {type(error).__name__}: {error}')
