# SPDX-License-Identifier: Apache-2.0
"""The latency bench on real nodes: one object, a few frames."""

import os

import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')
pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.live import latency

pytestmark = pytest.mark.dds


def test_every_stage_of_a_small_world_is_timed(monkeypatch):
    monkeypatch.setattr(latency, 'QUICK_SUITES', ('single',))
    monkeypatch.setattr(latency, 'QUICK_FRAMES', 9)
    before = dict(os.environ)
    measurement = latency.run(BenchOptions(quick=True))
    assert dict(os.environ) == before
    values = measurement.values
    assert values['single_objects'] >= 1
    assert values['single_frames'] >= 1
    assert values['single_cpu_s_per_frame'] > 0
    assert values['single_peak_memory_mb'] > 50
    stages = [values[f'single_{stage}_max_s'] for stage in latency.ENDS]
    assert 0 < max(stages) <= values['single_total_max_s'] < 60
    assert values['single_total_p50_s'] <= values['single_total_p95_s']
