# SPDX-License-Identifier: Apache-2.0
"""Several cameras live: a pointmap node each, topics under the camera's name, none starves."""

import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

from sam3d_ros.messages.frames import FRAMES, decode_frame
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.topics import DETECTIONS, INSTANCES, POINTS, TF
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.bus import Bus

pytestmark = pytest.mark.dds

NAMESPACE = '/rig'


@pytest.fixture
def rig(ros):
    """Nodes of two cameras on one bus."""
    from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode

    bus, nodes = Bus(), []
    for camera in ('left', 'right'):
        arguments = ['--ros-args', '-r', f'__node:=pointmap_{camera}']
        arguments += ['-p', f'pointmaps.camera_id:={camera}']
        nodes.append(PointmapNode(bus, namespace=NAMESPACE, cli_args=arguments))
        ros.spin(nodes[-1])
        assert nodes[-1].start()
    yield bus
    for node in nodes:
        ros.destroy(node)


def test_frames_of_equal_stamps_come_from_both(ros, rig, frames):
    from sam3d_ros.ros.qos import profile

    by_bus, by_wire = {}, {}
    subscriptions = []
    for camera in ('left', 'right'):
        topic = FRAMES.of(camera)
        rig.subscribe(topic.name, lambda arrival: keep(by_bus, arrival.get()))
        subscriptions.append(
            ros.node.create_subscription(
                import_message(topic.type),
                topic.resolve(NAMESPACE),
                lambda data: keep(by_wire, decode_frame(data)),
                profile(topic.quality),
                raw=True,
            )
        )
    cloud = ros.listener(POINTS.of('left'), NAMESPACE)
    cameras = [ros.camera(f'{NAMESPACE}/{name}') for name in ('left', 'right')]
    ros.until(lambda: all(camera.subscribers() for camera in cameras))
    (shown,) = frames(1)

    def keep(found, frame):
        found.setdefault(frame.camera_id, set()).add(frame.stamp_ns)

    def both():
        now = replace(shown, stamp_ns=ros.node.get_clock().now().nanoseconds)
        for camera, name in zip(cameras, ('left', 'right'), strict=True):
            camera.show(replace(now, frame_id=f'{name}_camera'))
        return all(
            len(found.get('left', set()) & found.get('right', set())) >= 3
            for found in (by_bus, by_wire)
        )

    ros.until(both)
    assert set(by_bus) == {'left', 'right'} and cloud.wait()
    for each in subscriptions:
        ros.node.destroy_subscription(each)
    for camera in cameras:
        camera.close()


def test_a_name_that_cannot_begin_a_topic_is_refused(ros, capfd):
    from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode

    arguments = ['--ros-args', '-p', 'pointmaps.camera_id:=2/left']
    node = PointmapNode(namespace='/refused', cli_args=arguments)
    assert not node.start()
    assert 'camera "2/left"; wanted letters, digits' in capfd.readouterr().err
    node.destroy_node()


def test_one_session_takes_both_and_gives_each_object_one_id(ros, rig, frames):
    from sam3d_ros.nodes.objects.objects_node import ObjectsNode

    arguments = ['--ros-args', '-p', 'session.cameras:=left, right']
    node = ObjectsNode(rig, namespace=NAMESPACE, cli_args=arguments)
    ros.spin(node)
    assert node.start()
    segmented, segment = Counter(), node._session.segmenter.segment

    def counted(frame):
        segmented[frame.camera_id] += 1
        return segment(frame)

    node._session.segmenter.segment = counted
    detections = ros.listener(DETECTIONS, NAMESPACE)
    cameras = {name: ros.camera(f'{NAMESPACE}/{name}') for name in ('left', 'right')}
    ros.until(lambda: all(camera.subscribers() for camera in cameras.values()))
    eyes = {'left': (0.9, 0.0, 0.7), 'right': (0.7, 0.55, 0.7)}
    for _ in range(4):
        stamp_ns = ros.stamp()
        for name, camera in cameras.items():
            (shown,) = frames(1, eye=eyes[name], frame_id=f'{name}_optical')
            camera.show(replace(shown, stamp_ns=stamp_ns))
        sec, nanosec = divmod(stamp_ns, 1_000_000_000)
        ros.until(
            lambda at=(sec, nanosec): (
                sum(
                    (m.header.stamp.sec, m.header.stamp.nanosec) == at for m in detections.messages
                )
                == 2
            )
        )
    last = detections.messages[-1]
    assert [detection.id for detection in last.detections] == ['1', '2']
    assert segmented == {'left': 4, 'right': 4}, 'one camera that works is no hurry for the other'
    for camera in cameras.values():
        camera.close()
    detections.close()
    ros.destroy(node)


