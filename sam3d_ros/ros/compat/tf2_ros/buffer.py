# SPDX-License-Identifier: Apache-2.0
"""The buffer that nodes hold: cleared when time jumps back, and can be waited on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import sleep
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future

from sam3d_ros.ros.compat.tf2_ros.buffer_core import BufferCore

_POLL_S = 0.01


class Buffer(BufferCore):
    """A buffer that is cleared when its node's clock jumps back, and can be waited on."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        self._new_data_callbacks: list[Callable[[], None]] = []
        self._callbacks_lock = threading.RLock()
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
        )
        self.jump_handle = self.clock.create_jump_callback(
            threshold, post_callback=self.time_jump_callback
        )

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget what belongs to another time."""
        get_logger('tf2_buffer').warning('Detected jump back in time. Clearing tf buffer.')
        self.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at its stamp."""
        super().set_transform(transform, authority)
        self._call_new_data_callbacks()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at every time."""
        super().set_transform_static(transform, authority)
        self._call_new_data_callbacks()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> TransformStamped:
        """Return the transform, after waiting for it up to ``timeout`` (blocks: see below).

        A wait in a callback of a single-threaded executor never sees new data: use
        :meth:`wait_for_transform_async` or ask again later.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration | None = None,
    ) -> TransformStamped:
        """Return the transform between two times, after waiting for it up to ``timeout``."""
        self.can_transform_full(
            target_frame, target_time, source_frame, source_time, fixed_frame, timeout
        )
        return self.lookup_transform_full_core(
            target_frame, target_time, source_frame, source_time, fixed_frame
        )

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration | None = None,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Return whether a lookup succeeds within ``timeout``; with the reason when asked."""
        outcome = _wait(lambda: self.can_transform_core(target_frame, source_frame, time), timeout)
        return outcome if return_debug_tuple else outcome[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration | None = None,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Return whether a lookup between two times succeeds within ``timeout``."""
        outcome = _wait(
            lambda: self.can_transform_full_core(
                target_frame, target_time, source_frame, source_time, fixed_frame
            ),
            timeout,
        )
        return outcome if return_debug_tuple else outcome[0]

    async def lookup_transform_async(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Return the transform once it is there."""
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Future:
        """Return a future that holds the transform once it is there."""
        return self._future(
            lambda: self.can_transform_core(target_frame, source_frame, time)[0],
            lambda: self.lookup_transform_core(target_frame, source_frame, time),
        )

    def wait_for_transform_full_async(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> Future:
        """Return a future that holds the transform between two times once it is there."""
        arguments = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return self._future(
            lambda: self.can_transform_full_core(*arguments)[0],
            lambda: self.lookup_transform_full_core(*arguments),
        )

    def _future(
        self, is_there: Callable[[], bool], lookup: Callable[[], TransformStamped]
    ) -> Future:
        future = Future()

        def on_new_data() -> None:
            if not future.done() and is_there():
                future.set_result(lookup())

        with self._callbacks_lock:
            on_new_data()
            if not future.done():
                self._new_data_callbacks.append(on_new_data)
                future.add_done_callback(lambda _: self._remove_callback(on_new_data))
        return future

    def _call_new_data_callbacks(self) -> None:
        with self._callbacks_lock:
            for callback in tuple(self._new_data_callbacks):
                callback()

    def _remove_callback(self, callback: Callable[[], None]) -> None:
        with self._callbacks_lock:
            if callback in self._new_data_callbacks:
                self._new_data_callbacks.remove(callback)


def _wait(check: Callable[[], tuple[bool, str]], timeout: Duration | None) -> tuple[bool, str]:
    """Poll on the steady clock, as upstream does, which a stopped /clock cannot hold up."""
    remaining_s = 0.0 if timeout is None else timeout.nanoseconds * 1e-9
    while not (outcome := check())[0] and remaining_s > 0:
        sleep(_POLL_S)
        remaining_s -= _POLL_S
    return outcome
