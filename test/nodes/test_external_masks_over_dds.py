# SPDX-License-Identifier: Apache-2.0
"""Masks of other nodes: a label image of anybody's, and our own segmentation node, also killed."""

import os
import signal

import numpy as np
import pytest

from sam3d_ros.messages import topics
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.types import StoreTypes, import_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.graph import node_command
from sam3d_ros.nodes.processes import Processes
from sam3d_ros.ros.qos import profile

pytestmark = pytest.mark.dds


def ids(message):
    return [item.id for item in message.objects]


def sources(message):
    return {item.source for item in message.instances}


@pytest.fixture
def labels(ros):
    """Return what publishes a label image in a namespace, and a list of what to close."""
    topic, made = topics.EXTERNAL_LABELS, []

    def publish(namespace, frame, image, encoding='mono16'):
        if not made:
            kind = import_message(topic.type)
            name = topic.resolve(namespace)
            made.append(ros.node.create_publisher(kind, name, profile(topic.quality)))
            ros.until(lambda: made[0].get_subscription_count() > 0)
        header = header_message(StoreTypes(), frame.stamp_ns, frame.frame_id)
        message = encode_image(image, encoding, typestore().types[topic.type], header)
        made[0].publish(encode(message, topic.type))

    yield publish
    for publisher in made:
        ros.node.destroy_publisher(publisher)


def test_a_label_image_takes_the_place_of_our_own_masks(ros, frames, play, labels):
    graph = ros.graph('/labelled')
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    instances = graph.listen(topics.INSTANCES)
    shown = frames(6)
    assert ids(play(camera, objects, shown[:2])) == ['1', '2']
    wide = np.where(instances.messages[-1].id_image.data.view(np.uint16) == 1, 900, 0)
    image = wide.reshape(shown[0].depth_m.shape).astype(np.uint16)
    for frame in shown[2:]:
        labels('/labelled', frame, image)
        play(camera, objects, [frame])
    instances.wait(lambda m: sources(m) == {'external'})
    assert graph.nodes['objects']._session._outside.expects(shown[-1])
    labels('/labelled', shown[-1], image.astype(np.float32), '32FC1')
    ros.until(lambda: '32FC1' in str(graph.nodes['objects'].health.status('stage')))
    instances.close()
    objects.close()
    graph.close()


def test_a_killed_segmentation_node_costs_no_object(ros, frames, play, tmp_path):
    graph = ros.graph('/apart', {'session.external_wait_s': 0.5})
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    found = graph.listen(topics.EXTERNAL_INSTANCES)
    session = graph.nodes['objects']._session
    with Processes(tmp_path) as processes:
        arguments = ['--ros-args', '-r', '__ns:=/apart']
        processes.start('segmentation', node_command('segmentation', arguments))
        ros.until(lambda: ros.node.count_publishers('/apart/objects/external_instances') > 0, 60.0)
        for _ in range(50):
            (frame,) = frames(1)
            before = play(camera, objects, [frame])
            if found.messages and session._outside.expects(frame):
                break
        assert session._outside.expects(frame), 'it segments for the session'
        assert found.messages[0].instances[0].track_id == ''
        assert ids(before) == ['1', '2']
        os.kill(processes.pid('segmentation'), signal.SIGKILL)
        processes.wait('segmentation', 10.0)
        after = play(camera, objects, frames(8))
        assert ids(after) == ids(before)
        assert not session._outside.expects(frames(1)[0]), 'the session segments itself'
        assert all(b.hits > a.hits for a, b in zip(before.objects, after.objects, strict=True))
        assert [str(death) for death in processes.deaths()]
    found.close()
    objects.close()
    graph.close()
