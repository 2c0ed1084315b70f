# SPDX-License-Identifier: Apache-2.0
"""The ledger: which frames count as answered, when, and by what share."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.latency import world_of
from sam3d_ros.bench.ledger import BUDGET, ObjectPoses, figures, parts_s
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.topics import TF
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.world import recording

HERE = np.zeros(3)


def poses(count, shift_m=0.0):
    return {f'object_{k}': np.array([k + shift_m, 0.0, 0.0]) for k in range(count)}


def test_a_frame_is_answered_when_seven_of_eight_objects_have_a_pose():
    sent = {k: float(k) for k in range(20)}  # the first half warms up
    seen = {k: poses(8) for k in range(20)}
    seen[12], seen[13] = poses(7), poses(6)
    del seen[14]
    told = {k: k + (0.5 if k == 19 else 0.1) for k in seen}
    found = figures(1.0, sent, told, seen)
    assert found.objects == 8
    assert found.answered == pytest.approx(8 / 10)
    assert found.poses_hz == pytest.approx(8 / 9.5)
    assert found.p50_s == pytest.approx(0.1)
    assert 0.1 < found.p95_s < 0.5
    assert found.right == 1.0


def test_a_pose_beside_where_its_object_settles_is_not_right():
    sent = {k: float(k) for k in range(20)}
    seen = {k: poses(4, 0.02 if k == 15 else 0.0) for k in range(20)}
    found = figures(1.0, sent, {k: k + 0.1 for k in seen}, seen)
    assert found.right == pytest.approx(0.9)


def test_no_answer_at_all_has_figures_too():
    found = figures(5.0, {k: float(k) for k in range(4)}, {}, {})
    assert (found.objects, found.answered, found.poses_hz) == (0, 0.0, 0.0)
    assert np.isnan(found.p50_s) and np.isnan(found.right)


def test_poses_of_objects_alone_are_read_and_the_first_of_a_stamp_counts():
    reader = ObjectPoses()

    def message(stamp_ns, x, *names):
        T = np.eye(4)
        T[0, 3] = x
        edges = [StampedTransform(stamp_ns, 'world', name, T) for name in names]
        return encode(transforms_message(StoreTypes(), edges), TF.type)

    assert reader(message(5, 1.0, 'camera_link')) is None
    assert reader(message(7, 1.0, 'object_1', 'object_2')) == 7
    assert reader(message(7, 9.0, 'object_1')) == 7
    assert {name: at[0] for name, at in reader.by_stamp[7].items()} == {
        'object_1': 1.0,
        'object_2': 1.0,
    }


def test_every_part_of_a_frame_is_timed(tmp_path):
    options = BenchOptions()
    recording.write_episode(world_of('single', 20, options), tmp_path)
    parts = parts_s(tmp_path, options)
    assert parts.keys() == BUDGET.keys()
    assert all(0 < seconds < 60 for seconds in parts.values())
    assert parts['a tracked-only frame'] < parts['a segmented frame']
