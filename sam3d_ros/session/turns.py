# SPDX-License-Identifier: Apache-2.0
"""Which frames of each camera are segmented, and which are spared for want of time."""

from __future__ import annotations

from sam3d_ros.core.types import Frame


class Turns:
    """Counts the frames of every camera.

    :param every: so many frames of a camera for one that is segmented.
    :param hurry_s: in a hurry, time from one segmented frame of a camera to the next, seconds.
    """

    def __init__(self, every: int, hurry_s: float) -> None:
        self._every = every
        self._hurry_ns = round(1e9 * hurry_s)
        self._frames: dict[str, int] = {}
        self._segmented_ns: dict[str, int] = {}

    def spares(self, frame: Frame, hurry: bool) -> bool:
        """Count a frame; return whether known objects are to be followed through it instead.

        :param frame: frames of one camera come in stamp order.
        :param hurry: they come faster than they can be segmented.
        """
        name = frame.camera_name
        count = self._frames.get(name, 0)
        self._frames[name] = count + 1
        since_ns = frame.stamp_ns - self._segmented_ns.get(name, -self._hurry_ns)
        return count % self._every != 0 or (hurry and since_ns < self._hurry_ns)

    def segmented(self, frame: Frame) -> int:
        """Take note that a frame is segmented; return the stamp of the one before, 0 = none."""
        before_ns = self._segmented_ns.get(frame.camera_name, 0)
        self._segmented_ns[frame.camera_name] = frame.stamp_ns
        return before_ns

    def is_late(self, frame: Frame) -> bool:
        """Return whether this frame of its camera, or a later one, was segmented already."""
        return frame.stamp_ns <= self._segmented_ns.get(frame.camera_name, frame.stamp_ns - 1)

    def clear(self) -> None:
        """Begin anew for all cameras."""
        self._frames.clear()
        self._segmented_ns.clear()
