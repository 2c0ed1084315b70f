# SPDX-License-Identifier: Apache-2.0
"""Recordings come out of the replay node byte for byte, in their time, with a clock."""

import itertools

import numpy as np
import pytest

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topics import Quality, Topic
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

pytestmark = pytest.mark.dds

START_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000_000
IMAGE = Topic('/replayed/image', 'sensor_msgs/msg/Image', Quality.SENSOR_DATA)
STATIC = Topic('/tf_static', 'tf2_msgs/msg/TFMessage', Quality.TF_STATIC)
CLOCK = Topic('/clock', 'rosgraph_msgs/msg/Clock', Quality.RELIABLE)


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """Return a recording of ten tiny images and one static transform."""
    path = tmp_path_factory.mktemp('replay') / 'recording'
    types = StoreTypes()
    with RecordingWriter(path) as writer:
        writer.write(STATIC.name, STATIC.type, START_NS, types.new(STATIC.type), Quality.TF_STATIC)
        for number in range(10):
            stamp_ns = START_NS + number * STEP_NS
            header = header_message(types, stamp_ns, 'camera')
            pixels = np.full((4, 6, 3), number, np.uint8)
            image = encode_image(pixels, 'rgb8', typestore().types[IMAGE.type], header)
            writer.write(IMAGE.name, IMAGE.type, stamp_ns, image, IMAGE.quality)
    return path


@pytest.fixture
def replay(ros, recording):
    """Return a function that plays the recording to its end and returns the node's exit code."""
    from sam3d_ros.nodes.replay.replay_node import ReplayNode

    made = []

    def play(path=recording, **parameters):
        arguments = ['--ros-args', '-p', f'replay.recording:={path}']
        for name, value in parameters.items():
            arguments += ['-p', f'replay.{name}:={value}']
        node = ReplayNode(cli_args=arguments)
        made.append(node)
        ros.spin(node)
        if not node.start():
            return None
        ros.until(node.finished.is_set)
        return node.exit_code

    yield play
    for node in made:
        ros.destroy(node)


class Bytes:
    """The raw messages of a topic."""

    def __init__(self, ros, topic):
        from sam3d_ros.messages.types import import_message
        from sam3d_ros.ros.qos import profile

        self.got = []
        self._node = ros.node
        # Deeper than the graph's own, so that a fast replay fits.
        chosen = profile(topic.quality)
        chosen.depth = 1000
        self._subscription = ros.node.create_subscription(
            import_message(topic.type), topic.name, self.got.append, chosen, raw=True
        )

    def close(self):
        self._node.destroy_subscription(self._subscription)


@pytest.fixture
def listen(ros):
    made = []

    def start(topic):
        made.append(Bytes(ros, topic))
        return made[-1]

    yield start
    for listener in made:
        listener.close()


def recorded(path, topic):
    with Recording(path) as recording:
        return [message.data for message in recording.messages([topic])]


def test_the_recorded_bytes_come_out_in_order(ros, recording, replay, listen):
    images, static = listen(IMAGE), listen(STATIC)
    assert replay(rate=20.0) == 0
    ros.until(lambda: len(images.got) == 10 and static.got)
    assert images.got == recorded(recording, IMAGE.name)
    assert static.got[0] == recorded(recording, STATIC.name)[0]


def test_the_clock_runs_with_the_recording_and_starts_again_with_each_round(ros, replay, listen):
    images, clock = listen(IMAGE), listen(CLOCK)
    assert replay(rate=10.0, loop=2, clock='true') == 0

    def stamps():
        return [
            int.from_bytes(data[4:8], 'little') * 10**9 + int.from_bytes(data[8:12], 'little')
            for data in tuple(clock.got)
        ]

    def ends():
        return stamps().count(START_NS + 9 * STEP_NS)

    # Images and clock come on different topics: either may be delivered first.
    ros.until(lambda: len(images.got) == 20 and ends() == 2)
    times = stamps()
    assert sum(b < a for a, b in itertools.pairwise(times)) == 1
    assert min(times) >= START_NS
    assert max(times) <= START_NS + 9 * STEP_NS
    assert max(b - a for a, b in itertools.pairwise(times)) <= 2 * STEP_NS


