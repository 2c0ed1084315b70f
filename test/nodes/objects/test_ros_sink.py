# SPDX-License-Identifier: Apache-2.0
"""Poses leave at once; what is large follows when there is time, and never an older one."""

import queue
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from made_up_scenes import STAMP_NS, scene, scene_object

from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.topics import DETECTIONS, OBJECTS, TF
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.links import stamp_of
from sam3d_ros.nodes.objects.ros_sink import RosSink
from sam3d_ros.session.result import NOBODY

WAIT_S = 10.0


class Wire:
    """Notes what was published on which topic; the list of objects takes until it may pass."""

    def __init__(self):
        self.sent = []
        self.broken = None
        self.is_listing, self.may_pass = threading.Event(), threading.Event()
        self._changed = threading.Condition()

    def publisher(self, topic):
        return Output(self, topic)

    def take(self, topic, data):
        if topic == self.broken:
            raise OSError('no wire')
        if topic == OBJECTS:
            self.is_listing.set()
            assert self.may_pass.wait(WAIT_S)
        with self._changed:
            self.sent.append((topic, data))
            self._changed.notify_all()

    def stamps(self, topic):
        """Return the tenths of a second of what was published on a topic."""
        begin = 0 if topic != TF else 4  # TF begins with the number of its transforms
        sent = [stamp_of(data[begin:]) for each, data in self.sent if each == topic]
        return [(stamp - STAMP_NS) // 100_000_000 for stamp in sent]

    def wait_for(self, topic, stamps):
        with self._changed:
            assert self._changed.wait_for(lambda: self.stamps(topic) == stamps, WAIT_S)


class Output:
    def __init__(self, wire, topic):
        self.publish = lambda data: wire.take(topic, data)
        self.get_subscription_count = lambda: 0


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def failures():
    return queue.SimpleQueue()


@pytest.fixture
def sink(wire, failures):
    sink = RosSink(wire.publisher, OutputConfig(list_period_s=0.0), TfConfig(), failures.put)
    yield sink
    wire.may_pass.set()
    sink.close()


def after(tenths, *ids):
    return scene(*map(scene_object, ids), stamp_ns=STAMP_NS + tenths * 100_000_000)


def result(tenths, *ids):
    frame = SimpleNamespace(camera_name='camera')
    return SimpleNamespace(scene=after(tenths, *ids), people=NOBODY, frame=frame)


def frames_told(wire):
    """Return the frames of every message of TF."""
    sent = [typestore().deserialize_cdr(data, TF.type) for each, data in wire.sent if each == TF]
    return [[item.child_frame_id for item in message.transforms] for message in sent]


def test_poses_do_not_wait_for_what_is_large_and_it_is_the_newest_that_follows(wire, sink):
    sink.write_scene(after(0, 3))
    assert wire.is_listing.wait(WAIT_S)
    for tenths in range(1, 5):
        sink.write_scene(after(tenths, 3, 4))
    assert wire.stamps(TF) == wire.stamps(DETECTIONS) == [0, 1, 2, 3, 4]
    assert not wire.stamps(OBJECTS)
    wire.may_pass.set()
    wire.wait_for(OBJECTS, [0, 4, 4, 4, 4])


def test_no_object_is_told_of_twice_at_one_stamp(wire, sink):
    sink.write_early(after(0, 3, 4))
    sink.write(result(0, 3, 4, 5))
    sink.write_early(after(1, 3))
    sink.write(result(1, 3))
    sink.write_early(after(2, 3))
    sink.write(result(3, 3))
    assert frames_told(wire) == [
        ['object_3', 'object_4'],
        ['object_5'],
        ['object_3'],
        ['object_3'],
        ['object_3'],
    ]


def test_frames_of_both_messages_are_those_of_the_lowest_ids(wire, failures):
    tf = TfConfig(max_frames=2)
    sink = RosSink(wire.publisher, OutputConfig(list_period_s=0.0), tf, failures.put)
    sink.write(result(0, 3, 4, 5))
    sink.write_early(after(1, 4, 5))
    sink.write(result(1, 3, 4, 5))
    sink.write_early(after(2, 3, 4, 5))
    # What is listed again has a lower id than the last one that has a frame already.
    sink.write(result(2, 2, 3, 4, 5))
    wire.may_pass.set()
    sink.close()
    assert frames_told(wire) == [
        ['object_3', 'object_4'],
        ['object_4'],
        ['object_3'],
        ['object_3', 'object_4'],
    ]


def test_what_goes_wrong_in_its_own_thread_is_told(wire, sink, failures):
    wire.broken = OBJECTS
    sink.write_scene(after(0, 3))
    assert str(failures.get(timeout=WAIT_S)) == 'no wire'
