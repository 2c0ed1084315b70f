# SPDX-License-Identifier: Apache-2.0
"""The callbacks of a node, one after the other, in a thread of its own.

By rclpy's EventsExecutor where there is one (rclpy 7.1.5): it is told what came, where the others
look at everything a node has whenever anything comes, which costs more than our callbacks do.
"""

from __future__ import annotations

import threading

from rclpy.executors import Executor
from rclpy.node import Node

try:
    from rclpy.experimental import EventsExecutor as NodeExecutor
except ImportError:
    from rclpy.executors import SingleThreadedExecutor as NodeExecutor

LONGEST_WAIT_S = 0.5
"""The EventsExecutor of rclpy 7.1 hangs when it may wait forever."""


class Spinner:
    """Runs the callbacks of a node until closed; what one raises is logged and ends nothing.

    Callbacks must not wait for anything, nor for each other.

    :param node: of any context.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._executor: Executor = NodeExecutor(context=node.context)
        self._executor.add_node(node)
        self._closing = threading.Event()
        name = f'{node.get_name()} callbacks'
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Wait for the callback that runs, for so long; call none any more."""
        self._closing.set()
        self._executor.shutdown(timeout_sec=timeout_s)
        self._thread.join(timeout_s)

    def _spin(self) -> None:
        while not self._closing.is_set():
            try:
                self._executor.spin_once(timeout_sec=LONGEST_WAIT_S)
            except Exception as error:
                if not self._closing.is_set():
                    self._node.get_logger().error(
                        f'a callback failed: {type(error).__name__}: {error}'
                    )
