# SPDX-License-Identifier: Apache-2.0
"""A recording as frames in stamp order: paired, decoded, rectified, placed by TF.

TF may look ahead here: all of it is read before the first frame. A frame that cannot be made
becomes a sentence in its place; the ones after it are not affected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.bags.scan import SLOP_S, Scan, Timing, scan
from sam3d_ros.bags.selection import Overrides, Selection
from sam3d_ros.core.errors import ConfigurationError, RecordingError, Sam3dError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.intake import Arrived, Intake
from sam3d_ros.pointmaps.pairing import Pairing, pair_all


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that could not be made, and why; ``camera_id`` as in a frame."""

    stamp_ns: int
    reason: str
    camera_id: str = ''


class FrameReader:
    """The frames of a recording; iterate over it, any number of times.

    :param recording: what is read.
    :param selection: the topics that make frames.
    :param config: options of the stage.
    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    :param notes: takes what was assumed or looks wrong, once each; reading adds to it.
    :param found: what a first pass over the recording found; None = make one.
    :raises RecordingError: when the streams do not meet anywhere, or have no calibration.
    :raises TransformError: when the configured fixed frame is not in TF.
    """

    def __init__(
        self,
        recording: Recording,
        selection: Selection,
        config: PointmapConfig,
        slop_s: float = SLOP_S,
        notes: Notes | None = None,
        found: Scan | None = None,
    ) -> None:
        self.selection = selection
        self.notes = notes or Notes()
        self._recording = recording
        self.camera_id = config.camera_id
        self._intake = Intake(config, self.notes)
        timing = timing_of(config, slop_s)
        self.scan = found or scan(recording, selection, timing)
        for sentence in (*recording.notes, *selection.left_out, *self.scan.notes):
            self.notes.add(sentence)
        rgb, geometry = selection.rgb.topic, selection.geometry.topic
        stamps = self.scan.stamps_ns
        self.pairing: Pairing = pair_all(stamps[rgb], stamps[geometry], timing.slop_ns)
        if not self.pairing.pairs:
            raise RecordingError(
                f'{len(stamps[rgb])} images on {rgb} and {len(stamps[geometry])} on {geometry}, '
                f'of which no two are within {slop_s:g} s, by header or by receive time',
                wanted='streams with common stamps',
                remedy='Choose other topics with --rgb and --depth, a larger --slop, or '
                f'--stamp-offset {geometry}=SECONDS.',
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
        return self._intake.fixed_frame_of(self.scan.tree, self.frame_id)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        """Yield every frame in stamp order; a message is held only until its partner comes.

        Every time the camera begins to measure its errors anew.
        """
        self._intake.forget()
        rgb, geometry = self.selection.rgb.topic, self.selection.geometry.topic
        wanted = {
            topic: np.zeros(len(self.scan.stamps_ns[topic]), bool) for topic in (rgb, geometry)
        }
        for color_at, other_at in self.pairing.pairs:
            wanted[rgb][color_at] = wanted[geometry][other_at] = True
        held: dict[tuple[str, int], RawMessage] = {}
        seen = {rgb: 0, geometry: 0}
        coming = iter(self.pairing.pairs)
        pair = next(coming, None)
        for message in self._recording.messages({rgb, geometry}):
            key = (message.topic, seen[message.topic])
            seen[message.topic] += 1
            if wanted[message.topic][key[1]]:
                held[key] = message
            while pair is not None and (rgb, pair[0]) in held and (geometry, pair[1]) in held:
                yield self._frame(held.pop((rgb, pair[0])), held.pop((geometry, pair[1])), pair)
                pair = next(coming, None)

    def _frame(
        self, rgb: RawMessage, geometry: RawMessage, pair: tuple[int, int]
    ) -> Frame | BadFrame:
        chosen, stamps = self.selection, self.scan.stamps_ns
        stamp_ns = int(stamps[rgb.topic][pair[0]])
        try:
            color = self._arrived(rgb, chosen.rgb_info, stamp_ns)
            other_ns = int(stamps[geometry.topic][pair[1]])
            other = self._arrived(geometry, chosen.depth_info, other_ns)
            return self._intake.frame(color, other, self.scan.tree, self.fixed_frame)
        except Sam3dError as error:
            return BadFrame(stamp_ns, str(error), self.camera_id)

    def _arrived(self, raw: RawMessage, info_topic: str | None, stamp_ns: int) -> Arrived:
        message = self._recording.decode(raw)
        known = info_topic is not None and self.scan.infos[info_topic]
        info = self.scan.info_at(info_topic, stamp_ns) if info_topic and known else None
        return Arrived(raw.topic, message, info, stamp_ns)


def timing_of(config: PointmapConfig, slop_s: float = SLOP_S) -> Timing:
    """Return how stamps and TF are to be taken.

    :param config: options of the stage.
    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    :raises ConfigurationError: when an option cannot be read.
    """
    return Timing(slop_s, config.stamps, config.stamp_offsets_s, config.tf_namespace or None)


def overrides_of(recording: Recording, config: PointmapConfig, **topics: str) -> Overrides:
    """Return what the user named, checked against the topics of a recording.

    :param recording: whose topics they are.
    :param config: options of the stage.
    :param topics: ``rgb``, ``depth``, ``info``, ``points``; empty = choose.
    :raises ConfigurationError: when an option names a topic that the recording does not have.
    """
    frames = config.frame_overrides
    known = {topic.name for topic in recording.topics}
    for topic in (*frames, *config.stamp_offsets_s):
        if topic not in known:
            raise ConfigurationError(
                f'an option for {topic}, which is not in {recording.path}',
                wanted=f'one of {", ".join(sorted(known))}',
            )
    return Overrides(**topics, frames=frames)
