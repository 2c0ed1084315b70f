# SPDX-License-Identifier: Apache-2.0
"""Sensor messages to the inputs of a frame; errors name the topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.cameras import lens_from
from sam3d_ros.messages.clouds import decode_cloud
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.images import AnyArray, depth_metres, to_rgb
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud


def is_rectified(topic: str, rectified: str = 'auto') -> bool:
    """Return whether images of a topic are rectified, as ``PointmapConfig.rectified`` says.

    By the names of image_pipeline: ``image_rect``, ``image_rect_color``, ``image_rect_raw``, below
    them the transports (``image_rect/compressed``).
    """
    if rectified != 'auto':
        return rectified == 'yes'
    return any(level.startswith('image_rect') for level in topic.split('/')[-2:])


def color_from(message: Any, info: Any, *, rectified: bool, topic: str = 'colour') -> ColorImage:
    """Return the colour image of an Image or CompressedImage and its CameraInfo.

    :raises InputError: when either cannot be used; the message names ``topic``.
    """
    with _named(topic):
        rgb = to_rgb(message)
        lens = lens_from(info, _size_px(rgb), rectified=rectified)
        return ColorImage(nanoseconds(message.header.stamp), _frame(message), rgb, lens)


def depth_from(
    message: Any, info: Any | None, *, rectified: bool, topic: str = 'depth'
) -> DepthImage:
    """Return the depth image of an Image or CompressedImage and, where it has one, CameraInfo.

    :raises InputError: when either cannot be used; the message names ``topic``.
    """
    with _named(topic):
        depth_m = depth_metres(message)
        lens = None if info is None else lens_from(info, _size_px(depth_m), rectified=rectified)
        return DepthImage(nanoseconds(message.header.stamp), _frame(message), depth_m, lens)


def cloud_from(message: Any, *, topic: str = 'points') -> PointCloud:
    """Return the points of a PointCloud2.

    :raises InputError: when it cannot be used; the message names ``topic``.
    """
    with _named(topic):
        points_m = decode_cloud(message).points_m
        return PointCloud(nanoseconds(message.header.stamp), _frame(message), points_m)


def _size_px(image: AnyArray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _frame(message: Any) -> str:
    frame_id = str(message.header.frame_id).lstrip('/')
    if not frame_id:
        raise InputError(
            'a message with an empty frame_id',
            wanted='the optical frame of the camera',
            remedy='Set the frame in the driver.',
        )
    return frame_id


@contextmanager
def _named(topic: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(
            f'{topic}: {error.seen}', wanted=error.wanted, remedy=error.remedy
        ) from error
