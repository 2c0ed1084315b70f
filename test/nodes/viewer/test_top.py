# SPDX-License-Identifier: Apache-2.0
"""What ``sam3d top`` shows of what it has heard; nobody is listened to here."""

from io import StringIO
from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rich.console import Console
from sam3d_msgs.msg import SceneObject, SceneObjectArray

from sam3d_ros.messages.topics import DETECTIONS
from sam3d_ros.nodes.viewer import top


@pytest.fixture
def monitor():
    node = SimpleNamespace(create_subscription=lambda *arguments, **options: None)
    return top.Monitor(node, '/sam3d')


def shown(monitor):
    console = Console(width=140, record=True, file=StringIO())
    console.print(monitor.table())
    return console.export_text()


def status(name, level, message, **values):
    pairs = [KeyValue(key=key.replace('_', ' '), value=value) for key, value in values.items()]
    return DiagnosticStatus(name=name, level=bytes([level]), message=message, values=pairs)


def test_without_a_graph_it_says_so(monitor):
    assert 'is "sam3d up" running?' in shown(monitor)


def test_rates_latencies_drops_and_reasons_of_its_own_graph(monitor):
    numbers = {'rate_Hz': '7.5', 'stage_p50_ms': '81.2', 'stage_p95_ms': '99.1'}
    late = 'no messages on /camera/depth'
    monitor.take_diagnostics(
        DiagnosticArray(
            status=[
                status('/sam3d/objects: stage', 0, '7.5 Hz', **numbers),
                status('/sam3d/pointmap: stage', 1, late, inputs_replaced_by_newer='12'),
                status('/other/objects: stage', 2, 'not ours'),
            ]
        )
    )
    text = shown(monitor)
    objects = next(line for line in text.splitlines() if 'objects: stage' in line)
    pointmap = next(line for line in text.splitlines() if 'pointmap: stage' in line)
    assert [word in objects for word in ('ok', '7.5', '81.2', '99.1')] == [True] * 4
    assert [word in pointmap for word in ('warning', '12', late)] == [True] * 3
    assert 'not ours' not in text


def test_the_ledger_says_where_the_time_of_a_frame_goes(monitor):
    assert 'where the time' not in shown(monitor)
    parts = {'stage_p50_ms': '99.0', 'segmentation_p50_ms': '60.0', 'scene_p50_ms': '15.0'}
    monitor.take_diagnostics(
        DiagnosticArray(
            status=[
                status('/sam3d/objects: stage', 0, 'ok', **parts, segmentation_p95_ms='71.5'),
                status('/sam3d/pointmap: stage', 0, 'ok', stage_p50_ms='25.0'),
            ]
        )
    )
    lines = shown(monitor).partition('where the time')[2].splitlines()
    rows = [[cell.strip() for cell in line.split('│')[1:-1]] for line in lines if '%' in line]
    assert rows[:3] == [
        ['pointmap', '25.0', '', '25 %'],
        ['objects: segmentation', '60.0', '71.5', '60 %'],
        ['objects: scene', '15.0', '', '15 %'],
    ]


def test_a_node_that_fell_silent_is_told(monitor, monkeypatch):
    monitor.take_diagnostics(DiagnosticArray(status=[status('/sam3d/objects: stage', 0, 'ok')]))
    later_ns = top.monotonic_ns() + 2 * top.SILENT_NS
    monkeypatch.setattr(top, 'monotonic_ns', lambda: later_ns)
    assert 'silent for 6 s' in shown(monitor)


def test_objects_and_ages(monitor):
    item = SceneObject(id='3', label='cup', state=2, state_reason='behind something')
    monitor.take_objects(SceneObjectArray(objects=[item]))
    monitor.take_message(DETECTIONS, 1_000_000_000, 1_125_000_000)
    text = shown(monitor)
    assert '125' in next(line for line in text.splitlines() if DETECTIONS.name in line)
    row = next(line for line in text.splitlines() if 'cup' in line)
    assert 'occluded' in row and 'behind something' in row
