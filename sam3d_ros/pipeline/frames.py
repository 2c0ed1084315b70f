# SPDX-License-Identifier: Apache-2.0
"""A recording as frames in stamp order: paired, decoded, rectified, placed by TF.

TF may look ahead here: all of it is read before the first frame. A frame that cannot be made
becomes a sentence in its place; the ones after it are not affected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.bags.scan import SLOP_S, Scan, Timing, scan
from sam3d_ros.bags.selection import Overrides, Selection
from sam3d_ros.core.errors import ConfigurationError, RecordingError, Sam3dError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame
from sam3d_ros.pointmaps.choice import Roll, SourceChoice
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.intake import SENSED, Arrived, Intake
from sam3d_ros.pointmaps.odometry.own_places import follows
from sam3d_ros.pointmaps.pairing import Pairing, pair_all
from sam3d_ros.pointmaps.sources.ranges import Measurement


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
        self._fuses = config.range == 'fused'
        rgb, stamps = selection.rgb.topic, self.scan.stamps_ns
        self._infos = {stream.topic: info for stream, info in selection.ranges}
        pairings = {
            topic: pair_all(stamps[rgb], stamps[topic], timing.slop_ns) for topic in self._infos
        }
        # By the place of each colour image: those of its partners, by their topics.
        self._partners: dict[int, dict[str, int]] = {}
        for topic, pairing in pairings.items():
            for color_at, other_at in pairing.pairs:
                self._partners.setdefault(color_at, {})[topic] = other_at
        if not pairings:
            alone = np.unique(stamps[rgb], return_index=True)[1]
            self._partners = {int(at): {} for at in alone}
            pairings[''] = Pairing((), 0, 0, len(stamps[rgb]) - len(alone))
        self.pairing: Pairing = next(iter(pairings.values()))
        if not self._partners:
            geometry = next(iter(pairings))
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
        return len(self._partners)

    @property
    def frame_id(self) -> str:
        """The optical frame of colour."""
        return self.selection.rgb.frame_id

    @cached_property
    def fixed_frame(self) -> str:
        """The frame that objects are kept in, unless own odometry follows the camera."""
        return self._intake.fixed_frame_of(self.scan.tree, self.frame_id)

    @property
    def is_followed(self) -> bool:
        """Whether own odometry says where the camera is, and no TF does."""
        config, is_depth = self._intake.config, self.selection.depth is not None
        return is_depth and follows(config, self.scan.tree, self.fixed_frame, self.frame_id)

    def keep(self, stamps_ns: Sequence[int]) -> None:
        """Leave out all frames from now on but those nearest to some stamps."""
        stamps = self.scan.stamps_ns[self.selection.rgb.topic]
        at = np.array(sorted(self._partners))
        nearest = {int(at[np.argmin(np.abs(stamps[at] - each))]) for each in stamps_ns}
        self._partners = {key: self._partners[key] for key in sorted(nearest)}

    @property
    def stamps_ns(self) -> list[int]:
        """The stamps of all frames, in order."""
        stamps = self.scan.stamps_ns[self.selection.rgb.topic]
        return sorted(int(stamps[at]) for at in self._partners)

    def measured(self) -> Iterator[tuple[ColorImage, tuple[Measurement, ...]] | BadFrame]:
        """Yield, in stamp order, what frames would be made of: images with what came with them."""
        for keys, color, others in self._together():
            try:
                image, items = self._intake.decoded(*self._all_arrived(keys, color, others))
                yield image, tuple(items.values())
            except Sam3dError as error:
                yield BadFrame(self._stamp(keys[0]), str(error), self.camera_id)

    def __iter__(self) -> Iterator[Frame | BadFrame]:
        """Yield every frame in stamp order; a message is held only until its partner comes.

        Every time the camera begins to measure its errors anew.
        """
        self._intake.forget()
        choice = SourceChoice(tuple(self._infos), self.notes.add)
        roll = Roll(tuple(self._infos), self.notes.add)
        for keys, color, others in self._together():
            frame: Frame | BadFrame | None
            if self._fuses or len(self._infos) < 2:
                if len(self._infos) > 1:
                    roll.call(tuple(other.topic for other in others), self._stamp(keys[0]))
                frame = self._frame(color, others, keys)
            else:
                frame = self._chosen(choice, color, others, keys)
            if frame is not None:
                yield frame

    def _together(self) -> Iterator[tuple[list[tuple[str, int]], RawMessage, list[RawMessage]]]:
        """Yield colour images with their partners in stamp order: topics and places, messages."""
        rgb, stamps = self.selection.rgb.topic, self.scan.stamps_ns
        topics = (rgb, *self._infos)
        wanted = {topic: np.zeros(len(stamps[topic]), bool) for topic in topics}
        for color_at, partners in self._partners.items():
            for topic, at in ((rgb, color_at), *partners.items()):
                wanted[topic][at] = True
        held: dict[tuple[str, int], RawMessage] = {}
        seen = dict.fromkeys(topics, 0)
        coming = iter(sorted(self._partners, key=lambda at: int(stamps[rgb][at])))
        next_at = next(coming, None)
        for message in self._recording.messages(set(topics)):
            key = (message.topic, seen[message.topic])
            seen[message.topic] += 1
            if wanted[message.topic][key[1]]:
                held[key] = message
            while next_at is not None:
                keys = [(rgb, next_at), *self._partners[next_at].items()]
                if not all(key in held for key in keys):
                    break
                color, *others = (held.pop(key) for key in keys)
                yield keys, color, others
                next_at = next(coming, None)

    def _stamp(self, key: tuple[str, int]) -> int:
        return int(self.scan.stamps_ns[key[0]][key[1]])

    def _chosen(
        self,
        choice: SourceChoice,
        color: RawMessage,
        others: Sequence[RawMessage],
        keys: Sequence[tuple[str, int]],
    ) -> Frame | BadFrame | None:
        """Return the frame of the best partner of a colour image; None where all are spare."""
        made: Frame | BadFrame | None = None
        stamp_ns = self._stamp(keys[0])
        # The stream that is used first: only its silence lets another one take over.
        for other, key in sorted(
            zip(others, keys[1:], strict=True), key=lambda item: item[0].topic != choice.current
        ):
            use = choice.use_of(other.topic, stamp_ns)
            if use == 'skip':
                continue
            frame = self._frame(color, [other], [keys[0], key], is_look=use == 'look')
            if use == 'use':
                made = frame
            if isinstance(frame, Frame):
                choice.judge(other.topic, frame)
        return made

    def _frame(
        self,
        rgb: RawMessage,
        others: Sequence[RawMessage],
        keys: Sequence[tuple[str, int]],
        is_look: bool = False,
    ) -> Frame | BadFrame:
        """Return the frame of some messages, or why there is none.

        :param keys: topic and place among its messages, of colour and of each other one.
        :param is_look: see :meth:`Intake.frame`.
        """
        try:
            arrived, more = self._all_arrived(keys, rgb, others)
            return self._intake.frame(
                arrived, more, self.scan.tree, self.fixed_frame, is_look=is_look
            )
        except Sam3dError as error:
            return BadFrame(self._stamp(keys[0]), str(error), self.camera_id)

    def _all_arrived(
        self, keys: Sequence[tuple[str, int]], rgb: RawMessage, others: Sequence[RawMessage]
    ) -> tuple[Arrived, list[Arrived]]:
        color = self._arrived(rgb, self.selection.rgb_info, self._stamp(keys[0]))
        return color, [
            self._arrived(other, self._infos[other.topic], self._stamp(key))
            for other, key in zip(others, keys[1:], strict=True)
        ]

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


def overrides_of(
    recording: Recording,
    config: PointmapConfig,
    more: Sequence[str] = (),
    **topics: str,
) -> Overrides:
    """Return what the user named, checked against the topics of a recording.

    :param recording: whose topics they are.
    :param config: options of the stage.
    :param more: topics of further sensors of range.
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
    return Overrides(
        **topics,
        more=tuple(more),
        fused=config.range == 'fused',
        color_alone=config.range not in SENSED,
        frames=frames,
    )
