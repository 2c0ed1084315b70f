# SPDX-License-Identifier: Apache-2.0
"""report.json says how long everything took, what was left out, and what made the results."""

import json
from dataclasses import replace

import numpy as np
from made_up_scenes import reconstructions, scene, tracks

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.pipeline.frames import BadFrame
from sam3d_ros.pointmaps.pairing import Pairing
from sam3d_ros.session.result import FrameResult, StageTimes
from sam3d_ros.sinks.report import CameraInputs, Report, peak_memory_mb

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
    times = StageTimes(segmentation_s, 0.0, 0.001, 0.002, 0.003)
    seen = tracks()
    return FrameResult(FRAME, seen, reconstructions(), scene(), times)


def test_what_is_reported(tmp_path):
    collected = Report(refused=['a sentence'], bad=[BadFrame(7, 'why')])
    for milliseconds in range(1, 101):
        collected.add(result(milliseconds / 1000), read_s=0.005, write_s=0.5)
    pairing = Pairing(((0, 0),), 2, 3, 4)
    inputs = {'': CameraInputs({'rgb': '/c'}, pairing)}
    collected.write(tmp_path, inputs, {'segmentation': 'geometric'}, {'a.b': 1})
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
    Report().write(tmp_path, {'': CameraInputs({}, Pairing((), 0, 0, 0))}, {}, {})
    assert json.loads((tmp_path / 'report.json').read_text())['latency_ms'] == {}


def test_what_is_per_camera_stands_under_its_name(tmp_path):
    collected = Report(bad=[BadFrame(7, 'why', 'right')])
    for camera in ('left', 'right', 'left'):
        value = result(0.001)
        of_camera = replace(value, frame=replace(value.frame, camera_id=camera))
        collected.add(of_camera, read_s=0.0, write_s=0.0)
    inputs = {
        camera: CameraInputs({'rgb': f'/{camera}/c'}, Pairing(((0, 0),), 2, 3, 4))
        for camera in ('left', 'right', 'rear')
    }
    collected.write(tmp_path, inputs, {}, {})
    tree = json.loads((tmp_path / 'report.json').read_text())
    assert tree['frames'] == 3 and 'topics' not in tree and 'unmatched' not in tree
    assert {name: item['frames'] for name, item in tree['cameras'].items()} == {
        'left': 2,
        'right': 1,
        'rear': 0,
    }
    assert tree['cameras']['right'] == {
        'frames': 1,
        'unmatched': {'rgb': 2, 'depth': 3},
        'repeated_stamps': 4,
        'topics': {'rgb': '/right/c'},
    }
    assert tree['bad_frames'] == [{'stamp_ns': 7, 'reason': 'why', 'camera': 'right'}]


def test_peak_memory_grows():
    before = peak_memory_mb()
    block = np.ones(120_000_000 // 8)
    assert peak_memory_mb() >= before and block.sum() > 0


def test_what_own_odometry_did_is_reported(tmp_path):
    collected = Report()
    for at, name in enumerate(['odom', 'odom', 'odom', 'odom_2', 'odom_2']):
        T = np.eye(4)
        T[0, 3] = 0.3 * at
        covariance = np.diag([4e-6, 4e-6, 1e-6, 0, 0, 1e-6])
        seen = replace(FRAME, fixed_frame=name, T_fixed_cam=T, pose_covariance=covariance)
        collected.add(replace(result(0.01), frame=seen), 0.0, 0.0)
    collected.write(tmp_path, {'': CameraInputs({}, Pairing((), 0, 0, 0))}, {}, {})
    assert json.loads((tmp_path / 'report.json').read_text())['odometry'] == {
        'fixed_frames': ['odom', 'odom_2'],
        'path_m': 0.9,
        'drift_m': 0.003,
        'drift_deg': 0.057,
    }
