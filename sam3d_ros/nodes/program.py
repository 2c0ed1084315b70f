# SPDX-License-Identifier: Apache-2.0
"""Run nodes in this process until Ctrl-C or SIGTERM: exit code 0, no traceback.

Each node's callbacks have a thread, so that the main thread is free to take signals at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.nodes.processes import stop_on_signals
from sam3d_ros.ros.spinning import Spinner
from sam3d_ros.ros.transport import use_large_segments


def run(make_nodes: Callable[[], Sequence[Node]], arguments: Sequence[str] | None = None) -> int:
    """Make nodes, bring them up and spin them; return the exit code.

    :param make_nodes: called once ROS runs; nodes with ``start()`` are started, all are destroyed
        at the end. A node may end the program by an attribute ``finished`` (threading.Event).
    :param arguments: command line with ROS arguments; ``sys.argv`` when None.
    """
    stop = stop_on_signals()
    use_large_segments()
    rclpy.init(
        args=None if arguments is None else list(arguments),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    nodes: Sequence[Node] = ()
    spinners: list[Spinner] = []
    try:
        nodes = make_nodes()
        spinners += [Spinner(node) for node in nodes]
        return _serve(nodes, stop)
    except Sam3dError as error:
        sys.stderr.write(f'{error}\n')
        return 1
    finally:
        # Callbacks that still run must not meet a node that is gone.
        for spinner in spinners:
            spinner.close()
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def _serve(nodes: Sequence[Node], stop: threading.Event) -> int:
    """Start the nodes and wait for a signal, or until every node that can finish has."""
    for node in nodes:
        if hasattr(node, 'start') and not node.start():
            return 1
    ends = [node.finished for node in nodes if hasattr(node, 'finished')]
    while not stop.wait(0.1):
        if ends and all(end.is_set() for end in ends):
            break
    return max((getattr(node, 'exit_code', 0) for node in nodes), default=0)
