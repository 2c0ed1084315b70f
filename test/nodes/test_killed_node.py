# SPDX-License-Identifier: Apache-2.0
"""A node that dies in the middle of the work: the others go on, and so does it once it is back."""

import os
import signal

import pytest

from sam3d_ros.messages import topics
from sam3d_ros.nodes.graph import NODES, GraphOptions, node_command
from sam3d_ros.nodes.processes import Processes

pytestmark = pytest.mark.dds

NAMESPACE = '/killed'


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def show_until_seen(camera, objects, frames):
    """Show frames until one comes out as objects: the nodes are then all there again."""
    for _ in range(60):
        (frame,) = frames(1)
        camera.show(frame)
        try:
            return objects.wait(lambda m, at=frame.stamp_ns: stamp_ns(m) == at, 1.0)
        except AssertionError:
            continue
    raise AssertionError('no frame came through')


def test_objects_keep_their_ids_when_nodes_are_killed_and_restarted(ros, frames, play, tmp_path):
    arguments = GraphOptions(namespace=NAMESPACE).ros_arguments()
    objects, camera = ros.listener(topics.OBJECTS, NAMESPACE), ros.camera(NAMESPACE)
    with Processes(tmp_path) as processes:
        for node in NODES:
            processes.start(node, node_command(node, arguments))
        ros.until(lambda: camera.subscribers() > 0, 60.0)
        show_until_seen(camera, objects, frames)
        before = play(camera, objects, frames(3))
        assert len(before.objects) == 2
        for name in ('reconstruction', 'scene'):
            os.kill(processes.pid(name), signal.SIGKILL)
            processes.wait(name, 10.0)
            assert [death.name for death in processes.deaths()] == [name]
            processes.restart(name)
            show_until_seen(camera, objects, frames)
        after = play(camera, objects, frames(2))
        assert [item.id for item in after.objects] == [item.id for item in before.objects]
        assert processes.stop() == []
    objects.close()
    camera.close()
