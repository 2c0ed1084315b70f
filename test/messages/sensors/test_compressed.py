# SPDX-License-Identifier: Apache-2.0
"""CompressedImage: colour files, compressedDepth as PNG and RVL, and what is cut off."""

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.sensors import images
from sam3d_ros.messages.sensors.compressed import decode_rvl


def compressed(form, data):
    return SimpleNamespace(format=form, data=bytes(data))


def encode_rvl(image):
    """Write RVL value by value, as the paper's listing does."""
    nibbles = []

    def write(value):
        while True:
            nibble, value = value & 7, value >> 3
            nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    flat, at, previous = image.ravel().astype(int), 0, 0
    while at < flat.size:
        start = at
        while at < flat.size and flat[at] == 0:
            at += 1
        write(at - start)
        end = at
        while end < flat.size and flat[end] != 0:
            end += 1
        write(end - at)
        for value in flat[at:end]:
            delta = value - previous
            write((delta << 1) ^ (delta >> 31))
            previous = value
        at = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        int(''.join(f'{n:x}' for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)
    ]
    size = struct.pack('<ii', image.shape[1], image.shape[0])
    return size + struct.pack(f'<{len(words)}I', *words)


SPARSE = hnp.arrays(
    np.uint16,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 0, 0, 1, 500, 501, 1200, 65535]),
)


@settings(max_examples=80, deadline=None)
@given(SPARSE)
def test_rvl_gives_back_the_image(image):
    np.testing.assert_array_equal(decode_rvl(np.frombuffer(encode_rvl(image), np.uint8)), image)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_rvl_of_any_bytes_is_an_image_or_a_sentence(noise):
    data = np.frombuffer(struct.pack('<ii', 5, 4) + noise, np.uint8)
    try:
        assert decode_rvl(data).shape == (4, 5)
    except InputError as error:
        assert 'RVL' in str(error)


DEPTH = np.array([[0, 800, 801], [1500, 0, 4000]], np.uint16)


def depth_payload(stored, codec, a=0.0, b=0.0):
    header = struct.pack('<iff', 0, a, b)
    body = cv2.imencode('.png', stored)[1].tobytes() if codec == 'png' else encode_rvl(stored)
    return header + body


@pytest.mark.parametrize('codec', ['png', 'rvl'])
@pytest.mark.parametrize(
    'form', ['16UC1; compressedDepth', '16UC1; compressedDepth {}', '; compressedDepth']
)
def test_compressed_depth_in_millimetres(codec, form):
    message = compressed(form.format(codec), depth_payload(DEPTH, codec))
    metres = images.depth_metres(message)
    np.testing.assert_allclose(metres, np.where(DEPTH == 0, np.nan, DEPTH / 1000), rtol=1e-6)


@pytest.mark.parametrize('codec', ['png', 'rvl'])
def test_compressed_depth_quantised_from_floats(codec):
    metres = np.array([[0.5, 1.0, np.nan], [2.0, 9.9, 5.0]], np.float32)
    # The transport's own parameters: quantisation 100, largest depth 10 m.
    a = 100.0 * 101.0
    b = 1.0 - a / 10.0
    stored = np.nan_to_num(a / metres + b).astype(np.uint16)
    decoded = images.depth_metres(
        compressed(f'32FC1; compressedDepth {codec}', depth_payload(stored, codec, a, b))
    )
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(metres))
    # One quantum is z^2 / A.
    np.testing.assert_array_less(np.nan_to_num(abs(decoded - metres) - 1.01 * metres**2 / a), 1e-6)


RGB = np.zeros((16, 24, 3), np.uint8)
RGB[:, :12], RGB[:, 12:] = (220, 40, 10), (10, 60, 200)


@pytest.mark.parametrize(
    ('form', 'extension', 'pixels', 'tolerance'),
    [
        ('jpeg', '.jpg', RGB[..., ::-1], 12),
        ('rgb8; jpeg compressed bgr8', '.jpg', RGB[..., ::-1], 12),
        ('rgb8; jpeg compressed rgb8', '.jpg', RGB, 12),
        ('bgr8; png compressed bgr8', '.png', RGB[..., ::-1], 0),
        ('png', '.png', np.dstack([RGB[..., ::-1], RGB[..., :1]]), 0),
    ],
)
def test_colour_files(form, extension, pixels, tolerance):
    data = cv2.imencode(extension, np.ascontiguousarray(pixels))[1]
    decoded = images.to_rgb(compressed(form, data)).astype(int)
    np.testing.assert_allclose(decoded[:, [2, 20]], RGB[:, [2, 20]], atol=tolerance)


def test_grey_depth_and_bayer_files():
    grey = RGB[..., 0]
    np.testing.assert_array_equal(
        images.to_rgb(compressed('mono8; png compressed', cv2.imencode('.png', grey)[1]))[..., 1],
        grey,
    )
    depth = compressed('16UC1; png compressed ', cv2.imencode('.png', DEPTH)[1])
    assert images.depth_metres(depth)[0, 1] == pytest.approx(0.8)
    mosaic = np.full((8, 8), 77, np.uint8)
    message = compressed('bayer_rggb8; png compressed', cv2.imencode('.png', mosaic)[1])
    assert images.decode(message)[1] == 'bayer_rggb8'


@pytest.mark.parametrize(
    ('form', 'data'),
    [
        ('jpeg', b''),
        ('jpeg', b'not a picture'),
        ('16UC1; compressedDepth png', b'\0' * 12),
        ('16UC1; compressedDepth png', depth_payload(DEPTH, 'png')[:40]),
        ('16UC1; compressedDepth rvl', depth_payload(DEPTH, 'rvl')[:-4]),
        ('16UC1; compressedDepth png', depth_payload(RGB, 'png')),
        ('rgb8; compressedDepth png', depth_payload(DEPTH, 'png')),
    ],
)
def test_broken_files_say_so(form, data):
    with pytest.raises(InputError, match='wanted'):
        images.decode(compressed(form, data))
