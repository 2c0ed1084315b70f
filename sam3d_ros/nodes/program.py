# SPDX-License-Identifier: Apache-2.0
"""Run nodes in this process until Ctrl-C or SIGTERM: exit code 0, no traceback.

The executor has a thread of its own, so that the main thread is free to take signals at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.executors import Executor, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.ros.transport import use_large_segments

THREADS_PER_NODE = 3
"""One for topics, one for a service or action that waits for the worker, one to cancel it."""


def run(make_nodes: Callable[[], Sequence[Node]], arguments: Sequence[str] | None = None) -> int:
    """Make nodes, bring them up and spin them; return the exit code.

    :param make_nodes: called once ROS runs; nodes with ``start()`` are started, all are destroyed
        at the end. A node may end the program by an attribute ``finished`` (threading.Event).
    :param arguments: command line with ROS arguments; ``sys.argv`` when None.
    """
    stop = _stop_on_signals()
    use_large_segments()
    rclpy.init(
        args=None if arguments is None else list(arguments),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    executor: Executor | None = None
    nodes: Sequence[Node] = ()
    try:
        nodes = make_nodes()
        executor = MultiThreadedExecutor(num_threads=THREADS_PER_NODE * len(nodes))
        for node in nodes:
            executor.add_node(node)
        spinner = threading.Thread(target=spin, args=(executor, stop), name='executor')
        spinner.start()
        code = _serve(nodes, stop)
        stop.set()
        executor.wake()
        spinner.join()
        return code
    except Sam3dError as error:
        sys.stderr.write(f'{error}\n')
        return 1
    finally:
        stop.set()
        if executor is not None:
            # Callbacks that still run must not meet a node that is gone.
            executor.shutdown(timeout_sec=2.0)
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
    return stop


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


def spin(executor: Executor, stop: threading.Event) -> None:
    """Spin until told to stop; what a callback raises is logged and ends nothing."""
    while not stop.is_set():
        try:
            executor.spin_once(timeout_sec=0.5)
        except Exception as error:
            logger = rclpy.logging.get_logger('executor')
            logger.error(f'a callback failed: {type(error).__name__}: {error}')