def test_a_start_offset_leaves_out_the_beginning_but_not_static_tf(ros, replay, listen):
    images, static = listen(IMAGE), listen(STATIC)
    assert replay(rate=20.0, start_s=0.25) == 0
    ros.until(lambda: len(images.got) == 5 and static.got)
    assert images.got[0][8:12] == (5 * STEP_NS).to_bytes(4, 'little')


def test_reliability_can_be_chosen(ros, replay, listen):
    reliable = listen(Topic(IMAGE.name, IMAGE.type, Quality.RELIABLE))
    assert replay(rate=20.0, reliability='reliable') == 0
    ros.until(lambda: len(reliable.got) == 10)


def test_without_anybody_listening_it_plays_after_a_bounded_wait(replay):
    assert replay(rate=100.0, wait_s=0.2) == 0


def test_a_pace_that_gets_no_results_goes_on(replay, listen):
    listen(IMAGE)
    assert replay(rate=100.0, pace='/nobody/objects', pace_timeout_s=0.1) == 0


def test_what_is_no_recording_does_not_start(replay, tmp_path):
    assert replay(path=tmp_path / 'nothing') is None


def test_a_ros_1_bag_is_published_as_todays_types(ros, replay, listen, tmp_path):
    """Fields D, K, R, P in capitals, headers with a sequence number, and tf/tfMessage."""
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    definition = 'geometry_msgs/TransformStamped[] transforms'
    store.register(get_types_from_msg(definition, 'tf/msg/tfMessage'))
    classes = store.types

    def header(frame_id):
        stamp = classes['builtin_interfaces/msg/Time'](1_700_000_000, 5)
        return classes['std_msgs/msg/Header'](7, stamp, frame_id)

    roi = classes['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    K = np.array([5.0, 0, 2.5, 0, 5, 1.5, 0, 0, 1])
    info = classes['sensor_msgs/msg/CameraInfo'](
        header('camera'),
        4,
        6,
        'plumb_bob',
        np.zeros(5),
        K,
        np.eye(3).reshape(9),
        np.zeros(12),
        0,
        0,
        roi,
    )
    point = classes['geometry_msgs/msg/Vector3'](1.0, 2.0, 3.0)
    turn = classes['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)
    transform = classes['geometry_msgs/msg/Transform'](point, turn)
    edge = classes['geometry_msgs/msg/TransformStamped'](header('map'), 'camera', transform)
    path = tmp_path / 'old.bag'
    with Writer(path) as writer:
        for topic, kind, message in (
            ('/old/camera_info', 'sensor_msgs/msg/CameraInfo', info),
            ('/old/tf', 'tf/msg/tfMessage', classes['tf/msg/tfMessage']([edge])),
        ):
            connection = writer.add_connection(topic, kind, typestore=store)
            writer.write(connection, START_NS, bytes(store.serialize_ros1(message, kind)))
    infos = listen(Topic('/old/camera_info', 'sensor_msgs/msg/CameraInfo', Quality.RELIABLE))
    edges = listen(Topic('/old/tf', 'tf2_msgs/msg/TFMessage', Quality.TF))
    assert replay(path=path, frame_override='/old/camera_info=lens') == 0
    ros.until(lambda: infos.got and edges.got)
    today = typestore().deserialize_cdr(infos.got[0], 'sensor_msgs/msg/CameraInfo')
    assert np.array_equal(today.k, K) and today.header.frame_id == 'lens'
    assert today.header.stamp.nanosec == 5
    tf = typestore().deserialize_cdr(edges.got[0], 'tf2_msgs/msg/TFMessage')
    assert tf.transforms[0].child_frame_id == 'camera'
    assert tf.transforms[0].transform.translation.z == 3.0


def test_stamps_of_receipt(ros, recording, replay, listen):
    images = listen(IMAGE)
    assert replay(rate=20.0, stamps='receive', stamp_offset='/nobody=1.0') == 0
    ros.until(lambda: len(images.got) == 10)
    assert [data[8:12] for data in images.got] == [
        data[8:12] for data in recorded(recording, IMAGE.name)
    ]
