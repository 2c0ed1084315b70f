# SPDX-License-Identifier: Apache-2.0
"""After a clear, tracks of the time before may still be on their way; they must not come back."""

from __future__ import annotations

from sam3d_ros.core.types import Tracks


class ClearedGate:
    """Keeps out tracks that were born before a clear, until the first ones born after it."""

    def __init__(self) -> None:
        self._latest_ns: int | None = None
        self._cleared_ns: int | None = None

    def close(self) -> None:
        """Note a clear: what was born up to the last admitted frame is of the time before."""
        self._cleared_ns = self._latest_ns

    def open(self) -> None:
        """Forget the clear: stamps started anew."""
        self._latest_ns = self._cleared_ns = None

    def admits(self, tracks: Tracks) -> bool:
        """Return whether tracks may be used."""
        cleared_ns = self._cleared_ns
        if cleared_ns is not None and any(
            track.first_seen_ns <= cleared_ns for track in tracks.items
        ):
            return False
        self._cleared_ns = None
        self._latest_ns = tracks.stamp_ns
        return True
