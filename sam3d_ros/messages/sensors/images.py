# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image and CompressedImage to arrays and back.

Works on any object with the message's attributes: rclpy's classes and those of rosbags. What an
image means comes from its ``encoding`` (REP 118); parameters say only what that leaves open.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.messages.sensors.buffers import as_bytes, message_with
from sam3d_ros.messages.sensors.compressed import decode_compressed, is_compressed

AnyArray = npt.NDArray[Any]

_NAMED = {
    'rgb8': ('u1', 3),
    'bgr8': ('u1', 3),
    'rgba8': ('u1', 4),
    'bgra8': ('u1', 4),
    'mono8': ('u1', 1),
    'rgb16': ('u2', 3),
    'bgr16': ('u2', 3),
    'rgba16': ('u2', 4),
    'bgra16': ('u2', 4),
    'mono16': ('u2', 1),
    'yuv422': ('u1', 2),
    'uyvy': ('u1', 2),
    'yuv422_yuy2': ('u1', 2),
    'yuyv': ('u1', 2),
}
_KINDS = {'U': 'u', 'S': 'i', 'F': 'f'}
# OpenCV names a mosaic by the second row's middle, ROS by the first row.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2RGB,
    'bggr': cv2.COLOR_BayerRG2RGB,
    'gbrg': cv2.COLOR_BayerGR2RGB,
    'grbg': cv2.COLOR_BayerGB2RGB,
}
_TO_RGB = {
    'bgr': cv2.COLOR_BGR2RGB,
    'rgba': cv2.COLOR_RGBA2RGB,
    'bgra': cv2.COLOR_BGRA2RGB,
    'mono': cv2.COLOR_GRAY2RGB,
    'yuv422': cv2.COLOR_YUV2RGB_UYVY,
    'uyvy': cv2.COLOR_YUV2RGB_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
    'yuyv': cv2.COLOR_YUV2RGB_YUY2,
}
_DEPTH = ('16UC1', 'mono16', '32FC1')
# Names of bytes alone, as OpenCV's users write them; its colours are BGR.
_PLAIN = {
    '8UC1': 'mono8',
    '8UC3': 'bgr8',
    '8UC4': 'bgra8',
    '16UC3': 'bgr16',
    '16UC4': 'bgra16',
}
DEPTH_UNITS_M = {'16UC1': 0.001, 'mono16': 0.001, '32FC1': 1.0}
"""Metres of one count of each depth encoding (REP 118)."""


def layout(encoding: str) -> tuple[np.dtype[Any], int]:
    """Return (native dtype, channels) of a sensor_msgs encoding.

    :raises InputError: on a name that is not an encoding.
    """
    if encoding in _NAMED:
        kind, channels = _NAMED[encoding]
        return np.dtype(kind), channels
    if match := re.fullmatch(r'bayer_(rggb|bggr|gbrg|grbg)(8|16)', encoding):
        return np.dtype(f'u{int(match[2]) // 8}'), 1
    if match := re.fullmatch(r'(8|16|32|64)([USF])C([1-4]?)', encoding):
        name = f'{_KINDS[match[2]]}{int(match[1]) // 8}'
        if name not in ('u8', 'i8', 'f1', 'f2'):
            return np.dtype(name), int(match[3] or 1)
    raise InputError(
        f'image encoding "{encoding}"',
        wanted=f'one of {", ".join(_NAMED)}, bayer_*, 8UC1, 16UC1, 32FC1 or the like',
    )


def is_color(encoding: str) -> bool:
    """Return whether :func:`to_rgb` takes this encoding."""
    family = _family(color_encoding(encoding))
    return family == 'rgb' or family in _TO_RGB or encoding.startswith('bayer_')


def is_plain(encoding: str) -> bool:
    """Return whether an encoding names bytes of a colour image, but not their order: 8UC3."""
    return encoding in _PLAIN


def color_encoding(encoding: str, order: str = 'bgr') -> str:
    """Return what a colour encoding that names bytes alone is read as; others as they are.

    :param encoding: of the image, e.g. 8UC3.
    :param order: of the channels, ``bgr`` or ``rgb``.
    """
    return _PLAIN[encoding].replace('bgr', order) if encoding in _PLAIN else encoding


def is_known(encoding: str) -> bool:
    """Return whether :func:`decode_image` takes this encoding."""
    try:
        layout(encoding)
    except InputError:
        return False
    return True


def is_depth(encoding: str) -> bool:
    """Return whether :func:`depth_metres` takes this encoding."""
    return encoding in _DEPTH


def decode_image(message: Any) -> AnyArray:
    """Return the pixels of an Image: (H, W) or (H, W, channels), native byte order.

    A view of the message's bytes unless the byte order must be turned; row padding costs no
    copy. YUV 4:2:2 comes as (H, W, 2), a Bayer mosaic as (H, W): :func:`to_rgb` converts them.

    :raises InputError: on an unknown encoding, a step or a data size that cannot be right.
    """
    dtype, channels = layout(message.encoding)
    height, width, step = int(message.height), int(message.width), int(message.step)
    if not height or not width:
        raise InputError(f'an image of {width}x{height} pixels', wanted='at least one pixel')
    row = width * channels * dtype.itemsize
    if step < row:
        raise InputError(
            f'step {step} in a {width}x{height} {message.encoding} image',
            wanted=f'at least {row} bytes in a row',
            remedy='The driver states a wrong step, width or encoding.',
        )
    data = as_bytes(message.data)
    if not step * (height - 1) + row <= data.size <= step * height:
        raise InputError(
            f'{data.size} bytes in a {width}x{height} {message.encoding} image of step {step}',
            wanted=f'{step * height} bytes',
            remedy='The message was cut off, or the driver states a wrong step or size.',
        )
    wire = dtype.newbyteorder('>' if message.is_bigendian else '<')
    shape, strides = (height, width), (step, channels * dtype.itemsize)
    if channels > 1:
        shape, strides = (*shape, channels), (*strides, dtype.itemsize)  # type: ignore[assignment]
    image: AnyArray = np.ndarray(shape, wire, data, strides=strides)
    return image if wire.isnative else image.astype(dtype)


