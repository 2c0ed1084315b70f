# SPDX-License-Identifier: Apache-2.0
"""Which followed masks are believed, over time: detection score, and who was hidden last.

After the video loop of SAM 3 (Carion et al., 2025, section 4 and its appendix), with windows in
seconds. A masklet's score rises while detections match it and falls while none does; below zero it
is not shown, but still followed. Of two masks that lie on each other, one is drawn to the other's
object: the one that was hidden last is the one that was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from sam3d_ros.core.types import BoolArray
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.tracking.config import VideoConfig
from sam3d_ros.tracking.video.memory import Followed


class Masklets:
    """Remembers of every followed object how detections agreed and when it was hidden.

    :param config: how long without detections, and how much of an overlap.
    """

    def __init__(self, config: VideoConfig) -> None:
        self._config = config
        self._score_s: dict[int, float] = {}
        self._hidden_ns: dict[int, int] = {}
        self._stamp_ns: int | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._score_s, self._hidden_ns, self._stamp_ns = {}, {}, None

    def hidden(self, said: Mapping[int, Followed], least: float, stamp_ns: int) -> None:
        """Take note of who is hidden in a frame.

        :param said: what the memory says of everybody.
        :param least: probability to be there below which an object is hidden.
        :param stamp_ns: of the frame.
        """
        for object_id, item in said.items():
            if item.score < least or not item.mask.any():
                self._hidden_ns[object_id] = stamp_ns

    def drawn_away(self, masks: Mapping[int, BoolArray]) -> set[int]:
        """Return the ids of those whose masks lie on the mask of one that was not hidden so late.

        :param masks: of the objects that are there.
        """
        away: set[int] = set()
        for one, other in combinations(sorted(masks), 2):
            if mask_iou(masks[one], masks[other]) < self._config.overlap_iou:
                continue
            since = self._hidden_ns.get(one, 0), self._hidden_ns.get(other, 0)
            if since[0] != since[1]:
                away.add(one if since[0] > since[1] else other)
        return away

    def believed(
        self, followed: Iterable[int], detected: Iterable[int], stamp_ns: int
    ) -> frozenset[int]:
        """Return the ids of those that are shown, and count this frame for or against each.

        :param followed: ids of those that the memory sees in the frame.
        :param detected: ids of those among them that a detection matches.
        :param stamp_ns: of the frame.
        """
        before_ns = stamp_ns if self._stamp_ns is None else self._stamp_ns
        step_s, self._stamp_ns = max(0, stamp_ns - before_ns) * 1e-9, stamp_ns
        most, matched = self._config.keep_alive_s, frozenset(detected)
        for object_id in followed:
            known = self._score_s.get(object_id, most)
            by = step_s if object_id in matched else -step_s
            self._score_s[object_id] = min(max(known + by, -step_s), most)
        return frozenset(
            object_id
            for object_id in followed
            if object_id in matched or self._score_s[object_id] >= 0.0
        )
