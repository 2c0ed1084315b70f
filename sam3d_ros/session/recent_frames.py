# SPDX-License-Identifier: Apache-2.0
"""The last frames with their tracks: what a prompt's pixels may be of."""

from __future__ import annotations

from collections import deque

from sam3d_ros.core.errors import NotFoundError, NotReadyError
from sam3d_ros.core.types import Frame, Tracks


class RecentFrames:
    """The last ``count`` frames, each with the tracks after it."""

    def __init__(self, count: int) -> None:
        self._kept: deque[tuple[Frame, Tracks]] = deque(maxlen=count)

    def add(self, frame: Frame, tracks: Tracks) -> None:
        """Keep a frame; the oldest one goes when there is no room."""
        self._kept.append((frame, tracks))

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def latest(self) -> Frame | None:
        """Return the last frame, None before the first."""
        return self._kept[-1][0] if self._kept else None

    def tracks_of(self, camera_name: str) -> Tracks | None:
        """Return the tracks after the last frame of a camera, None when there is none."""
        for frame, tracks in reversed(self._kept):
            if frame.camera_name == camera_name:
                return tracks
        return None

    def at(self, stamp_ns: int | None) -> tuple[Frame, Tracks]:
        """Return the frame of a source stamp, None = the latest.

        :raises NotReadyError: when there is no frame at all yet.
        :raises NotFoundError: when the one asked for is not kept.
        """
        if not self._kept:
            raise NotReadyError('no frame yet', wanted='a frame to look for the prompt in')
        if stamp_ns is None:
            return self._kept[-1]
        for frame, tracks in self._kept:
            if frame.stamp_ns == stamp_ns:
                return frame, tracks
        first, last = (_seconds(self._kept[k][0].stamp_ns) for k in (0, -1))
        raise NotFoundError(
            f'no frame of {_seconds(stamp_ns)} s is kept',
            wanted=f'the stamp of one of the {len(self._kept)} frames from {first} to {last} s',
            remedy='Set prompts.keep_frames to keep more, or leave the stamp zero for the latest.',
        )


def _seconds(stamp_ns: int) -> str:
    """Seconds with all nine decimals: stamps are compared exactly."""
    return f'{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000:09d}'
