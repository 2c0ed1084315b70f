# SPDX-License-Identifier: Apache-2.0
"""Small made-up recordings: a camera that moves past two boxes, in every form that is read."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPES = StoreTypes()
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
BOXES = (
    ((0.0, 0.0, 0.05), (0.12, 0.08, 0.10), (200, 60, 40)),
    ((0.16, 0.1, 0.04), (0.08, 0.1, 0.08), (40, 90, 200)),
)
EYES = [(0.5 - 0.03 * at, -0.6 + 0.02 * at, 0.6) for at in range(6)]


@dataclass(frozen=True)
class Message:
    """One message of a recording in the making."""

    topic: str
    type: str
    stamp_ns: int
    content: object


def frames(boxes_world, count=4, size=(160, 120), eyes=EYES):
    """Return ``count`` frames of the boxes, 0.1 s apart, seen from ``eyes``."""
    return [
        replace(
            boxes_world(eyes[at], BOXES, stamp_ns=START_NS + at * STEP_NS, size=size)[0],
            frame_id='optical',
        )
        for at in range(count)
    ]


def image(header, pixels, encoding, step_padding=0):
    """Return an Image of pixels, rows padded."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, step_padding)))
    return TYPES.new(
        'sensor_msgs/msg/Image',
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


def messages(recorded, encoding='16UC1', compressed=False, lag_ns=0):
    """Return the messages of frames: colour, depth, both CameraInfo, /tf, /tf_static.

    :param lag_ns: how much later depth's stamps are.
    """
    made = []
    T_mount = np.eye(4)
    T_mount[2, 3] = 0.5
    mount = StampedTransform(START_NS, 'world', 'base', T_mount)
    static = transforms_message(TYPES, [mount])
    made.append(Message('/tf_static', 'tf2_msgs/msg/TFMessage', START_NS, static))
    for frame in recorded:
        stamp_ns = frame.stamp_ns
        T_base_cam = np.linalg.inv(T_mount) @ frame.T_fixed_cam
        for delay_ns in (0, lag_ns) if lag_ns else (0,):
            edge = StampedTransform(stamp_ns + delay_ns, 'base', frame.frame_id, T_base_cam)
            tf = transforms_message(TYPES, [edge])
            made.append(Message('/tf', 'tf2_msgs/msg/TFMessage', stamp_ns, tf))
        header = header_message(TYPES, stamp_ns, frame.frame_id)
        made.append(color_message(frame, header, compressed))
        depth_header = header_message(TYPES, stamp_ns + lag_ns, frame.frame_id)
        depth = depth_pixels(frame, encoding)
        made.append(
            Message(
                '/camera/depth/image',
                'sensor_msgs/msg/Image',
                stamp_ns + lag_ns,
                image(depth_header, depth, encoding, step_padding=6),
            )
        )
        for side, side_header in (('color', header), ('depth', depth_header)):
            info = camera_info(frame.camera, side_header)
            made.append(
                Message(
                    f'/camera/{side}/camera_info', 'sensor_msgs/msg/CameraInfo', stamp_ns, info
                )
            )
    return made


def of_camera(made, name, parent='base', later_ns=0):
    """Return messages as those of a camera: topics below its name, a frame of its own."""
    moved = []
    for item in map(copy.deepcopy, made):  # one by one: messages of a frame share a header
        if item.topic == '/tf_static':
            continue
        headers = [item.content.header] if hasattr(item.content, 'header') else []
        for edge in getattr(item.content, 'transforms', ()):
            edge.header.frame_id, edge.child_frame_id = parent, f'{name}_optical'
            headers.append(edge.header)
        for header in {id(each): each for each in headers}.values():
            header.stamp.nanosec += later_ns
            if header.frame_id == 'optical':
                header.frame_id = f'{name}_optical'
        topic = item.topic.replace('/camera/', f'/robot/{name}/')
        moved.append(replace(item, topic=topic, stamp_ns=item.stamp_ns + later_ns))
    return moved


def color_message(frame, header, compressed):
    """Return the colour image, raw or PNG."""
    if not compressed:
        pixels = image(header, frame.rgb, 'rgb8')
        return Message('/camera/color/image', 'sensor_msgs/msg/Image', frame.stamp_ns, pixels)
    _, png = cv2.imencode('.png', frame.rgb[..., ::-1])
    packed = TYPES.new(
        'sensor_msgs/msg/CompressedImage',
        header=header,
        format='rgb8; png compressed bgr8',
        data=png.reshape(-1),
    )
    topic = '/camera/color/image/compressed'
    return Message(topic, 'sensor_msgs/msg/CompressedImage', frame.stamp_ns, packed)


def depth_pixels(frame, encoding):
    """Return depth in an encoding's unit and dtype, 0 or NaN where there is no return."""
    if encoding == '32FC1':
        return frame.depth_m.astype('<f4')
    return np.nan_to_num(np.rint(frame.depth_m * 1000)).astype('<u2')


def camera_info(camera, header):
    """Return the CameraInfo of a pinhole camera."""
    return TYPES.new(
        'sensor_msgs/msg/CameraInfo',
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=camera.K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([camera.K, np.zeros((3, 1))]).reshape(-1),
    )


def write(path: Path, made) -> Path:
    """Write messages with the project's own writer."""
    with RecordingWriter(path) as writer:
        for item in made:
            writer.write(item.topic, item.type, item.stamp_ns, item.content)
    return path


def write_sqlite(path: Path, made) -> Path:
    """Write messages as an old rosbag2 folder: SQLite, without definitions in it."""
    with Writer2(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for item in made:
            if item.topic not in connections:
                connections[item.topic] = writer.add_connection(
                    item.topic, item.type, typestore=typestore()
                )
            writer.write(connections[item.topic], item.stamp_ns, encode(item.content, item.type))
    return path


def write_ros1(path: Path, made) -> Path:
    """Write messages as a ROS 1 bag."""
    store = get_typestore(Stores.ROS1_NOETIC)
    definition = 'geometry_msgs/TransformStamped[] transforms'
    store.register(get_types_from_msg(definition, 'tf2_msgs/msg/TFMessage'))
    with Writer1(path) as writer:
        connections = {}
        for item in made:
            if item.topic not in connections:
                connections[item.topic] = writer.add_connection(
                    item.topic, item.type, typestore=store
                )
            data = store.serialize_ros1(as_ros1(store, item.content), item.type)
            writer.write(connections[item.topic], item.stamp_ns, data)
    return path


def as_ros1(store, message):
    """Return a message in ROS 1's classes: headers have ``seq``, matrices capital names."""
    name = message.__msgtype__
    values = {key.lower(): value for key, value in vars(message).items()}
    fields = {}
    for key, _ in store.fielddefs[name][1]:
        value = values.get(key.lower(), 0)
        if hasattr(value, '__msgtype__'):
            value = as_ros1(store, value)
        elif isinstance(value, list):
            value = [as_ros1(store, item) for item in value]
        fields[key] = value
    return store.types[name](**fields)
