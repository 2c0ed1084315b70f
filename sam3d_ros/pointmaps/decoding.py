# SPDX-License-Identifier: Apache-2.0
"""Sensor messages to the inputs of a frame, the same live and recorded; errors name the topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.messages.headers import frame_name, nanoseconds
from sam3d_ros.messages.sensors.cameras import has_size, lens_from
from sam3d_ros.messages.sensors.clouds import decode_cloud, decode_fields
from sam3d_ros.messages.sensors.images import (
    AnyArray,
    color_encoding,
    decode,
    is_known,
    is_plain,
    metres_from,
    rgb_from,
)
from sam3d_ros.messages.sensors.point_times import point_times
from sam3d_ros.messages.topic_names import is_rectified
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.plausibility import suspected_unit

Foreign = Callable[[Any], ByteArray]
"""Decodes an Image whose encoding is not known here."""

# A LiDAR sees nothing so near to itself, metres: such points are its way to write "no return".
_BLIND_M = 0.05
# So many points are looked at for one that is repeated; no surface gives the same point so often.
_LOOKED_AT = 2000
_FILLER_SHARE = 0.01


class Decoder:
    """Makes colour images, depth images and clouds of messages, as the options say.

    :param config: options of the stage.
    :param notes: takes what was assumed, and what looks wrong, once each.
    :param foreign: returns (H, W, 3) uint8 RGB of an Image with an encoding that is not known
        here, or raises InputError; None = such images cannot be used.
    :raises ConfigurationError: when an option cannot be read.
    """

    def __init__(
        self,
        config: PointmapConfig | None = None,
        notes: Notes | None = None,
        foreign: Foreign | None = None,
    ) -> None:
        self._foreign = foreign
        self._config = config or PointmapConfig()
        self._notes = notes or Notes()
        self._frames = self._config.frame_overrides
        self._looked_at: set[str] = set()

    def color(
        self, message: Any, info: Any, topic: str = 'colour', stamp_ns: int | None = None
    ) -> ColorImage:
        """Return the colour image of a message.

        :param message: an Image or CompressedImage.
        :param info: its CameraInfo.
        :param topic: where it came from.
        :param stamp_ns: its stamp; None = that in its header.
        :raises InputError: when either cannot be used; the error names ``topic``.
        """
        with _named(topic):
            rgb = self._rgb(message, topic)
            lens = self.lens(info, (rgb.shape[1], rgb.shape[0]), topic)
            stamp_ns = nanoseconds(message.header.stamp) if stamp_ns is None else stamp_ns
            return ColorImage(stamp_ns, self.frame_of(message, topic), rgb, lens)

    def depth(
        self, message: Any, info: Any | None, topic: str = 'depth', stamp_ns: int | None = None
    ) -> DepthImage:
        """Return the depth image of a message.

        :param message: an Image or CompressedImage.
        :param info: its CameraInfo; None when it has none.
        :param topic: where it came from.
        :param stamp_ns: its stamp; None = that in its header.
        :raises InputError: when either cannot be used; the error names ``topic``.
        """
        with _named(topic):
            pixels, encoding = decode(message)
            depth_m = metres_from(pixels, encoding, self._config.depth_unit_m)
            self._look_at(depth_m, encoding, topic)
            size_px = (depth_m.shape[1], depth_m.shape[0])
            lens = None if info is None else self.lens(info, size_px, topic)
            stamp_ns = nanoseconds(message.header.stamp) if stamp_ns is None else stamp_ns
            return DepthImage(stamp_ns, self.frame_of(message, topic), depth_m, lens)

    def cloud(
        self, message: Any, topic: str = 'points', stamp_ns: int | None = None
    ) -> PointCloud:
        """Return the points of a PointCloud2; what is written for "no return" is NaN.

        :param message: the cloud.
        :param topic: where it came from.
        :param stamp_ns: its stamp; None = that in its header.
        :raises InputError: when it cannot be used; the error names ``topic``.
        """
        with _named(topic):
            points_m = decode_cloud(message).points_m
            blind = np.einsum('...i,...i->...', points_m, points_m) < _BLIND_M**2
            if (filler := _repeated(points_m[~blind])) is not None:
                blind |= (points_m == filler).all(axis=-1)
            if blind.any():
                points_m = np.where(blind[..., None], np.float32(np.nan), points_m)
            stamp_ns = nanoseconds(message.header.stamp) if stamp_ns is None else stamp_ns
            times_s = point_times(decode_fields(message), nanoseconds(message.header.stamp))
            return PointCloud(stamp_ns, self.frame_of(message, topic), points_m, times_s)

    def lens(self, info: Any, size_px: tuple[int, int], topic: str) -> Lens:
        """Return the lens of a topic's images of (width, height) pixels.

        :param info: a CameraInfo.
        :param size_px: width and height of the images.
        :raises InputError: as :func:`sam3d_ros.messages.sensors.cameras.lens_from`.
        """
        if not has_size(info):
            self._notes.add(
                f'{topic}: its CameraInfo has no size; that of the image is taken, '
                f'{size_px[0]}x{size_px[1]}'
            )
        rectified = is_rectified(topic, self._config.rectified)
        return lens_from(info, size_px, rectified=rectified)

    def frame_of(self, message: Any, topic: str) -> str:
        """Return the frame of a message: the user's for its topic, else its own.

        :raises InputError: when it has none.
        """
        frame_id = self._frames.get(topic) or frame_name(message.header.frame_id)
        if not frame_id:
            raise InputError(
                'a message with an empty frame_id',
                wanted='the optical frame of the camera',
                remedy=f'Set it in the driver, or type --frame-override {topic}=FRAME.',
            )
        return frame_id

    def _rgb(self, message: Any, topic: str) -> ByteArray:
        """Return the (H, W, 3) uint8 RGB pixels of a colour image."""
        named = getattr(message, 'encoding', '')
        if self._foreign is not None and named and not is_known(named):
            return self._foreign(message)
        pixels, encoding = decode(message)
        if is_plain(encoding):
            encoding = color_encoding(encoding, self._config.color_order)
            self._notes.add(
                f'{topic}: encoding {named} does not name colours; '
                f'taken as {encoding}, see --color-order (pointmaps.color_order)'
            )
        return rgb_from(pixels, encoding)

    def _look_at(self, depth_m: AnyArray, encoding: str, topic: str) -> None:
        """Note a depth unit that looks wrong in the first image, and images without returns."""
        if np.isnan(depth_m).all():
            self._notes.add(f'{topic}: an image without a single return', f'blind {topic}')
        elif topic not in self._looked_at:
            self._looked_at.add(topic)
            suspicion = '' if self._config.depth_unit_m else suspected_unit(depth_m, encoding)
            if suspicion:
                self._notes.add(f'{topic}: {suspicion}')


def _repeated(points_m: Float32Array) -> Float32Array | None:
    """Return the point (3,) that too many of (N, 3) points are equal to, None without any."""
    few = points_m[:: max(len(points_m) // _LOOKED_AT, 1)]
    few = few[np.isfinite(few).all(axis=-1)]
    if not len(few):
        return None
    values, counts = np.unique(few, axis=0, return_counts=True)
    most = int(np.argmax(counts))
    filler: Float32Array = values[most]
    return filler if counts[most] > _FILLER_SHARE * len(few) and counts[most] > 5 else None


@contextmanager
def _named(topic: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(
            f'{topic}: {error.seen}', wanted=error.wanted, remedy=error.remedy
        ) from error
