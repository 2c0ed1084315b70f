# SPDX-License-Identifier: Apache-2.0
"""A recording as frames in stamp order: paired, decoded, rectified, placed by TF.

TF may look ahead here: all of it is read before the first frame. A frame that cannot be made
becomes a sentence in its place; the ones after it are not affected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sam3d_ros.bags.pairing import Pairing, pair_nearest
from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.bags.scan import Scan, scan
from sam3d_ros.bags.selection import Selection, Stream
from sam3d_ros.core.errors import RecordingError, Sam3dError
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.messages.cameras import lens_from
from sam3d_ros.messages.clouds import decode_cloud
from sam3d_ros.messages.images import depth_metres, to_rgb
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.frames import FrameBuilder
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud

SLOP_S = 0.05


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that could not be made, and why."""

    stamp_ns: int
    reason: str


class FrameReader:
    """The frames of a recording; iterate over it, any number of times.

    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    :raises RecordingError: when the streams do not meet anywhere, or have no calibration.
    :raises TransformError: when the configured fixed frame is not in TF.
    """

    def __init__(
        self,
        recording: Recording,
        selection: Selection,
        config: PointmapConfig,
        slop_s: float = SLOP_S,
    ) -> None:
        self.selection = selection
        self._recording = recording
        self._config = config
        self._builder = FrameBuilder(config)
        self._lenses: dict[tuple[int, tuple[int, int]], Lens] = {}
        self.scan: Scan = scan(recording, selection)
        rgb, geometry = selection.rgb.topic, selection.geometry.topic
        stamps = self.scan.stamps_ns
        self.pairing: Pairing = pair_nearest(stamps[rgb], stamps[geometry], round(slop_s * 1e9))
        if not self.pairing.pairs:
            raise RecordingError(
                f'{len(stamps[rgb])} images on {rgb} and {len(stamps[geometry])} on {geometry}, '
                f'of which no two are within {slop_s:g} s',
                wanted='streams with common stamps',
                remedy='Choose other topics with --rgb and --depth, or a larger --slop.',
            )
        if not self.scan.infos[selection.rgb_info]:
            raise RecordingError(
                f'no usable CameraInfo on {selection.rgb_info}', wanted='a calibrated camera'
            )
        if self.fixed_frame != self.frame_id:
            self.scan.tree.bounds(self.fixed_frame, self.frame_id)

    def __len__(self) -> int:
        return len(self.pairing.pairs)

    @property
    def frame_id(self) -> str:
        """The optical frame of colour."""
        return self.selection.rgb.frame_id

    @cached_property
    def fixed_frame(self) -> str:
        """The frame that objects are kept in."""
        return self._builder.fixed_frame_of(self.scan.tree, self.frame_id)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        """Yield every frame in stamp order; a message is held only until its partner comes.

        Every time the camera begins to measure its errors anew.
        """
        self._builder = FrameBuilder(self._config)
        rgb, geometry = self.selection.rgb.topic, self.selection.geometry.topic
        wanted = {
            (topic, place)
            for pair in self.pairing.pairs
            for topic, place in zip((rgb, geometry), pair, strict=True)
        }
        held: dict[tuple[str, int], RawMessage] = {}
        seen = {rgb: 0, geometry: 0}
        coming = iter(self.pairing.pairs)
        pair = next(coming, None)
        for message in self._recording.messages({rgb, geometry}):
            key = (message.topic, seen[message.topic])
            seen[message.topic] += 1
            if key in wanted:
                held[key] = message
            while pair is not None and (rgb, pair[0]) in held and (geometry, pair[1]) in held:
                yield self._frame(held.pop((rgb, pair[0])), held.pop((geometry, pair[1])))
                pair = next(coming, None)

    def _frame(self, rgb: RawMessage, geometry: RawMessage) -> Frame | BadFrame:
        try:
            color = self._color(rgb)
            tree, fixed = self.scan.tree, self.fixed_frame
            message = self._recording.decode(geometry)
            stamp_ns = self._recording.stamp_of(geometry)
            frame_id = str(message.header.frame_id)
            if self.selection.points is not None:
                points_m = decode_cloud(message).points_m
                cloud = PointCloud(stamp_ns, frame_id, points_m)
                return self._builder.from_cloud(color, cloud, tree, fixed)
            depth_m = depth_metres(message)
            size_px = (depth_m.shape[1], depth_m.shape[0])
            lens = self._lens(
                self.selection.geometry, self.selection.depth_info, stamp_ns, size_px
            )
            depth = DepthImage(stamp_ns, frame_id, depth_m, lens)
            return self._builder.from_depth(color, depth, tree, fixed)
        except Sam3dError as error:
            topics = f'{rgb.topic} and {geometry.topic}'
            return BadFrame(self._stamp_ns(rgb), f'{topics}: {error}')

    def _stamp_ns(self, message: RawMessage) -> int:
        return self._recording.stamp_of(message) if len(message.data) >= 12 else message.log_ns

    def _color(self, raw: RawMessage) -> ColorImage:
        message = self._recording.decode(raw)
        stamp_ns = self._recording.stamp_of(raw)
        rgb = to_rgb(message)
        size_px = (rgb.shape[1], rgb.shape[0])
        lens = self._lens(self.selection.rgb, self.selection.rgb_info, stamp_ns, size_px)
        assert lens is not None
        return ColorImage(stamp_ns, str(message.header.frame_id), rgb, lens)

    def _lens(
        self, stream: Stream, topic: str | None, stamp_ns: int, size_px: tuple[int, int]
    ) -> Lens | None:
        """Return the lens of an image; None where there is no CameraInfo beside it."""
        if topic is None or not self.scan.infos[topic]:
            return None
        info: Any = self.scan.info_at(topic, stamp_ns)
        key = (id(info), size_px)
        if key not in self._lenses:
            rectified = self._is_rectified(stream.topic)
            self._lenses[key] = lens_from(info, size_px, rectified=rectified)
        return self._lenses[key]

    def _is_rectified(self, topic: str) -> bool:
        if self._config.rectified == 'auto':
            return 'rect' in topic
        return self._config.rectified == 'yes'
