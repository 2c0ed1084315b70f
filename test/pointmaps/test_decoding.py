# SPDX-License-Identifier: Apache-2.0
"""Messages to inputs: rectified by topic, errors that name it."""

from types import SimpleNamespace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topic_names import is_rectified
from sam3d_ros.pointmaps.decoding import Decoder

TYPES = get_typestore(Stores.ROS2_JAZZY).types


def header(frame_id='/camera'):
    stamp = SimpleNamespace(sec=3, nanosec=5)
    return SimpleNamespace(stamp=stamp, frame_id=frame_id)


def image(array, encoding, frame_id='/camera'):
    return encode_image(array, encoding, TYPES['sensor_msgs/msg/Image'], header(frame_id))


CAMERA = Camera(6, 4, np.array([[5.0, 0, 2.5], [0, 5, 1.5], [0, 0, 1]]))
INFO = encode_camera(
    CAMERA,
    TYPES['sensor_msgs/msg/CameraInfo'],
    TYPES['sensor_msgs/msg/RegionOfInterest'],
    header(),
)
RGB = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ('topic', 'expected'),
    [
        ('/rgb/image_rect_color', True),
        ('/depth/image_rect_raw', True),
        ('/rgb/image_rect/compressed', True),
        ('/rgb/image_raw', False),
        ('/direct/image_raw', False),
        ('/rgb/image_color/compressed', False),
        ('/corrector/rectangle/image', False),
        ('/camera/rect/image', True),
        ('/camera/rect/image_raw', False),
    ],
)
def test_rectified_by_the_name_of_the_topic(topic, expected):
    assert is_rectified(topic) is expected
    assert is_rectified(topic, 'yes') and not is_rectified(topic, 'no')


def test_messages_become_inputs():
    color = Decoder().color(image(RGB, 'bgr8'), INFO)
    assert (color.stamp_ns, color.frame_id) == (3_000_000_005, 'camera')
    assert color.lens.rectified.fx == 5
    depth = Decoder().depth(image(np.full((4, 6), 1500, np.uint16), '16UC1'), None)
    assert depth.lens is None and depth.depth_m[0, 0] == 1.5
    points = np.ones((4, 6, 3), np.float32)
    classes = (TYPES[f'sensor_msgs/msg/{name}'] for name in ('PointCloud2', 'PointField'))
    cloud = Decoder().cloud(encode_pointmap(points, RGB, *classes, header('/lidar')))
    assert cloud.frame_id == 'lidar' and cloud.points_m.shape == (4, 6, 3)


def test_errors_name_the_topic():
    with pytest.raises(InputError, match=r'^/rgb/image: colour image with encoding "16UC1"'):
        wrong = image(np.zeros((4, 6), np.uint16), '16UC1')
        Decoder().color(wrong, INFO, '/rgb/image')
    with pytest.raises(InputError, match=r'^/depth: an image of 3x2 with a CameraInfo for 6x4'):
        small = image(np.zeros((2, 3), np.uint16), '16UC1')
        Decoder().depth(small, INFO, '/depth')
    with pytest.raises(InputError, match=r'^colour: .*empty frame_id'):
        Decoder().color(image(RGB, 'rgb8', ''), INFO)


def test_foreign_encodings_go_to_who_knows_them():
    pixels = np.full((4, 6, 3), 7, np.uint8)
    message, known = image(RGB, 'rgb8'), image(RGB, 'rgb8')
    message.encoding = 'nv21'
    decoder = Decoder(foreign=lambda given: pixels)
    assert decoder.color(message, INFO).rgb is pixels
    assert np.array_equal(decoder.color(known, INFO).rgb, RGB)
    with pytest.raises(InputError, match='"nv21"'):
        Decoder().color(message, INFO)
