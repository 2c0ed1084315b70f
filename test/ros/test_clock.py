# SPDX-License-Identifier: Apache-2.0
"""Jumps in time are noticed by stamp."""

from sam3d_ros.ros.clock import StampWatch

S = 1_000_000_000


def test_stamps_that_go_back():
    watch = StampWatch(0.1)
    assert [watch.goes_back(t) for t in (5 * S, 6 * S, 6 * S - S // 20, 6 * S)] == [False] * 4
    assert watch.goes_back(1 * S)
    assert not watch.goes_back(2 * S)
    watch.clear()
    assert not watch.goes_back(0)
