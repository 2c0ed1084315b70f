# SPDX-License-Identifier: Apache-2.0
"""Topics are chosen as documented; nothing is guessed where two fit."""

import cv2
import numpy as np
import pytest
from made_up_recordings import TYPES, Message, image, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import Overrides, select
from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.headers import header_message

COLOR = np.zeros((12, 16, 3), np.uint8)
DEPTH = np.full((12, 16), 900, '<u2')


def color(topic, frame='optical', encoding='rgb8', pixels=COLOR):
    content = image(header_message(TYPES, 5, frame), pixels, encoding)
    return Message(topic, 'sensor_msgs/msg/Image', 5, content)


def depth(topic, frame='optical', pixels=DEPTH):
    encoding = '32FC1' if pixels.dtype.kind == 'f' else '16UC1'
    return color(topic, frame, encoding, pixels)


def compressed(topic, form, data, frame='optical'):
    content = TYPES.new(
        'sensor_msgs/msg/CompressedImage',
        header=header_message(TYPES, 5, frame),
        format=form,
        data=np.frombuffer(data, np.uint8),
    )
    return Message(topic, 'sensor_msgs/msg/CompressedImage', 5, content)


def png(pixels) -> bytes:
    return cv2.imencode('.png', pixels)[1].tobytes()


def compressed_depth(topic):
    return compressed(topic, '16UC1; compressedDepth png', bytes(12) + png(DEPTH))


def info(topic):
    content = TYPES.new('sensor_msgs/msg/CameraInfo', header=header_message(TYPES, 5, 'optical'))
    return Message(topic, 'sensor_msgs/msg/CameraInfo', 5, content)


def cloud(topic):
    content = TYPES.new('sensor_msgs/msg/PointCloud2', header=header_message(TYPES, 5, 'lidar'))
    return Message(topic, 'sensor_msgs/msg/PointCloud2', 5, content)


@pytest.fixture
def chosen(tmp_path):
    """Write messages and return the selection as (rgb, info, depth, its info, points)."""

    def choose(*made, **overrides):
        with Recording(write(tmp_path / 'r', made)) as recording:
            found = select(recording, Overrides(**overrides))
        names = [stream and stream.topic for stream in (found.rgb, found.depth, found.points)]
        return names[0], found.rgb_info, names[1], found.depth_info, names[2]

    return choose


def test_first_colour_by_name_with_the_info_beside_it(chosen):
    made = (color('/b/image'), color('/a/image'), depth('/a/depth'), info('/a/camera_info'))
    assert chosen(*made, info('/b/camera_info')) == (
        '/a/image',
        '/a/camera_info',
        '/a/depth',
        '/a/camera_info',
        None,
    )


def test_compressed_colour_and_depth(chosen):
    made = (
        compressed('/a/image/compressed', 'rgb8; jpeg compressed bgr8', png(COLOR)),
        compressed_depth('/d/image/compressedDepth'),
        info('/a/camera_info'),
        info('/d/camera_info'),
    )
    assert chosen(*made) == (
        '/a/image/compressed',
        '/a/camera_info',
        '/d/image/compressedDepth',
        '/d/camera_info',
        None,
    )


def test_raw_before_compressed_of_the_same_depth(chosen):
    made = (compressed_depth('/d/image/compressedDepth'), depth('/d/image'))
    assert chosen(color('/a/image'), info('/a/camera_info'), *made)[2] == '/d/image'


def test_infrared_is_colour_only_when_there_is_no_other(chosen):
    grey = color('/a/infra', encoding='mono8', pixels=COLOR[..., 0])
    made = (grey, depth('/a/depth'), info('/a/camera_info'))
    assert chosen(*made)[0] == '/a/infra'


def test_colour_before_infrared_of_an_earlier_name(chosen):
    grey = color('/a/infra', encoding='mono8', pixels=COLOR[..., 0])
    made = (grey, color('/c/image'), depth('/a/depth'), info('/c/camera_info'))
    assert chosen(*made)[0] == '/c/image'


@pytest.mark.parametrize(
    'better',
    [
        depth('/z/aligned'),
        depth('/z/aligned', pixels=np.ones((12, 16), '<f4')),
    ],
)
def test_depth_prefers_colours_frame_and_size(chosen, better):
    worse = (
        depth('/a/other_frame', frame='depth_optical'),
        depth('/a/other_size', pixels=np.ones((6, 8), '<u2')),
    )
    assert chosen(color('/c/image'), info('/c/camera_info'), *worse, better)[2] == '/z/aligned'


def test_points_serve_where_there_is_no_depth(chosen):
    made = (color('/c/image'), info('/c/camera_info'), cloud('/lidar'))
    assert chosen(*made) == ('/c/image', '/c/camera_info', None, None, '/lidar')


def test_depth_before_points_unless_points_are_named(chosen):
    made = (color('/c/image'), info('/c/camera_info'), cloud('/lidar'), depth('/c/depth'))
    assert chosen(*made)[2:] == ('/c/depth', '/c/camera_info', None)


def test_overrides(chosen):
    made = (
        color('/a/image'),
        color('/b/image'),
        depth('/a/depth'),
        depth('/b/depth'),
        info('/a/camera_info'),
        info('/x/info'),
        cloud('/lidar'),
    )
    assert chosen(*made, rgb='/b/image', info='/x/info', points='/lidar') == (
        '/b/image',
        '/x/info',
        None,
        None,
        '/lidar',
    )


def test_a_named_depth(chosen):
    made = (color('/a/image'), depth('/a/d'), depth('/b/d'), info('/a/camera_info'))
    assert chosen(*made, depth='/b/d')[2:4] == ('/b/d', None)


BASE = (color('/c/image'), info('/c/camera_info'))


@pytest.mark.parametrize(
    ('made', 'overrides', 'reason'),
    [
        ((*BASE, depth('/a/d'), depth('/b/d')), {}, r'/a/d, /b/d.*Type --depth /a/d'),
        ((*BASE, cloud('/l1'), cloud('/l2')), {}, r'/l1, /l2.*Type --points /l1'),
        ((color('/c/image'), depth('/c/d')), {}, r'no CameraInfo beside /c/image.*--info'),
        (
            (color('/c/image'), depth('/c/d'), info('/c/i1'), info('/c/i2')),
            {},
            r'/c/i1, /c/i2.*Type --info /c/i1',
        ),
        ((depth('/c/d'), info('/c/camera_info')), {}, r'no topic with a colour encoding.*--rgb'),
        (BASE, {}, r'neither depth images nor points.*--depth'),
        (BASE, {'rgb': '/nothing'}, r'--rgb /nothing: no such.*one of: /c/image'),
        (BASE, {'info': '/nothing'}, r'--info /nothing: no such.*one of: /c/camera_info'),
    ],
)
def test_what_cannot_be_chosen_stops_with_the_line_to_type(chosen, made, overrides, reason):
    with pytest.raises(RecordingError, match=reason):
        chosen(*made, **overrides)


def test_the_shelf(shared_data):
    with Recording(shared_data / 'recordings' / 'shelf') as recording:
        found = select(recording)
    assert found.rgb.topic == '/camera/color/image_raw/compressed'
    assert found.depth.topic == '/camera/aligned_depth_to_color/image_raw'
    assert found.rgb_info == '/camera/color/camera_info'
