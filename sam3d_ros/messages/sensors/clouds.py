# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/PointCloud2 to arrays, and pointmaps to PointCloud2, without copies of our own.

Any field layout, point and row padding and byte order; colour as packed ``rgb``/``rgba`` (float32
or uint32, the PCL way) or as ``r``, ``g``, ``b``. Our pointmaps travel organised, 16 bytes a
point: x, y, z, rgb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.messages.sensors.buffers import as_bytes, message_with

# PointField.datatype, from 1 on.
_DATATYPES = ('i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'f4', 'f8')
_FLOAT32 = 7
_POINT_STEP = 16
# numpy's structures cannot be larger; no point is.
_LARGEST_STEP = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Points of one cloud.

    :param points_m: (H, W, 3) or, when not organised, (N, 3) float32, metres, in the cloud's
        frame; NaN = no return. A view of the message where its layout allows.
    :param rgb: the same shape, uint8, or None when the cloud has no colour.
    """

    points_m: Float32Array
    rgb: ByteArray | None


def decode_fields(message: Any) -> npt.NDArray[Any]:
    """Return a cloud as a structured view of its bytes: (H, W), or (N,) when H is 1.

    Fields of count n > 1 are (n,) subarrays. Byte order is that of the message. A point_step, a
    row_step or a height of zero that cannot be right is inferred from the rest and the size of
    the data.

    :raises InputError: when fields, steps and data size cannot be right.
    """
    order = '>' if message.is_bigendian else '<'
    names, kinds, counts, offsets = [], [], [], []
    for field in message.fields:
        if not 1 <= field.datatype <= len(_DATATYPES):
            raise InputError(
                f'point field "{field.name}" of datatype {field.datatype}', wanted='1 to 8'
            )
        names.append(field.name)
        kinds.append(np.dtype(order + _DATATYPES[field.datatype - 1]))
        counts.append(max(int(field.count), 1))
        offsets.append(int(field.offset))
    if len(set(names)) < len(names):
        raise InputError(
            f'a cloud with the fields {", ".join(names)}', wanted='a name for each, all different'
        )
    ends = [
        offset + count * kind.itemsize
        for offset, count, kind in zip(offsets, counts, kinds, strict=True)
    ]
    data = as_bytes(message.data)
    height, width = int(message.height) or min(int(message.width), 1), int(message.width)
    step = _point_step(message, width * height, data.size, max(ends, default=0))
    if any(end > step for end in ends):
        worst = int(np.argmax(ends))
        raise InputError(
            f'point field "{names[worst]}" ends at byte {ends[worst]}',
            wanted=f'all fields within point_step {step}',
        )
    if step > _LARGEST_STEP:
        raise InputError(f'a cloud of point_step {step}', wanted=f'at most {_LARGEST_STEP}')
    row_step = _row_step(int(message.row_step), height, width * step, data.size)
    if data.size < row_step * (height - 1) + width * step:
        raise InputError(
            f'{data.size} bytes in a {width}x{height} cloud of point_step {step}, '
            f'row_step {message.row_step}',
            wanted=f'row_step >= {width * step} and {max(row_step, width * step) * height} bytes',
            remedy='The message was cut off, or the driver states a wrong step or size.',
        )
    formats = [
        kind if count == 1 else np.dtype((kind, (count,)))
        for kind, count in zip(kinds, counts, strict=True)
    ]
    layout = np.dtype(
        {'names': names, 'formats': formats, 'offsets': offsets, 'itemsize': step}  # type: ignore[call-overload]
    )
    points: npt.NDArray[Any] = np.ndarray(
        (height, width), layout, data if data.size else None, strides=(row_step, step)
    )
    return points[0] if height == 1 else points


def _point_step(message: Any, count: int, size: int, least: int) -> int:
    """Return bytes of one of ``count`` points in ``size`` bytes whose fields take ``least``."""
    stated = int(message.point_step)
    if stated >= least or not count or size % count or size // count < least:
        return stated
    return size // count


def _row_step(stated: int, height: int, row: int, size: int) -> int:
    """Return how far apart rows of ``row`` bytes begin, bytes; as stated where that fits."""
    if height <= 1 or size == row * height:
        return row
    if stated >= row and size >= stated * (height - 1) + row:
        return stated
    return max(size // height, row) if size % height == 0 else row


def decode_cloud(message: Any) -> Cloud:
    """Return points and colours of a PointCloud2.

    :raises InputError: when x, y or z is missing, or the message is malformed.
    """
    points = decode_fields(message)
    names = points.dtype.names or ()
    missing = [axis for axis in 'xyz' if axis not in names]
    if missing:
        raise InputError(
            f'a cloud with the fields {", ".join(names) or "(none)"}', wanted='x, y and z'
        )
    return Cloud(_xyz(points), _rgb(points))


def encode_pointmap(
    pointmap: Float32Array, rgb: ByteArray, cloud_class: type, field_class: type, header: Any
) -> Any:
    """Return an organised ``cloud_class`` message, little-endian, 16 bytes a point.

    :param pointmap: (H, W, 3) float32 metres, NaN = no return.
    :param rgb: (H, W, 3) uint8.
    :param field_class: class of PointField.
    :param header: the message's header, of the class that fits.
    """
    height, width = pointmap.shape[:2]
    points = np.empty((height, width, 4), '<f4')
    _copy_axes(pointmap, points)
    bgra = np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGRA))
    points.view('<u4')[..., 3] = bgra.view('<u4')[..., 0] & 0xFFFFFF
    names = ('x', 'y', 'z', 'rgb')
    return message_with(
        cloud_class,
        points.reshape(-1).view(np.uint8),
        header=header,
        height=height,
        width=width,
        fields=[
            field_class(name=name, offset=4 * at, datatype=_FLOAT32, count=1)
            for at, name in enumerate(names)
        ],
        is_bigendian=False,
        point_step=_POINT_STEP,
        row_step=width * _POINT_STEP,
        is_dense=False,
    )


def decode_pointmap(message: Any) -> tuple[Float32Array, ByteArray]:
    """Return (pointmap, rgb) of an organised cloud with colour, as contiguous arrays.

    :raises InputError: when the cloud is not organised, has no colour, or is malformed.
    """
    cloud = decode_cloud(message)
    if cloud.points_m.ndim != 3 or cloud.rgb is None:
        raise InputError(
            f'a {message.width}x{message.height} cloud with '
            f'{"no colour" if cloud.rgb is None else "colour"}',
            wanted='an organised cloud (as wide and high as its image) with the field rgb',
        )
    pointmap = np.empty(cloud.points_m.shape, np.float32)
    _copy_axes(cloud.points_m, pointmap)
    rgb = np.empty(cloud.rgb.shape, np.uint8)
    _copy_axes(cloud.rgb, rgb)
    return pointmap, rgb


def _copy_axes(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
    """Copy the three axes one by one: numpy's loop over three neighbours is far slower."""
    for axis in range(3):
        target[..., axis] = source[..., axis]


def _xyz(points: npt.NDArray[Any]) -> Float32Array:
    fields: Any = points.dtype.fields
    (kind, x), (_, y), (_, z) = (fields[axis][:2] for axis in 'xyz')
    same = all(fields[axis][0] == np.dtype('<f4') for axis in 'xyz')
    if same and kind.isnative and y - x == z - y == 4:
        triple = np.dtype(
            {'names': ['p'], 'formats': [('<f4', 3)], 'offsets': [x], 'itemsize': points.itemsize}
        )
        return points.view(triple)['p']
    return np.stack([points[axis].astype(np.float32) for axis in 'xyz'], axis=-1)


def _rgb(points: npt.NDArray[Any]) -> ByteArray | None:
    names = points.dtype.names or ()
    for name in ('rgb', 'rgba'):
        if name in names and points.dtype[name].itemsize == 4:
            packed = points[name].astype(points.dtype[name].newbyteorder('<'))
            bgra = packed.reshape(-1, 1).view(np.uint8)
            return bgra[:, 2::-1].reshape(*points.shape, 3)
    if all(name in names for name in 'rgb'):
        return np.stack([points[name] for name in 'rgb'], axis=-1).astype(np.uint8)
    return None
