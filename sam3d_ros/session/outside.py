# SPDX-License-Identifier: Apache-2.0
"""Masks that somebody else makes, in another process or on another machine."""

from __future__ import annotations

from collections import deque

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Frame, Instances

MOST_WAITING = 10
"""Masks that may wait for their frames; beyond, the oldest go."""


class OutsideMasks:
    """Keeps masks until their frames come, and knows which cameras somebody else segments.

    :param wait_s: so long after the last masks of a camera its frames are left to whoever made
        them, seconds between the stamps.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_ns = round(1e9 * wait_s)
        self._waiting: deque[tuple[str, Instances]] = deque(maxlen=MOST_WAITING)
        self._heard_ns: dict[str, int] = {}

    def clear(self) -> None:
        """Forget all, as when time begins anew."""
        self._waiting.clear()
        self._heard_ns.clear()

    def put(self, frame_id: str, instances: Instances) -> None:
        """Keep masks of a frame that has not come yet.

        :param frame_id: optical frame of their camera.
        :param instances: the masks, at the frame's stamp.
        """
        self._waiting.append((frame_id, instances))

    def take(self, frame: Frame) -> Instances | None:
        """Return the masks that have waited for a frame, None when there are none."""
        for waiting in self._waiting:
            if (frame.frame_id, frame.stamp_ns) == (waiting[0], waiting[1].stamp_ns):
                self._waiting.remove(waiting)
                self.heard(frame)
                return waiting[1]
        return None

    def heard(self, frame: Frame) -> None:
        """Note that somebody has segmented a frame."""
        self._heard_ns[frame.frame_id] = frame.stamp_ns

    def expects(self, frame: Frame) -> bool:
        """Return whether masks of a frame can be expected from whoever made the last ones."""
        heard_ns = self._heard_ns.get(frame.frame_id)
        return heard_ns is not None and abs(frame.stamp_ns - heard_ns) <= self._wait_ns


def require_fit(instances: Instances, frame: Frame) -> None:
    """Require masks that are in pixels of a frame.

    :param instances: from outside.
    :param frame: what they are said to be of.
    :raises InputError: when one has another size.
    """
    height, width = frame.depth_m.shape
    for item in instances.items:
        if item.mask.shape != (height, width):
            raise InputError(
                f'a mask of {item.mask.shape[1]}x{item.mask.shape[0]} pixels for a frame of '
                f'{width}x{height}',
                wanted='masks in pixels of the rectified colour image',
            )
