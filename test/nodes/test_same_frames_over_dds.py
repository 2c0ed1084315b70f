# SPDX-License-Identifier: Apache-2.0
"""A recording read offline, and played into the pointmap node over DDS: the same bytes."""

import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'bags'))

from made_up_recordings import EYES, Message, frames, messages, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.messages.frames import encode_frame
from sam3d_ros.messages.topics import TF, TF_STATIC, Quality
from sam3d_ros.messages.types import import_message
from sam3d_ros.pipeline.frames import FrameReader
from sam3d_ros.pointmaps.config import PointmapConfig

pytestmark = pytest.mark.dds

NAMESPACE = '/same'
INPUTS = {
    '/camera/color/image': 'rgb/image_rect_color',
    '/camera/color/camera_info': 'rgb/camera_info',
    '/camera/depth/image': 'depth_registered/image_rect',
    '/camera/depth/camera_info': 'depth_registered/camera_info',
}
LAG_NS = 12_000_000
"""Depth is so much later than colour: pairs are not of equal stamps."""


@pytest.fixture
def recording(boxes_world, tmp_path):
    """A camera that moves, depth in a frame of its own, TF a little after the images."""
    made = messages(frames(boxes_world, len(EYES)), lag_ns=LAG_NS)
    for item in made:
        if item.topic.startswith('/camera/depth'):
            item.content.header.frame_id = 'depth_optical'
    aside = copy.deepcopy(made[0].content)
    (edge,) = aside.transforms
    edge.header.frame_id, edge.child_frame_id = 'optical', 'depth_optical'
    edge.transform.translation.z, edge.transform.translation.x = 0.0, 0.02
    made.insert(1, Message(made[0].topic, made[0].type, made[0].stamp_ns, aside))
    tf = [item for item in made if item.topic == TF.name]
    late = replace(tf[-1], content=copy.deepcopy(tf[-1].content))
    late.content.transforms[0].header.stamp.nanosec += 20_000_000
    named = [
        replace(item, topic=f'{NAMESPACE}/{INPUTS[item.topic]}') if item.topic in INPUTS else item
        for item in [*made, late]
    ]
    return write(tmp_path / 'moving', named)


def offline(path):
    with Recording(path) as recording:
        return list(FrameReader(recording, select(recording), PointmapConfig()))


class Player:
    """Publishes the messages of a recording in the order they were received."""

    def __init__(self, ros, path):
        from sam3d_ros.ros.qos import profile

        self._ros = ros
        with Recording(path) as recording:
            self.messages = [
                (m.topic, recording.cdr(m))
                for m in recording.messages({topic.name for topic in recording.topics})
            ]
            kinds = {topic.name: topic.type for topic in recording.topics}
        qualities = {TF.name: Quality.TF, TF_STATIC.name: Quality.TF_STATIC}
        self.outputs = {
            name: ros.node.create_publisher(
                import_message(kind), name, profile(qualities.get(name, Quality.RELIABLE))
            )
            for name, kind in kinds.items()
        }

    def play(self, received):
        """Play everything, no image before the pair that the last one settled is through."""
        color = f'{NAMESPACE}/rgb/image_rect_color'
        shown = 0
        for topic, data in self.messages:
            self.outputs[topic].publish(data)
            shown += topic == color
            self._ros.until(lambda ahead=shown: len(received) + 1 >= ahead)

    def close(self):
        for output in self.outputs.values():
            self._ros.node.destroy_publisher(output)


def test_frames_live_and_offline_have_the_same_bytes(ros, recording):
    from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode

    expected = offline(recording)
    assert len(expected) == len(EYES)
    assert all(np.isfinite(frame.depth_m).mean() > 0.5 for frame in expected)
    player = Player(ros, recording)
    # The node then subscribes as they offer, reliably, from the beginning.
    ros.until(lambda: all(map(ros.node.count_publishers, player.outputs)))
    node = PointmapNode(namespace=NAMESPACE, cli_args=[])
    ros.spin(node)
    assert node.start()
    received = []
    node._frames.send = lambda frame, _: received.append(frame)
    ros.until(lambda: all(o.get_subscription_count() for o in player.outputs.values()))
    # What was sent before the node's side knew the sender is lost: TF is sent until it is heard.
    first = [item for item in player.messages[:4] if item[0] in (TF.name, TF_STATIC.name)]

    def heard():
        for topic, data in first:
            player.outputs[topic].publish(data)
        return node._transforms.tree.root('depth_optical') == expected[0].fixed_frame

    ros.until(heard)
    player.play(received)
    ros.until(lambda: len(received) == len(expected))
    assert node._waiting.dropped == 0
    for live, recorded in zip(received, expected, strict=True):
        assert encode_frame(live) == encode_frame(recorded)
    ros.destroy(node)
    player.close()