def decode(message: Any) -> tuple[AnyArray, str]:
    """Return (pixels, encoding) of an Image or a CompressedImage.

    :raises InputError: as :func:`decode_image`; on bytes that no image decoder takes.
    """
    if is_compressed(message):
        return decode_compressed(message)
    return decode_image(message), message.encoding


def to_rgb(message: Any, order: str = 'bgr') -> ByteArray:
    """Return an Image or CompressedImage as (H, W, 3) uint8 RGB; rgb8 is a view, not a copy.

    :param message: of either type.
    :param order: of the channels where the encoding names none (8UC3), ``bgr`` or ``rgb``.
    :raises InputError: when the encoding carries no colour, or the message is malformed.
    """
    image, encoding = decode(message)
    return rgb_from(image, color_encoding(encoding, order))


def rgb_from(image: AnyArray, encoding: str) -> ByteArray:
    """Return pixels of any colour encoding as (H, W, 3) uint8 RGB; 16 bits are scaled to 8.

    :param image: (H, W) or (H, W, channels) pixels.
    """
    encoding = color_encoding(encoding)
    if encoding == 'rgb8':
        return image
    if not is_color(encoding):
        raise InputError(
            f'colour image with encoding "{encoding}"',
            wanted='rgb8, bgr8, rgba8, bgra8, mono8, mono16, bayer_* or yuv422',
            remedy='Remap the colour input to a colour topic, or set the encoding in the driver.',
        )
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=255.0 / 65535.0)
    family = _family(encoding)
    if family == 'rgb':
        return np.asarray(image, np.uint8)
    code = _BAYER[encoding[6:10]] if encoding.startswith('bayer_') else _TO_RGB[family]
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), code))
    except cv2.error as error:
        raise InputError(
            f'{encoding} of {image.shape[1]}x{image.shape[0]} pixels',
            wanted='an even width for YUV, and at least 2x2 pixels for Bayer',
        ) from error


def depth_metres(message: Any, unit_m: float = 0.0) -> Float32Array:
    """Return a depth image as (H, W) float32 metres, NaN = no return.

    16UC1 is millimetres with 0 = no return; 32FC1 is metres, where what is not finite and
    positive is no return (REP 118).

    :param message: an Image or CompressedImage.
    :param unit_m: metres of one count; 0 = by the encoding.
    :raises InputError: on another encoding, or a malformed message.
    """
    image, encoding = decode(message)
    return metres_from(image, encoding, unit_m)


def metres_from(image: AnyArray, encoding: str, unit_m: float = 0.0) -> Float32Array:
    """Return pixels of a depth encoding as (H, W) float32 metres, NaN = no return.

    :param image: (H, W) or (H, W, channels) pixels.
    :param unit_m: metres of one count; 0 = by the encoding.
    """
    if not is_depth(encoding):
        raise InputError(
            f'depth image with encoding "{encoding}"',
            wanted='16UC1 (millimetres) or 32FC1 (metres)',
            remedy='Remap the depth input to a depth topic.',
        )
    # Division rounds once: 1500 mm is the float 1.5 that a 32FC1 image would hold.
    per_metre = np.float32(1 / (unit_m or DEPTH_UNITS_M[encoding]))
    depth = np.divide(image, per_metre, dtype=np.float32)
    if encoding == '32FC1':
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    else:
        depth[image == 0] = np.nan
    return depth


def encode_image(image: AnyArray, encoding: str, image_class: type, header: Any) -> Any:
    """Return an ``image_class`` message of (H, W) or (H, W, channels) pixels, little-endian.

    :param image: (H, W) or (H, W, channels) pixels.
    :param header: the message's header, of the class that fits.
    :raises InputError: when the array's shape or dtype is not that of ``encoding``.
    """
    dtype, channels = layout(encoding)
    wanted = 2 if channels == 1 else 3
    if (
        image.dtype != dtype
        or image.ndim != wanted
        or (wanted == 3 and image.shape[2] != channels)
    ):
        raise InputError(
            f'an array of shape {image.shape} and dtype {image.dtype} for encoding {encoding}',
            wanted=f'{dtype} and {channels} channel(s)',
        )
    little = np.ascontiguousarray(image, dtype.newbyteorder('<'))
    height, width = image.shape[:2]
    return message_with(
        image_class,
        little.reshape(-1).view(np.uint8),
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=image.nbytes // height,
    )


def _family(encoding: str) -> str:
    """Return rgb8 as rgb, mono16 as mono; YUV names stay."""
    return re.sub(r'(?<=[a-z])(8|16)$', '', encoding)
