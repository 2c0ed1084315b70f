# SPDX-License-Identifier: Apache-2.0
"""Images: every encoding, padding and byte order survives; malformed ones say why."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.sensors import images

TYPES = get_typestore(Stores.ROS2_JAZZY).types
HEADER = TYPES['std_msgs/msg/Header'](
    stamp=TYPES['builtin_interfaces/msg/Time'](sec=3, nanosec=5), frame_id='camera'
)
ENCODINGS = [
    *('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', 'rgb16', '16UC1', '32FC1'),
    *('bayer_rggb8', 'bayer_grbg16', 'yuv422', 'yuv422_yuy2', '8UC3', '16SC2', '64FC1', '8UC'),
]


def raw(array, encoding, *, padding=0, big_endian=False):
    """Build an Image by hand, row by row: the oracle for the decoder."""
    rows = [
        row.astype(row.dtype.newbyteorder('>' if big_endian else '<')).tobytes()
        + b'\xab' * padding
        for row in array
    ]
    return SimpleNamespace(
        height=array.shape[0],
        width=array.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=len(rows[0]),
        data=b''.join(rows),
    )


def random_image(encoding, height, width, seed=0):
    dtype, channels = images.layout(encoding)
    rng = np.random.default_rng(seed)
    shape = (height, width) if channels == 1 else (height, width, channels)
    if dtype.kind == 'f':
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@settings(max_examples=60, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
    height=st.integers(1, 7),
    width=st.integers(1, 9),
    padding=st.integers(0, 5),
    big_endian=st.booleans(),
)
def test_decoding_gives_back_what_was_packed(encoding, height, width, padding, big_endian):
    array = random_image(encoding, height, width)
    decoded = images.decode_image(raw(array, encoding, padding=padding, big_endian=big_endian))
    assert decoded.dtype == array.dtype and decoded.dtype.isnative
    np.testing.assert_array_equal(decoded, array)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_encoding_round_trip_through_both_kinds_of_class(encoding):
    array = random_image(encoding, 6, 8)
    classes = [(TYPES['sensor_msgs/msg/Image'], HEADER)]
    try:
        from sensor_msgs.msg import Image
        from std_msgs.msg import Header

        classes.append((Image, Header(frame_id='camera')))
    except ImportError:
        pass
    for image_class, header in classes:
        message = images.encode_image(array[::-1][::-1], encoding, image_class, header)
        assert message.header.frame_id == 'camera'
        np.testing.assert_array_equal(images.decode_image(message), array)


def test_rgb8_is_a_view():
    message = images.encode_image(
        random_image('rgb8', 480, 640), 'rgb8', TYPES['sensor_msgs/msg/Image'], HEADER
    )
    assert np.shares_memory(images.to_rgb(message), message.data)


def test_a_last_row_without_padding_is_complete():
    array = random_image('rgb8', 4, 5)
    message = raw(array, 'rgb8', padding=3)
    message.data = message.data[:-3]
    np.testing.assert_array_equal(images.decode_image(message), array)


COLOR = np.array([[[200, 30, 90]]], np.uint8).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('bgr8', COLOR[..., ::-1]),
        ('rgba8', np.dstack([COLOR, np.full((8, 8), 7, np.uint8)])),
        ('bgra8', np.dstack([COLOR[..., ::-1], np.full((8, 8), 7, np.uint8)])),
        ('rgb16', COLOR.astype(np.uint16) * 257),
        ('bgr16', COLOR[..., ::-1].astype(np.uint16) * 257),
        ('rgba16', np.dstack([COLOR, COLOR[..., :1]]).astype(np.uint16) * 257),
    ],
)
def test_every_channel_order_gives_the_same_colour(encoding, pixels):
    np.testing.assert_array_equal(images.to_rgb(raw(pixels, encoding)), COLOR)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_bayer_mosaics_give_back_a_flat_colour(pattern, bits):
    scale, dtype = (1, np.uint8) if bits == 8 else (257, np.uint16)
    mosaic = np.zeros((8, 8), dtype)
    for at, channel in enumerate(pattern):
        mosaic[at // 2 :: 2, at % 2 :: 2] = int(COLOR[0, 0, 'rgb'.index(channel)]) * scale
    rgb = images.to_rgb(raw(mosaic, f'bayer_{pattern}{bits}'))
    np.testing.assert_array_equal(rgb[2:-2, 2:-2], COLOR[2:-2, 2:-2])


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv422_gives_back_a_flat_colour(encoding):
    r, g, b = (float(c) for c in COLOR[0, 0])
    y = 0.257 * r + 0.504 * g + 0.098 * b + 16
    u, v = -0.148 * r - 0.291 * g + 0.439 * b + 128, 0.439 * r - 0.368 * g - 0.071 * b + 128
    pair = [u, y, v, y] if encoding in ('yuv422', 'uyvy') else [y, u, y, v]
    pixels = np.tile(np.round(pair).astype(np.uint8), (8, 4)).reshape(8, 8, 2)
    np.testing.assert_allclose(images.to_rgb(raw(pixels, encoding)), COLOR, atol=3)


def test_grey_images_are_colour_too():
    grey = random_image('mono8', 5, 6)
    np.testing.assert_array_equal(images.to_rgb(raw(grey, 'mono8')), np.dstack([grey] * 3))
    np.testing.assert_array_equal(
        images.to_rgb(raw(grey.astype(np.uint16) * 257, 'mono16')), np.dstack([grey] * 3)
    )


def test_depth_means_the_same_in_both_encodings():
    millimetres = np.array([[0, 1, 1234], [65535, 500, 0]], np.uint16)
    metres = np.where(millimetres == 0, np.nan, millimetres / 1000).astype(np.float32)
    np.testing.assert_array_equal(images.depth_metres(raw(millimetres, '16UC1')), metres)
    metres[0, 0], metres[1, 2] = np.inf, -1.0
    decoded = images.depth_metres(raw(metres, '32FC1', big_endian=True))
    np.testing.assert_array_equal(decoded, images.depth_metres(raw(millimetres, '16UC1')))
    assert decoded.dtype == np.float32


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'encoding': 'h264'}, 'encoding "h264"'),
        ({'step': 14}, 'step 14 .* wanted at least 15'),
        ({'data': b'\0' * 50}, '50 bytes .* wanted 60 bytes'),
        ({'data': b'\0' * 61}, '61 bytes .* wanted 60 bytes'),
        ({'height': 0}, '5x0 pixels'),
        ({'encoding': '16UC1'}, '60 bytes|step'),
    ],
)
def test_a_malformed_image_says_what_was_seen_and_wanted(change, words):
    message = raw(random_image('rgb8', 4, 5), 'rgb8')
    if change == {'encoding': '16UC1'}:
        change |= {'width': 8}
    vars(message).update(change)
    with pytest.raises(InputError, match=words):
        images.decode_image(message)


def test_colour_and_depth_are_told_apart_by_encoding():
    with pytest.raises(InputError, match='16UC1'):
        images.to_rgb(raw(random_image('16UC1', 2, 2), '16UC1'))
    with pytest.raises(InputError, match='rgb8'):
        images.depth_metres(raw(random_image('rgb8', 2, 2), 'rgb8'))
    with pytest.raises(InputError, match='uint8 for encoding 16UC1'):
        images.encode_image(COLOR, '16UC1', TYPES['sensor_msgs/msg/Image'], HEADER)
