# SPDX-License-Identifier: Apache-2.0
"""Shapes made by another node, which dies in the middle of its work."""

import os
import signal

import pytest
from sam3d_msgs.msg import Work
from sam3d_msgs.srv import ClearScene

from sam3d_ros.core.workers.protocol import Kind, Message, pack, unpack
from sam3d_ros.messages import topics
from sam3d_ros.nodes.graph import node_command
from sam3d_ros.nodes.processes import Processes
from sam3d_ros.nodes.reconstruction.work import work

pytestmark = pytest.mark.dds


def kinds(listener):
    return [unpack(bytes(message.data)).kind for message in listener.messages if message.client]


def test_a_reconstruction_node_that_dies_costs_no_shape(ros, frames, play, tmp_path):
    graph = ros.graph('/helped')
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    done = graph.listen(topics.WORK_DONE)
    elsewhere = graph.nodes['objects']._elsewhere
    with Processes(tmp_path) as processes:
        arguments = ['--ros-args', '-r', '__ns:=/helped']
        processes.start('reconstruction', node_command('reconstruction', arguments))
        ros.until(lambda: elsewhere.is_there, 60.0)
        made = play(camera, objects, frames(3))
        assert len(made.objects) == 2
        assert kinds(done) and set(kinds(done)) == {Kind.RESULT}
        os.kill(processes.pid('reconstruction'), signal.SIGSTOP)
        assert graph.call(ClearScene, 'scene/clear').success
        objects.clear()
        count = len(kinds(done))
        again = play(camera, objects, frames(3))
        assert len(again.objects) == 2, 'asked of it, then made here'
        assert len(kinds(done)) == count
        os.kill(processes.pid('reconstruction'), signal.SIGKILL)
        processes.wait('reconstruction', 10.0)
        assert not elsewhere.is_there
        assert len(play(camera, objects, frames(1)).objects) == 2
        assert [str(death) for death in processes.deaths()]
    for listener in (done, objects):
        listener.close()
    graph.close()


def test_a_request_that_cannot_be_read_and_one_that_fails(ros):
    from sam3d_ros.nodes.reconstruction.reconstruction_node import ReconstructionNode

    node = ReconstructionNode(namespace='/alone')
    ros.spin(node)
    assert node.start()
    asked = ros.node.create_publisher(Work, '/alone/reconstruction/work', 10)
    done = ros.listener(topics.WORK_DONE, '/alone')
    ros.until(lambda: asked.get_subscription_count() > 0)
    done.wait(lambda m: unpack(bytes(m.data)).kind == Kind.READY)
    asked.publish(Work(client='me', number=1, data=pack(Message(Kind.LOAD))[:-1]))
    asked.publish(work('me', 2, Message(Kind.LOAD, {'backend': 'no_such'})))
    answer = done.wait(lambda m: m.client == 'me')
    assert answer.number == 2
    message = unpack(bytes(answer.data))
    assert message.kind == Kind.FAILURE and 'no_such' in message.fields['reason']
    done.close()
    ros.node.destroy_publisher(asked)
    ros.destroy(node)
