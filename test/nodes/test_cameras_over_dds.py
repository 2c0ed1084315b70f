# SPDX-License-Identifier: Apache-2.0
"""Several cameras live: a pointmap node each, topics under the camera's name, none starves."""

from dataclasses import replace

import pytest

from sam3d_ros.messages.frames import FRAMES, decode_frame
from sam3d_ros.messages.topics import DETECTIONS, POINTS
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.bus import Bus

pytestmark = pytest.mark.dds

NAMESPACE = '/rig'


@pytest.fixture
def rig(ros):
    """Nodes of two cameras on one bus."""
    from sam3d_ros.nodes.pointmap_node import PointmapNode

    bus, nodes = Bus(), []
    for camera in ('left', 'right'):
        arguments = ['--ros-args', '-r', f'__node:=pointmap_{camera}']
        arguments += ['-p', f'pointmaps.camera_id:={camera}']
        nodes.append(PointmapNode(bus, namespace=NAMESPACE, cli_args=arguments))
        ros.executor.add_node(nodes[-1])
        assert nodes[-1].start()
    yield bus
    for node in nodes:
        ros.executor.remove_node(node)
        node.destroy_node()


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
    from sam3d_ros.nodes.pointmap_node import PointmapNode

    arguments = ['--ros-args', '-p', 'pointmaps.camera_id:=2/left']
    node = PointmapNode(namespace='/refused', cli_args=arguments)
    assert not node.start()
    assert 'pointmaps.camera_id = "2/left"; wanted letters, digits' in capfd.readouterr().err
    node.destroy_node()


def test_one_session_takes_both_and_gives_each_object_one_id(ros, rig, frames):
    from sam3d_ros.nodes.objects_node import ObjectsNode

    arguments = ['--ros-args', '-p', 'session.cameras:=left, right']
    node = ObjectsNode(rig, namespace=NAMESPACE, cli_args=arguments)
    ros.executor.add_node(node)
    assert node.start()
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
    for camera in cameras.values():
        camera.close()
    detections.close()
    ros.executor.remove_node(node)
    node.destroy_node()
