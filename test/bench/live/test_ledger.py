# SPDX-License-Identifier: Apache-2.0
"""The ledger: every part of a frame has its time."""

import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.live.latency import world_of
from sam3d_ros.bench.live.ledger import BUDGET, parts_s
from sam3d_ros.world import recording


def test_every_part_of_a_frame_is_timed(tmp_path):
    options = BenchOptions()
    recording.write_episode(world_of('single', 20, options), tmp_path)
    parts = parts_s(tmp_path, options)
    assert parts.keys() == BUDGET.keys()
    assert all(0 < seconds < 60 for seconds in parts.values())
    assert parts['poses of a segmented frame'] < parts['a segmented frame']
    assert parts['a tracked-only frame'] < parts['a segmented frame']
