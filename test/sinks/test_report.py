# SPDX-License-Identifier: Apache-2.0
"""report.json says how long everything took, what was left out, and what made the results."""

import json

import numpy as np
from made_up_scenes import reconstructions, scene, tracks

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.pipeline.frames import BadFrame
from sam3d_ros.pointmaps.pairing import Pairing
from sam3d_ros.session.result import FrameResult, StageTimes
from sam3d_ros.sinks.report import Report, peak_memory_mb

FRAME = Frame(
    0,
    'optical',
    Camera(2, 1, np.eye(3)),
    np.zeros((1, 2, 3), np.uint8),
    np.zeros((1, 2, 3), np.float32),
    'world',
    np.eye(4),
)


def result(segmentation_s):
    times = StageTimes(segmentation_s, 0.001, 0.002, 0.003)
    seen = tracks()
    return FrameResult(FRAME, seen, reconstructions(), scene(), times)


def test_what_is_reported(tmp_path):
    collected = Report(refused=['a sentence'], bad=[BadFrame(7, 'why')])
    for milliseconds in range(1, 101):
        collected.add(result(milliseconds / 1000), read_s=0.005, write_s=0.5)
    pairing = Pairing(((0, 0),), 2, 3, 4)
    collected.write(tmp_path, {'rgb': '/c'}, pairing, {'segmentation': 'geometric'}, {'a.b': 1})
    tree = json.loads((tmp_path / 'report.json').read_text())
    assert (tree['frames'], tree['dropped']) == (100, 0)
    assert tree['bad_frames'] == [{'stamp_ns': 7, 'reason': 'why'}]
    assert tree['unmatched'] == {'rgb': 2, 'depth': 3}
    latency = tree['latency_ms']
    assert latency['segmentation'] == {'p50': 50.5, 'p95': 95.05, 'max': 100.0}
    assert latency['pointmaps']['p50'] == 5.0
    assert latency['total']['max'] == 111.0, 'writing is not part of a frame'
    assert tree['backends'] == {'segmentation': 'geometric', 'completion': ['geometric']}
    assert tree['refused'] == ['a sentence'] and tree['config'] == {'a.b': 1}
    assert tree['peak_memory_mb'] > 10


def test_a_report_without_frames(tmp_path):
    Report().write(tmp_path, {}, Pairing((), 0, 0, 0), {}, {})
    assert json.loads((tmp_path / 'report.json').read_text())['latency_ms'] == {}


def test_peak_memory_grows():
    before = peak_memory_mb()
    block = np.ones(120_000_000 // 8)
    assert peak_memory_mb() >= before and block.sum() > 0
