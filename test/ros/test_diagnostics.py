# SPDX-License-Identifier: Apache-2.0
"""Health on /diagnostics: statuses, numbers, and a task that fails."""

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from diagnostic_msgs.msg import DiagnosticArray

from sam3d_ros.ros.diagnostics import Diagnostics, Health, Latency, Level, Status


def test_latency_percentiles():
    latency = Latency()
    assert latency.values('stage') == {}
    for milliseconds in range(101):
        latency.add(milliseconds * 1e-3)
    assert latency.values('stage') == {'stage p50 ms': '50.0', 'stage p95 ms': '95.0'}


def test_health_says_the_worst_and_recovers():
    health = Health()
    health.done(0.02)
    status = health.status('stage', dropped=3)
    assert (status.level, status.values['frames']) == (Level.OK, '1')
    assert status.values['inputs replaced by newer'] == '3'
    assert status.values['stage p50 ms'] == '20.0'
    health.missing('no depth on /depth')
    assert health.status('stage').level == Level.WARN
    health.failed('K[0] = 0')
    status = health.status('stage')
    assert (status.level, status.message) == (Level.ERROR, 'K[0] = 0')
    health.done(0.02)
    assert health.status('stage').message == 'no depth on /depth'
    health.missing('')
    status = health.status('stage')
    assert (status.level, status.values['rate Hz']) == (Level.OK, '0.0')


@pytest.mark.dds
def test_statuses_are_published_without_being_asked(graph):
    node, heard = graph.node('stage'), []
    listener = graph.node('listener')
    listener.create_subscription(DiagnosticArray, '/diagnostics', heard.append, 10)

    def failing():
        raise RuntimeError('broken task')

    diagnostics = Diagnostics(
        node,
        [lambda: Status('inputs', Level.WARN, 'no depth', {'depth Hz': '0.0'}), failing],
        hardware_id='camera 1',
    )
    graph.spin_until(lambda: heard)
    inputs, failed = heard[0].status
    assert (inputs.name, inputs.message) == ('/stage: inputs', 'no depth')
    assert (inputs.level, inputs.hardware_id) == (b'\x01', 'camera 1')
    assert (inputs.values[0].key, inputs.values[0].value) == ('depth Hz', '0.0')
    assert failed.level == b'\x02' and 'broken task' in failed.message
    diagnostics.close()