@pytest.mark.parametrize('how', ['together', 'processes'])
def test_up_brings_up_two_cameras_and_one_session(ros, frames, how, tmp_path):
    namespace = f'/up_{how}'
    config = tmp_path / 'sam3d.yaml'
    # Every frame is segmented: ids come with its instances.
    config.write_text('/**: {ros__parameters: {session: {hurry_s: 0.0}}}')
    command = [sys.executable, '-m', 'sam3d_ros.cli.main', 'up', '--namespace', namespace]
    command += ['--config', str(config), '--camera', 'left', '--camera', 'right']
    command += ['--rgb', f'/rig_{how}_{{camera}}/rgb/image_rect_color']
    command += ['--depth', f'/rig_{how}_{{camera}}/depth_registered/image_rect']
    eyes = {'left': (0.9, 0.0, 0.7), 'right': (0.7, 0.55, 0.7)}
    cameras = {name: ros.camera(f'/rig_{how}_{name}') for name in eyes}
    instances, poses = ros.listener(INSTANCES, namespace), ros.listener(TF, namespace)

    def seen(stamp_ns):
        """Return the ids that each camera's image of a stamp was found to show."""
        return {
            message.header.frame_id: [item.track_id for item in message.instances]
            for message in list(instances.messages)
            if nanoseconds(message.header.stamp) == stamp_ns
        }

    def told(stamp_ns):
        """Return how often the pose of each object was told with a stamp."""
        frames = [
            edge.child_frame_id
            for message in list(poses.messages)
            for edge in message.transforms
            if nanoseconds(edge.header.stamp) == stamp_ns and 'optical' not in edge.child_frame_id
        ]
        return {frame: frames.count(frame) for frame in frames}

    def show():
        """Show each camera the same moment; return its stamp and a deadline for the ids in it."""
        stamp_ns = ros.stamp()
        for name, camera in cameras.items():
            (shown,) = frames(1, eye=eyes[name], frame_id=f'{name}_optical')
            camera.show(replace(shown, stamp_ns=stamp_ns))
        return stamp_ns, time.monotonic() + 5.0

    def seen_four_times():
        """Show the next moment when the last is through, or got lost before all nodes listened."""
        nonlocal stamp_ns, deadline
        if len(seen(stamp_ns)) == 2 or time.monotonic() > deadline:
            through.append(len(seen(stamp_ns)) == 2)
            if sum(through) < 4:
                stamp_ns, deadline = show()
        return sum(through) == 4

    through, stamp_ns, deadline = [], 0, 0.0
    command += ['--processes'] if how == 'processes' else []
    with subprocess.Popen(command) as running:
        try:
            ros.until(lambda: all(camera.subscribers() for camera in cameras.values()), 60.0)
            ros.until(seen_four_times, 60.0)
            assert {name: sorted(set(ids) - {''}) for name, ids in seen(stamp_ns).items()} == {
                'left_optical': ['1', '2'],
                'right_optical': ['1', '2'],
            }
            ros.until(lambda: list(told(stamp_ns).values()) == [2, 2])
            running.send_signal(signal.SIGINT)
            assert running.wait(20.0) == 0
        finally:
            running.kill()
    for each in (instances, poses, *cameras.values()):
        each.close()
