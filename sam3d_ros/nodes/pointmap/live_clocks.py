# SPDX-License-Identifier: Apache-2.0
"""Stamps of live messages by the rules for recordings, judged by what came lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from sam3d_ros.bags.clocks import Clock, Settled, Times, settle
from sam3d_ros.messages.topics import TF
from sam3d_ros.pointmaps.config import PointmapConfig

_KEPT = 64
_KEPT_TF = 512
_FEWEST = 6
# Clocks whose offsets differ by less are the same: medians of what came lately wander.
_SAME_NS = 500_000_000


class LiveClocks:
    """How the stamps of colour, range and TF become those of one clock.

    :param config: options of the stage.
    :param slop_s: stamps of one frame are at most this far apart, seconds.
    :param topics: of colour and of each stream of range, the preferred one first. The first that
        comes decides about colour and TF; colour alone is settled with itself.
    :param say: called with what was changed about the stamps.
    """

    def __init__(
        self,
        config: PointmapConfig,
        slop_s: float,
        topics: Sequence[str],
        say: Callable[[str], object],
    ) -> None:
        self._mode = config.stamps
        self._offsets_s = config.stamp_offsets_s
        self._slop_ns = round(slop_s * 1e9)
        self._color, *ranges = topics
        self._ranges = ranges or [self._color]
        self._say = say
        self._seen = {topic: deque[tuple[int, int]](maxlen=_KEPT) for topic in topics}
        self._tf = deque[tuple[int, int]](maxlen=_KEPT_TF)
        self._settled = {topic: self._judge(topic) for topic in self._ranges}
        self._first = self._settled[self._ranges[0]]

    def stamp(self, topic: str, header_ns: int, received_ns: int) -> int:
        """Return the stamp of an image or cloud, ns, and remember what came with it.

        :param topic: where it came from, colour or range.
        :param header_ns: the stamp in its header.
        :param received_ns: when it was received.
        """
        self._seen[topic].append((header_ns, received_ns))
        is_color = topic == self._color
        clock = self._first.color if is_color else self._settled[topic].range
        return clock.stamp(header_ns, received_ns)

    def stamp_tf(self, header_ns: int, received_ns: int, says_nothing: bool) -> int:
        """Return the stamp of a transform that moves, ns, and remember what came with it.

        :param header_ns: the stamp in its header.
        :param received_ns: when it was received.
        :param says_nothing: whether stamps of its frame are zero or never change.
        """
        if says_nothing and self._mode != 'header':
            return self._first.unstamped.stamp(header_ns, received_ns)
        self._tf.append((header_ns, received_ns))
        return self._first.tf.stamp(header_ns, received_ns)

    def settle(self) -> bool:
        """Judge anew; return whether stamps of images changed: what waits is of another time."""
        come = [topic for topic in self._ranges if len(self._seen[topic]) >= _FEWEST]
        if self._mode != 'auto' or not come or len(self._seen[self._color]) < _FEWEST:
            return False
        found = {topic: self._judge(topic) for topic in come}
        first = found[come[0]]
        color = _is_same(self._first.color, first.color)
        changed = [t for t in come if not _is_same(self._settled[t].range, found[t].range)]
        if color and not changed and _is_same(self._first.unstamped, first.unstamped):
            return False
        self._first = first
        self._settled |= found
        notes = [n for own in found.values() if own.color == first.color for n in own.notes]
        for note in dict.fromkeys(notes):
            self._say(note)
        return bool(changed) or not color

    def _judge(self, topic: str) -> Settled:
        color, other = (_times(name, list(self._seen[name])) for name in (self._color, topic))
        tf = _times(TF.name, list(self._tf)) if self._tf else None
        return settle(color, other, tf, self._slop_ns, self._mode, self._offsets_s)


def _times(name: str, pairs: list[tuple[int, int]]) -> Times:
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return Times(name, both[:, 0], both[:, 1])


def _is_same(before: Clock, after: Clock) -> bool:
    return (
        before.uses_receive == after.uses_receive
        and (before.instead_ns is None) == (after.instead_ns is None)
        and abs(before.offset_ns - after.offset_ns) < _SAME_NS
    )
