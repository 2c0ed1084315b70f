# SPDX-License-Identifier: Apache-2.0
"""CompressedImage: JPEG, PNG and the depth formats of compressed_depth_image_transport.

RVL: A. D. Wilson, "Fast Lossless Depth Image Compression", ISS 2017. The ``format`` string is
that of image_transport_plugins: ``<encoding>; jpeg compressed <channels>`` for colour,
``<encoding>; compressedDepth [png|rvl]`` for depth.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray
from sam3d_ros.messages.sensors.buffers import as_bytes

AnyArray = npt.NDArray[Any]

# int32 format, then float32 quantisation parameters A and B.
_DEPTH_HEADER = struct.Struct('<iff')
_RVL_SIZE = struct.Struct('<ii')
_RVL_LARGEST_PX = 1 << 14
_PNG_SIGNATURE = b'\x89PNG'
_PNG_SIZE = struct.Struct('>16xII')
# Deflate packs 1032 bytes into one, and PNG eight pixels into a byte: more are a wrong header,
# which would cost gigabytes before it is found out.
_MOST_PIXELS_A_BYTE = 8 * 1032
_DEPTH_ENCODINGS = ('16UC1', 'mono16', '32FC1')
_BY_CHANNELS = {3: 'bgr', 4: 'bgra'}
_SINGLE_CHANNEL = {
    'uint8': ('mono8', '8UC1', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'),
    'uint16': ('16UC1', 'mono16', 'bayer_rggb16', 'bayer_bggr16', 'bayer_gbrg16', 'bayer_grbg16'),
    'float32': ('32FC1',),
}


def is_compressed(message: Any) -> bool:
    """Return whether a message is a CompressedImage rather than an Image."""
    return not hasattr(message, 'encoding')


def is_compressed_depth(form: str) -> bool:
    """Return whether a ``format`` string names compressedDepth."""
    return 'compressedDepth' in form


def decode_compressed(message: Any) -> tuple[AnyArray, str]:
    """Return (pixels, encoding) of a CompressedImage.

    Colour comes as the file holds it (bgr8 as a rule), depth as 16UC1 or 32FC1 metres.

    :raises InputError: when the bytes are not what ``format`` says, or are cut off.
    """
    form = str(message.format)
    data = as_bytes(message.data)
    original = form.partition(';')[0].strip()
    # A header before the file tells depth whatever the format says.
    has_header = bytes(data[_DEPTH_HEADER.size :][:4]) == _PNG_SIGNATURE
    if is_compressed_depth(form) or has_header:
        return _decode_depth(data, original, form)
    image = _imdecode(data, form)
    if image.ndim == 2:
        known = _SINGLE_CHANNEL.get(image.dtype.name, ())
        if original in known:
            return image, original
        return image, {'uint8': 'mono8', 'uint16': 'mono16'}.get(image.dtype.name, '32FC1')
    bits = image.dtype.itemsize * 8
    order = _BY_CHANNELS[image.shape[2]]
    # A transport told to compress rgb8 hands RGB to a JPEG writer that expects BGR.
    if 'compressed rgb' in form:
        order = order.replace('bgr', 'rgb')
    return image, f'{order}{bits}'


def _imdecode(data: ByteArray, form: str) -> AnyArray:
    if data.size > _PNG_SIZE.size and bytes(data[:4]) == _PNG_SIGNATURE:
        width, height = _PNG_SIZE.unpack(data[: _PNG_SIZE.size].tobytes())
        if width * height > _MOST_PIXELS_A_BYTE * data.size:
            raise InputError(
                f'a PNG of {width}x{height} pixels in {data.size} bytes',
                wanted='a whole PNG file',
                remedy='The message was damaged.',
            )
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:  # e.g. a header that states more pixels than OpenCV takes
        image = None
    if image is None:
        raise InputError(
            f'{data.size} bytes that no image decoder takes, format "{form}"',
            wanted='a whole JPEG or PNG file',
            remedy='The message was cut off, or its format is another one (e.g. H.264).',
        )
    return image


def _decode_depth(data: ByteArray, original: str, form: str) -> tuple[AnyArray, str]:
    """Decode header and payload; 32FC1 is quantised inverse depth: z = A / (q - B).

    Some writers leave the header out: what begins with a PNG file, or as an RVL stream, has none.
    """
    if form.partition(';')[1] and original and original not in _DEPTH_ENCODINGS:
        raise InputError(
            f'compressedDepth of encoding "{original}"', wanted='16UC1 or 32FC1 before the ";"'
        )
    encoding = '32FC1' if original == '32FC1' else '16UC1'
    if data.size <= _DEPTH_HEADER.size:
        raise InputError(
            f'{data.size} bytes of compressedDepth',
            wanted=f'a header of {_DEPTH_HEADER.size} bytes and a payload',
            remedy='The message was cut off.',
        )
    is_bare = _is_payload(data) and not _is_payload(data[_DEPTH_HEADER.size :])
    payload = data if is_bare else data[_DEPTH_HEADER.size :]
    is_png = bytes(payload[:4]) == _PNG_SIGNATURE
    stored = _imdecode(payload, form) if is_png else decode_rvl(payload)
    if stored.ndim != 2 or stored.dtype != np.uint16:
        raise InputError(
            f'compressedDepth holding {stored.dtype} of shape {stored.shape}',
            wanted='one channel of 16 bits',
        )
    if encoding == '16UC1':
        return stored, encoding
    if is_bare:
        raise InputError(
            'compressedDepth of 32FC1 without its header',
            wanted='the numbers that depth was quantised with',
            remedy='Use the raw depth topic.',
        )
    _, a, b = _DEPTH_HEADER.unpack(data[: _DEPTH_HEADER.size].tobytes())
    depth = np.full(stored.shape, np.nan, np.float32)
    valid = stored > 0
    depth[valid] = a / (stored[valid].astype(np.float32) - b)
    return depth, encoding


def _is_payload(data: ByteArray) -> bool:
    """Return whether bytes begin as a PNG file or an RVL stream does."""
    if bytes(data[:4]) == _PNG_SIGNATURE:
        return True
    if data.size < _RVL_SIZE.size:
        return False
    width, height = _RVL_SIZE.unpack(data[: _RVL_SIZE.size].tobytes())
    return 0 < width <= _RVL_LARGEST_PX and 0 < height <= _RVL_LARGEST_PX


def decode_rvl(payload: ByteArray) -> npt.NDArray[np.uint16]:
    """Return the (H, W) uint16 image of an RVL payload: int32 columns, int32 rows, the stream.

    Values are chains of nibbles (three bits, low first, and a flag "more follow"), eight to a
    little-endian word, high nibble first. The stream alternates: count of zeros, count of
    non-zeros, then that many zigzag differences.

    :raises InputError: when the stream ends before the image does, or is none.
    """
    if payload.size < _RVL_SIZE.size:
        raise InputError(f'{payload.size} bytes of RVL', wanted='a size and a stream')
    width, height = _RVL_SIZE.unpack(payload[: _RVL_SIZE.size].tobytes())
    if not (0 < width <= _RVL_LARGEST_PX and 0 < height <= _RVL_LARGEST_PX):
        raise InputError(f'an RVL image of {width}x{height} pixels', wanted='a plausible size')
    values = _rvl_values(payload[_RVL_SIZE.size :])
    total = width * height
    runs: list[slice] = []
    differences = []
    position = cursor = 0
    while position < total:
        if cursor + 1 >= len(values):
            raise _rvl_cut_off(position, width, height)
        position += int(values[cursor])
        run = int(values[cursor + 1])
        if position + run > total or cursor + 2 + run > len(values):
            raise _rvl_cut_off(position, width, height)
        runs.append(slice(position, position + run))
        differences.append(values[cursor + 2 : cursor + 2 + run])
        position += run
        cursor += 2 + run
    # Only now: a size that is wrong must not cost its memory.
    image = np.zeros(total, np.uint16)
    zigzag = np.concatenate(differences)
    depths = np.cumsum((zigzag >> 1) ^ -(zigzag & 1)).astype(np.uint16)
    done = 0
    for part in runs:
        image[part] = depths[done : done + part.stop - part.start]
        done += part.stop - part.start
    return image.reshape(height, width)


def _rvl_values(stream: ByteArray) -> npt.NDArray[np.int64]:
    """Return all variable-length values of an RVL stream."""
    words = stream[: stream.size // 4 * 4].reshape(-1, 4)[:, ::-1]
    nibbles = np.stack([words >> 4, words & 15], axis=-1).reshape(-1)
    last = np.flatnonzero(nibbles < 8)
    if not last.size:
        return np.empty(0, np.int64)
    nibbles = nibbles[: last[-1] + 1]
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(nibbles.size) - np.repeat(first, np.diff(np.append(first, nibbles.size)))
    if place.max() > 11:
        raise InputError('an RVL value of more than 36 bits', wanted='values of 32 bits')
    parts = (nibbles & 7).astype(np.int64) << (3 * place)
    return np.add.reduceat(parts, first)


def _rvl_cut_off(position: int, width: int, height: int) -> InputError:
    return InputError(
        f'an RVL stream that ends at pixel {position} of {width}x{height}',
        wanted='a whole image',
        remedy='The message was cut off.',
    )
