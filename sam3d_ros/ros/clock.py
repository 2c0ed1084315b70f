# SPDX-License-Identifier: Apache-2.0
"""Jumps in ROS time: a looped recording, a restarted simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

# Seconds; below it a step back is a correction of the system clock, not another time.
_SMALLEST_JUMP_S = 0.1


def on_jump_back(node: Node, reset: Callable[[], None]) -> Any:
    """Call ``reset`` when the node's clock goes back or changes its source.

    Keep the returned handle for as long as that is wanted; its ``unregister()`` ends it.
    ``reset`` runs in the thread that hears ``/clock``: hand heavy work to the worker.
    """

    def jumped(jump: TimeJump) -> None:
        node.get_logger().warning(
            f'time jumped by {jump.delta.nanoseconds * 1e-9:.3f} s: forgetting what was queued'
        )
        reset()

    threshold = JumpThreshold(
        min_forward=None,
        min_backward=Duration(seconds=-_SMALLEST_JUMP_S),
        on_clock_change=True,
    )
    return node.get_clock().create_jump_callback(threshold, post_callback=jumped)


class StampWatch:
    """Notices stamps that go back, for sources that are looped without ``/clock``.

    :param tolerance_s: a message overtaken by less than this is late, not from another time.
    """

    def __init__(self, tolerance_s: float = _SMALLEST_JUMP_S) -> None:
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._latest_ns: int | None = None

    def goes_back(self, stamp_ns: int) -> bool:
        """Take a stamp; return whether it belongs to an earlier time than those before."""
        latest = self._latest_ns
        back = latest is not None and stamp_ns < latest - self._tolerance_ns
        if back or latest is None or stamp_ns > latest:
            self._latest_ns = stamp_ns
        return back

    def clear(self) -> None:
        """Forget what was seen."""
        self._latest_ns = None
