# SPDX-License-Identifier: Apache-2.0
"""The result recording has what the live graph publishes, stamped as its source."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, pose, reconstructions, scene, scene_object, tracks

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import LoggedTransform
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.messages import topics
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.sensors.clouds import decode_pointmap
from sam3d_ros.messages.transforms import StampedTransform, transforms_from
from sam3d_ros.session.result import FrameResult, StageTimes
from sam3d_ros.sinks.bag import BagSink

STEP_NS = 100_000_000


def results(count=3):
    """Return results of frames 0.1 s apart: an object is there all the time, one goes."""
    rng = np.random.default_rng(0)
    made = []
    for at in range(count):
        stamp_ns = STAMP_NS + at * STEP_NS
        frame = Frame(
            stamp_ns,
            'optical',
            Camera(16, 12, np.array([[20.0, 0, 8], [0, 20, 6], [0, 0, 1]])),
            rng.integers(0, 256, (12, 16, 3), np.uint8),
            rng.random((12, 16, 3)).astype(np.float32),
            'world',
            pose(at),
        )
        seen = replace(tracks(), stamp_ns=stamp_ns)
        known = [scene_object(3)] + [scene_object(4)] * (at < 2)
        value = scene(*known, stamp_ns=stamp_ns)
        rebuilt = replace(reconstructions(), stamp_ns=stamp_ns)
        times = StageTimes(0.0, 0.0, 0.0, 0.0, 0.0)
        made.append(FrameResult(frame, seen, rebuilt, value, times))
    return made


TF = [
    LoggedTransform(STAMP_NS - 5, True, StampedTransform(STAMP_NS - 5, 'world', 'base', pose(1))),
    LoggedTransform(STAMP_NS, False, StampedTransform(STAMP_NS, 'base', 'optical', pose(2))),
    LoggedTransform(
        STAMP_NS + 10 * STEP_NS,
        False,
        StampedTransform(STAMP_NS + 10 * STEP_NS, 'base', 'optical', pose(3)),
    ),
]


def write(path, **arguments):
    with BagSink(path, TF, OutputConfig(), **arguments) as recording:
        for result in results():
            recording.write(result)
    return path


@pytest.fixture(scope='module')
def messages(tmp_path_factory):
    """Every message by topic: (log_ns, message)."""
    path = write(tmp_path_factory.mktemp('r') / 'result', pointmaps=True)
    with Recording(path) as recording:
        return {
            topic.name: [
                (raw.log_ns, recording.decode(raw)) for raw in recording.messages([topic.name])
            ]
            for topic in recording.topics
        }


def stamp(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


@pytest.mark.parametrize(
    'topic',
    [
        topics.POINTS,
        topics.CAMERA_INFO,
        topics.INSTANCES,
        topics.RECONSTRUCTIONS,
        topics.DETECTIONS,
    ],
)
def test_one_message_a_frame_with_its_stamp(messages, topic):
    wanted = [STAMP_NS + at * STEP_NS for at in range(3)]
    got = messages[topic.resolve()]
    assert [log_ns for log_ns, _ in got] == wanted
    assert [stamp(message.header) for _, message in got] == wanted


def test_the_list_of_objects_follows_changes(messages):
    lists = messages[topics.OBJECTS.resolve()]
    assert [stamp(message.header) - STAMP_NS for _, message in lists] == [0, 2 * STEP_NS]


def test_pointmaps_are_those_of_the_frames(messages):
    points, rgb = decode_pointmap(messages['/sam3d/pointmap/points'][1][1])
    frame = results()[1].frame
    assert np.array_equal(points, frame.pointmap) and np.array_equal(rgb, frame.rgb)


def test_markers_and_collision_objects_follow_changes(messages):
    arrays = messages['/sam3d/scene/markers']
    assert [log_ns - STAMP_NS for log_ns, _ in arrays] == [0, 2 * STEP_NS]
    operations = [
        (message.id, message.operation)
        for _, message in messages['/sam3d/scene/collision_objects']
    ]
    assert operations == [('object_3', 0), ('object_4', 0), ('object_4', 1)]


def test_tf_of_inputs_and_objects_in_order(messages):
    edges = [
        (log_ns - STAMP_NS, item.parent, item.child)
        for log_ns, message in messages['/tf']
        for item in transforms_from(message)[0]
    ]
    assert edges[0] == (0, 'base', 'optical')
    assert edges[1:3] == [(0, 'world', 'object_3'), (0, 'world', 'object_4')]
    assert edges[-1] == (10 * STEP_NS, 'base', 'optical')
    (static,) = messages['/tf_static']
    assert transforms_from(static[1])[0][0].child == 'base'


def test_no_pointmaps_unless_asked(tmp_path):
    with Recording(write(tmp_path / 'result')) as recording:
        names = {topic.name for topic in recording.topics}
    assert not any('pointmap' in name for name in names)
    assert '/sam3d/scene/collision_objects' in names


def test_same_results_same_bytes(tmp_path):
    for run in '12':
        write(tmp_path / run / 'result')
    first, second = (
        [path.read_bytes() for path in sorted((tmp_path / run / 'result').iterdir())]
        for run in '12'
    )
    assert first == second


def test_an_error_in_the_middle_is_not_hidden(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        BagSink(tmp_path / 'result', TF, OutputConfig()) as recording,
    ):
        recording.write(results()[0])
        raise ZeroDivisionError
    assert not (tmp_path / 'result' / 'metadata.yaml').exists()


def test_where_own_odometry_says_the_camera_is(tmp_path):
    """TF to the mount that the camera hangs below, and the pose with what has drifted."""
    mount = [
        LoggedTransform(0, True, StampedTransform(0, 'camera_link', 'optical', pose(1))),
    ]
    covariance = np.diag(np.arange(6.0))
    with BagSink(tmp_path / 'own', mount, OutputConfig()) as recording:
        for made in results():
            frame = replace(made.frame, fixed_frame='odom', pose_covariance=covariance)
            recording.write(replace(made, frame=frame))
    with Recording(tmp_path / 'own') as recording:
        edges = [
            edge
            for raw in recording.messages(['/tf'])
            for edge in transforms_from(recording.decode(raw))[0]
            if edge.parent == 'odom'
        ]
        told = [recording.decode(raw) for raw in recording.messages(['/sam3d/pointmap/pose'])]
    assert [(edge.child, edge.stamp_ns) for edge in edges] == [
        ('camera_link', STAMP_NS + at * STEP_NS) for at in range(3)
    ]
    for at, edge in enumerate(edges):
        assert np.allclose(edge.T_parent_child @ pose(1), pose(at))
    assert [stamp(message.header) for message in told] == [edge.stamp_ns for edge in edges]
    assert np.allclose(told[0].pose.covariance.reshape(6, 6), covariance)
    assert told[0].header.frame_id == 'odom'
