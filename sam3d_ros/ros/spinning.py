# SPDX-License-Identifier: Apache-2.0
"""The callbacks of a node, one after the other, in a thread of its own; and nodes by themselves.

By rclpy's EventsExecutor where there is one (rclpy 7.1.5): it is told what came, where the others
look at everything a node has whenever anything comes, which costs more than our callbacks do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rclpy.context import Context
from rclpy.executors import Executor
from rclpy.node import Node

try:
    from rclpy.experimental import EventsExecutor as NodeExecutor
except ImportError:
    from rclpy.executors import SingleThreadedExecutor as NodeExecutor

NodeKind = TypeVar('NodeKind', bound=Node)

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


@contextmanager
def own_node(make: Callable[[Context], NodeKind]) -> Iterator[NodeKind]:
    """Have a node in a ROS context of its own, which minds no signals, until the ``with`` ends.

    :param make: takes the context.
    """
    context = Context()
    context.init(args=[])
    try:
        node = make(context)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        context.try_shutdown()


@contextmanager
def own_spun_node(make: Callable[[Context], NodeKind]) -> Iterator[NodeKind]:
    """Have a node as :func:`own_node` does, whose callbacks run meanwhile.

    :param make: takes the context.
    """
    with own_node(make) as node:
        spinner = Spinner(node)
        try:
            yield node
        finally:
            spinner.close()
