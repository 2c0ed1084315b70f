# SPDX-License-Identifier: Apache-2.0
"""The image with the tracked masks on it, for people to look at."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import ByteArray, Frame, Tracks
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.results.colors import id_color
from sam3d_ros.messages.topics import OVERLAY
from sam3d_ros.messages.types import StoreTypes


def overlay(frame: Frame, tracks: Tracks) -> ByteArray:
    """Return (H, W, 3) uint8: half image, half the colour of each track's id.

    :param frame: the observation.
    :param tracks: all living tracks after it.
    """
    image = frame.rgb.copy()
    for track in tracks.items:
        if track.instance >= 0:
            mask = tracks.instances.items[track.instance].mask
            color = (255 * id_color(track.id)).astype(np.uint16)
            image[mask] = ((image[mask] + color) // 2).astype(np.uint8)
    return image


def overlay_bytes(frame: Frame, tracks: Tracks) -> bytes:
    """Return the overlay as the CDR bytes of an Image with the frame's header.

    :param tracks: all living tracks after it.
    """
    types = StoreTypes()
    message = types.new(
        'sensor_msgs/msg/Image',
        header=header_message(types, frame.stamp_ns, frame.frame_id),
        height=frame.camera.height,
        width=frame.camera.width,
        encoding='rgb8',
        step=3 * frame.camera.width,
        data=overlay(frame, tracks).reshape(-1),
    )
    return encode(message, OVERLAY.type)
