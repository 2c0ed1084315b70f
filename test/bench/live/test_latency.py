# SPDX-License-Identifier: Apache-2.0
"""Latency figures from arrival times, and what the operating system says of a process."""

import math
import os
import time

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.live import latency
from sam3d_ros.bench.live.latency import ObjectFrames, Run, slope, stage_times, usage
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.topics import TF
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes


def test_stages_follow_each_other_and_add_up():
    sent = {1: 10.0, 2: 20.0, 3: 30.0, 4: 40.0}
    first = {1: 10.5, 2: 20.1, 3: 30.2, 4: 40.3}
    second = {1: 11.0, 2: 20.4, 3: 30.7}  # frame 4 never came out
    stages = stage_times(sent, {'first': first, 'second': second}, skip=1)
    assert list(stages) == ['first', 'second', 'total']
    assert stages['first'] == pytest.approx((0.1, 0.2))
    assert stages['second'] == pytest.approx((0.3, 0.5))
    assert stages['total'] == pytest.approx((0.4, 0.7))


def test_a_stage_has_ended_when_the_next_one_has():
    stages = stage_times({1: 1.0}, {'first': {1: 1.5}, 'second': {1: 1.25}}, skip=0)
    assert stages == {'first': (0.25,), 'second': (0.0,), 'total': (0.25,)}


def test_frames_that_were_not_seen_leaving_are_not_timed():
    stages = stage_times({2: 1.0}, {'only': {1: 0.5, 2: 1.5}}, skip=0)
    assert stages['total'] == (0.5,)


def test_quantiles_and_keys_of_a_run():
    run = Run('clutter', 9, {'total': tuple(k / 100 for k in range(101))}, 0.2, 0.9, 300.0)
    assert run.quantiles_s('total') == pytest.approx((0.5, 0.95, 1.0))
    assert run.values()['clutter_total_p95_s'] == pytest.approx(0.95)
    assert run.values()['clutter_objects'] == 9


def test_slope_of_a_line_and_of_a_point():
    assert slope([1, 5, 9], [0.2, 0.6, 1.0]) == pytest.approx(0.1)
    assert math.isnan(slope([4, 4], [1.0, 2.0]))


def test_object_frames_are_told_from_camera_poses():
    def message(*names):
        edges = [StampedTransform(7_000_000_042, 'world', name, np.eye(4)) for name in names]
        return encode(transforms_message(StoreTypes(), edges), TF.type)

    frames = ObjectFrames()
    assert frames(message('camera_link')) is None
    assert frames(message('object_1', 'object_12')) == 7_000_000_042
    assert frames.count == 2
    assert frames(message('object_3')) == 7_000_000_042
    assert frames.count == 3, 'of one stamp, in two messages'


def test_usage_grows_with_work():
    before = usage(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    after = usage(os.getpid())
    assert after.cpu_s - before.cpu_s >= 0.08
    assert after.peak_memory_mb >= before.peak_memory_mb > 10


def test_without_ros_the_bench_says_so(monkeypatch):
    monkeypatch.setattr(latency, 'find_spec', lambda name: None)
    measurement = latency.run(BenchOptions())
    assert measurement.values == {}
    assert 'No ROS' in measurement.notes[0]
