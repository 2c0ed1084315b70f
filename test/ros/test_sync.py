# SPDX-License-Identifier: Apache-2.0
"""Pairs go on after a raising callback and a loop, and wait no longer than there is reason to."""

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from builtin_interfaces.msg import Time
from rclpy.logging import get_logger
from std_msgs.msg import Header

from sam3d_ros.ros.sync import Synchronizer
from sam3d_ros.ros.upstream import message_filters


class Message:
    def __init__(self, seconds):
        self.seconds = seconds
        nanoseconds = round(seconds * 1e9)
        stamp = Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
        self.header = Header(stamp=stamp)


def connected(callback, queue_size=10, **arguments):
    filters = [message_filters.SimpleFilter() for _ in range(2)]
    made = Synchronizer(filters, queue_size, 0.02, callback, get_logger('test_sync'), **arguments)
    return filters, made


def test_a_callback_that_raises_is_logged_and_counted(capfd):
    pairs = []

    def use(a, b):
        pairs.append((a.seconds, b.seconds))
        if a.seconds == 1:
            raise ValueError('cannot use it')

    (a, b), sync = connected(use)
    for seconds in (1, 2, 3):
        a.signalMessage(Message(seconds))
        b.signalMessage(Message(seconds))
    assert pairs == [(1, 1), (2, 2), (3, 3)] and sync.failures == 1
    assert 'ValueError: cannot use it' in capfd.readouterr().err


def test_a_loop_starts_anew_before_its_first_message():
    events = []
    (a, b), _ = connected(
        lambda x, y: events.append(x.seconds), on_reset=lambda: events.append('reset')
    )
    for _ in range(3):
        for seconds in (1.0, 1.5, 2.0):
            b.signalMessage(Message(seconds + 0.01))
            a.signalMessage(Message(seconds))
        a.signalMessage(Message(2.5))
    assert events == [1.0, 1.5, 2.0, 'reset', 1.0, 1.5, 2.0, 'reset', 1.0, 1.5, 2.0]


def test_old_and_new_are_never_paired_after_a_clock_jump():
    pairs = []
    (a, b), sync = connected(lambda x, y: pairs.append(x.seconds))
    a.signalMessage(Message(5.0))
    sync.clear()
    b.signalMessage(Message(5.0))
    assert pairs == []
    a.signalMessage(Message(5.0))
    assert pairs == [5.0]


def test_an_input_that_lags_is_no_jump_in_time():
    events = []
    (a, b), _ = connected(
        lambda x, y: events.append(x.seconds), 50, on_reset=lambda: events.append('reset')
    )
    for step in range(60):
        a.signalMessage(Message(10 + step / 30))
        if step >= 30:
            b.signalMessage(Message(10 + (step - 30) / 30))
    assert events == [10 + step / 30 for step in range(30)]


def test_a_pair_that_waits_for_the_next_message_comes_when_none_does():
    pairs = []
    (a, b), sync = connected(lambda x, y: pairs.append((x.seconds, y.seconds)))
    a.signalMessage(Message(5.0))
    b.signalMessage(Message(5.01))
    sync.settle()
    assert pairs == []
    sync.settle()
    assert pairs == [(5.0, 5.01)]
    b.signalMessage(Message(5.005))
    assert sync.take_late() == 1 and sync.take_late() == 0
