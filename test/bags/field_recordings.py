# SPDX-License-Identifier: Apache-2.0
"""A good small recording of a made-up world, to be written again with one thing changed."""

import copy
from dataclasses import replace

import numpy as np
from made_up_recordings import TYPES, Message, as_ros1, image
from mcap_files import Topic
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sam3d_ros.bags.recording import Recording
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.world.recording import RECORDING, write_episode
from sam3d_ros.world.suites import make_episode

RGB, RGB_INFO = '/camera/color/image_raw', '/camera/color/camera_info'
DEPTH = '/camera/aligned_depth_to_color/image_raw'
DEPTH_INFO = '/camera/aligned_depth_to_color/camera_info'
LIDAR = '/lidar/points'
OPTICAL, LINK = 'camera_color_optical_frame', 'camera_link'
SIZE = (320, 240)


def good_messages(folder, suite='demo', frames=4):
    """Return the messages of an episode, decoded, in the order they were received."""
    write_episode(make_episode(suite, 0, frames=frames, size_px=SIZE), folder)
    with Recording(folder / RECORDING) as recording:
        names = [topic.name for topic in recording.topics]
        return [
            Message(raw.topic, raw.type, raw.log_ns, recording.decode(raw))
            for raw in recording.messages(names)
        ]


def changed(messages, topics, change):
    """Return messages, ``change`` made to copies of the contents of some topics.

    :param topics: one name or several; None = all.
    :param change: takes a message object, changes it or returns another; None = drop it.
    """
    names = {topics} if isinstance(topics, str) else topics
    out = []
    for item in messages:
        if names is None or item.topic in names:
            content = copy.deepcopy(item.content)
            other = change(content)
            out.append(replace(item, content=content if other is None else other))
        else:
            out.append(item)
    return out


def without(messages, *topics):
    """Return messages but those of some topics."""
    return [item for item in messages if item.topic not in topics]


def renamed(messages, **names):
    """Return messages on other topics; keys are RGB, RGB_INFO, DEPTH, DEPTH_INFO, TF."""
    table = {globals().get(key, f'/{key.lower()}'): value for key, value in names.items()}
    return [replace(item, topic=table.get(item.topic, item.topic)) for item in messages]


def headers(message):
    """Yield every header in a message."""
    if hasattr(message, 'header'):
        yield message.header
    for item in getattr(message, 'transforms', ()):
        yield item.header


def renaming(*names):
    """Return a change of frame names: old, new, old, new, ..."""
    table = dict(zip(names[::2], names[1::2], strict=True))

    def apply(message):
        for header in headers(message):
            header.frame_id = table.get(header.frame_id, header.frame_id)
        for item in getattr(message, 'transforms', ()):
            item.child_frame_id = table.get(item.child_frame_id, item.child_frame_id)

    return apply


def stamped(change):
    """Return a change that gives every header the stamp that ``change`` makes of it, ns."""

    def apply(message):
        for header in headers(message):
            stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
            header.stamp.sec, header.stamp.nanosec = divmod(change(stamp_ns), 10**9)

    return apply


def image_beside(messages, topic, pixels, encoding, frame=OPTICAL, like=DEPTH):
    """Return messages with another image topic, one image for each of ``like``."""
    extra = [
        Message(
            topic,
            'sensor_msgs/msg/Image',
            item.stamp_ns,
            image(header_message(TYPES, item.stamp_ns, frame), pixels, encoding),
        )
        for item in messages
        if item.topic == like
    ]
    return sorted([*messages, *extra], key=lambda item: item.stamp_ns)


def compressed_beside(messages, topic, form, data=b'\0\0\0\1\x67' * 50, like=DEPTH):
    """Return messages with a topic of CompressedImage, one message for each of ``like``."""
    extra = [
        Message(
            topic,
            'sensor_msgs/msg/CompressedImage',
            item.stamp_ns,
            TYPES.new(
                'sensor_msgs/msg/CompressedImage',
                header=header_message(TYPES, item.stamp_ns, OPTICAL),
                format=form,
                data=np.frombuffer(data, np.uint8),
            ),
        )
        for item in messages
        if item.topic == like
    ]
    return sorted([*messages, *extra], key=lambda item: item.stamp_ns)


def as_topics(messages, ros1=False):
    """Return messages as topics of an MCAP file, of ROS 2 or of ROS 1."""
    store = ros1_store() if ros1 else typestore()
    topics = {}
    for item in messages:
        if item.topic not in topics:
            definition, _ = store.generate_msgdef(item.type, ros_version=1 if ros1 else 2)
            name = item.type.replace('/msg/', '/') if ros1 else item.type
            kind = ('ros1msg', 'ros1') if ros1 else ('ros2msg', 'cdr')
            topics[item.topic] = Topic(item.topic, name, kind[0], definition, kind[1], [])
        if ros1:
            data = bytes(store.serialize_ros1(as_ros1(store, item.content), item.type))
        else:
            data = encode(item.content, item.type)
        topics[item.topic].messages.append((item.stamp_ns, data))
    return list(topics.values())


def ros1_store():
    """Return the types of ROS 1 with TF."""
    store = get_typestore(Stores.ROS1_NOETIC)
    definition = 'geometry_msgs/TransformStamped[] transforms'
    for name in ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage'):
        if name not in store.fielddefs:
            store.register(get_types_from_msg(definition, name))
    return store
