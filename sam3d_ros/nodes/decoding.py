# SPDX-License-Identifier: Apache-2.0
"""Sensor messages to what the frame builder takes."""

from __future__ import annotations

from typing import Any

from sam3d_ros.messages.cameras import lens_from
from sam3d_ros.messages.clouds import decode_cloud
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.images import depth_metres, to_rgb
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud


def color_from(message: Any, info: Any, *, rectified: bool) -> ColorImage:
    """Return a colour image with its lens.

    :param message: an Image or a CompressedImage.
    :param info: its CameraInfo.
    :raises InputError: when image or CameraInfo cannot be used, or do not fit together.
    """
    rgb = to_rgb(message)
    lens = lens_from(info, (rgb.shape[1], rgb.shape[0]), rectified=rectified)
    return ColorImage(nanoseconds(message.header.stamp), message.header.frame_id, rgb, lens)


def depth_from(message: Any, info: Any | None, *, rectified: bool) -> DepthImage:
    """Return a depth image with its lens, or without one when it has no CameraInfo.

    :raises InputError: as :func:`color_from`.
    """
    depth_m = depth_metres(message)
    size_px = (depth_m.shape[1], depth_m.shape[0])
    lens = None if info is None else lens_from(info, size_px, rectified=rectified)
    stamp_ns = nanoseconds(message.header.stamp)
    return DepthImage(stamp_ns, message.header.frame_id, depth_m, lens)


def cloud_from(message: Any) -> PointCloud:
    """Return a cloud.

    :raises InputError: when it has no x, y, z, or is malformed.
    """
    points_m = decode_cloud(message).points_m
    return PointCloud(nanoseconds(message.header.stamp), message.header.frame_id, points_m)
