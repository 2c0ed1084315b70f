# SPDX-License-Identifier: Apache-2.0
"""A node's callbacks run one after the other until the spinner is closed."""

import threading

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from rclpy.clock import Clock, ClockType

from sam3d_ros.ros.spinning import Spinner

WAIT_S = 10.0


@pytest.fixture
def node(graph):
    """Return a node that nobody spins yet."""
    node = graph.node('turning')
    graph.executor.remove_node(node)
    return node


def test_a_callback_that_raises_ends_nothing(node):
    spinner = Spinner(node)
    calls, often = [], threading.Event()

    def call():
        calls.append(threading.current_thread())
        if len(calls) >= 3:
            often.set()
        raise ValueError('so it goes')

    node.create_timer(0.01, call, clock=Clock(clock_type=ClockType.STEADY_TIME))
    assert often.wait(WAIT_S)
    spinner.close()
    assert len(set(calls)) == 1 and not calls[0].is_alive()


def test_closing_waits_for_the_callback_that_runs_and_calls_none_after_it(node):
    spinner = Spinner(node)
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def call():
        began.set()
        assert may_end.wait(WAIT_S)
        ended.set()

    node.create_timer(0.01, call, clock=Clock(clock_type=ClockType.STEADY_TIME))
    assert began.wait(WAIT_S)
    threading.Timer(0.1, may_end.set).start()
    spinner.close()
    assert ended.is_set()
    began.clear()
    assert not began.wait(0.2)
