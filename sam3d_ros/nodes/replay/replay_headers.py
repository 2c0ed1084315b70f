# SPDX-License-Identifier: Apache-2.0
"""Headers of replayed messages, made anew where the user says so; everything else as recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import NS_PER_S, nanoseconds
from sam3d_ros.nodes.config import ReplayConfig
from sam3d_ros.pointmaps.config import PointmapConfig


class Headers:
    """Stamps and frames that replace those in the headers of a recording.

    :param config: of the replay.
    :raises ConfigurationError: when an option cannot be read.
    """

    def __init__(self, config: ReplayConfig) -> None:
        given = PointmapConfig(
            stamp_offset=config.stamp_offset, frame_override=config.frame_override
        )
        self._stamps = config.stamps
        self._offsets_ns = {
            topic: round(offset_s * 1e9) for topic, offset_s in given.stamp_offsets_s.items()
        }
        self._frames = given.frame_overrides

    def cdr(self, recording: Recording, message: RawMessage) -> bytes:
        """Return the bytes to publish for a recorded message.

        :param recording: where it is from.
        :param message: one of a topic that can be published.
        :raises RecordingError: when it has to be decoded and cannot be.
        """
        offset_ns = self._offsets_ns.get(message.topic, 0)
        frame = self._frames.get(message.topic)
        if self._stamps == 'header' and not offset_ns and frame is None:
            return recording.cdr(message)
        decoded = recording.decode(message)
        for header in _headers(decoded):
            stamp_ns = nanoseconds(header.stamp) + offset_ns
            is_zero = not nanoseconds(header.stamp)
            if self._stamps == 'receive' or (self._stamps == 'auto' and is_zero):
                stamp_ns = message.log_ns
            header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, NS_PER_S)
            header.frame_id = frame or header.frame_id
        return encode(decoded, message.type)


def _headers(message: Any) -> Iterator[Any]:
    """Yield the header of a message, or those of its transforms."""
    if hasattr(message, 'header'):
        yield message.header
    for item in getattr(message, 'transforms', ()):
        yield item.header
