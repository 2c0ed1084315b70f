# SPDX-License-Identifier: Apache-2.0
"""Jumps in time are noticed, by clock and by stamp."""

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from sam3d_ros.ros.clock import StampWatch, on_jump_back

S = 1_000_000_000


def test_stamps_that_go_back():
    watch = StampWatch(0.1)
    assert [watch.goes_back(t) for t in (5 * S, 6 * S, 6 * S - S // 20, 6 * S)] == [False] * 4
    assert watch.goes_back(1 * S)
    assert not watch.goes_back(2 * S)
    watch.clear()
    assert not watch.goes_back(0)


@pytest.mark.dds
def test_a_clock_that_goes_back_resets(graph):
    node = graph.node('simulated', {'use_sim_time': True})
    clock = graph.node('clock').create_publisher(Clock, '/clock', 10)
    resets = []
    handle = on_jump_back(node, lambda: resets.append(node.get_clock().now().nanoseconds))

    def turn_to(seconds):
        stamp = Time(nanoseconds=seconds * S)
        graph.spin_until(
            lambda: node.get_clock().now().nanoseconds == stamp.nanoseconds,
            each=lambda: clock.publish(Clock(clock=stamp.to_msg())),
        )

    turn_to(50)
    resets.clear()
    turn_to(60)
    assert resets == []
    turn_to(4)
    assert len(resets) == 1
    handle.unregister()
    turn_to(2)
    assert len(resets) == 1
