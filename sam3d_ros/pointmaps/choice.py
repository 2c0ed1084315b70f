# SPDX-License-Identifier: Apache-2.0
"""Which of a camera's range streams makes its frames: the best that is alive, live and recorded.

Streams are told by their topics, the one that is preferred first. A stream that is silent gives
way to the next; when it comes back, or now and then, a frame of it is made only to be looked at,
and who knows most of the image makes the frames from then on. Time is that of the stamps alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from sam3d_ros.core.types import Frame

SILENT_NS = 1_000_000_000
"""A stream without a message for so long is given up, until it comes back."""
LOOK_NS = 5_000_000_000
"""So often a frame of each other stream is looked at."""
GOOD_SHARE = 0.05
"""A range counts that is known better than this share of it, one sigma."""
# How much more of the image another stream must know: than the one that is used, than its better.
_STAYS, _RANK = 1.1, 1.25

Use = Literal['use', 'look', 'skip']


def quality(frame: Frame) -> float:
    """Return the share of a frame's pixels whose range was measured, and well."""
    with np.errstate(invalid='ignore'):
        is_good = frame.sigma_m < GOOD_SHARE * frame.depth_m
    if frame.measured is not None:
        is_good = is_good & frame.measured
    return float(is_good.mean())


class SourceChoice:
    """Chooses among range streams; frames may be judged in another thread.

    :param topics: of the streams, the preferred one first.
    :param say: takes a sentence whenever another one is chosen.
    """

    def __init__(self, topics: Sequence[str], say: Callable[[str], object]) -> None:
        self._topics, self._say = tuple(topics), say
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew, as when stamps went back."""
        with self._lock:
            self.current = ''
            self._heard_ns: dict[str, int] = {}
            self._looked_ns: dict[str, int] = {}
            self._known: dict[str, float] = {}

    def use_of(self, topic: str, stamp_ns: int) -> Use:
        """Return what a colour image with a partner on a topic is good for.

        :param topic: of the depth image or cloud.
        :param stamp_ns: of the colour image.
        :return: ``use`` = its frame counts; ``look`` = make it, for :meth:`judge` only.
        """
        with self._lock:
            return self._use_of(topic, stamp_ns)

    def _use_of(self, topic: str, stamp_ns: int) -> Use:
        before_ns = self._heard_ns.get(topic)
        self._heard_ns[topic] = stamp_ns
        if topic == self.current:
            return 'use'
        if before_ns is None or stamp_ns - before_ns > SILENT_NS:
            self._known.pop(topic, None)
            self._looked_ns.pop(topic, None)
        silent_ns = stamp_ns - self._heard_ns.get(self.current, stamp_ns)
        if not self.current:
            self.current = topic
            return 'use'
        if silent_ns > SILENT_NS:
            self._say(
                f'{self.current} is silent for {silent_ns / 1e9:.1f} s: range comes from {topic}'
            )
            self.current = topic
            return 'use'
        looked_ns = self._looked_ns.get(topic)
        if looked_ns is not None and stamp_ns - looked_ns < LOOK_NS:
            return 'skip'
        self._looked_ns[topic] = stamp_ns
        return 'look'

    def judge(self, topic: str, frame: Frame) -> None:
        """Take how well a stream knows an image, and choose anew.

        :param topic: of the stream; one not heard since all was forgotten has nothing to say.
        :param frame: made from it, to be used or only looked at.
        """
        if topic not in self._heard_ns:
            return
        share = quality(frame)
        with self._lock:
            # All may have been forgotten meanwhile.
            if topic in self._heard_ns:
                self._judge(topic, share)

    def _judge(self, topic: str, share: float) -> None:
        # Many frames are averaged; one that is only looked at is all there is.
        before = self._known.get(topic, share) if topic == self.current else share
        self._known[topic] = 0.5 * (before + share)
        newest_ns = max(self._heard_ns.values())
        worth = {
            name: known
            * (_STAYS if name == self.current else 1.0)
            / _RANK ** self._topics.index(name)
            for name, known in self._known.items()
            if newest_ns - self._heard_ns[name] <= SILENT_NS
        }
        best = max(worth, key=worth.__getitem__, default=self.current)
        if best != self.current:
            seen = {name: f'{self._known.get(name, 0.0):.0%}' for name in (best, self.current)}
            self._say(
                f'{best} knows {seen[best]} of the image to {GOOD_SHARE:.0%}, {self.current} '
                f'{seen[self.current]}: range comes from {best}'
            )
            self.current = best


class Roll:
    """Says which of several streams that are fused is silent, and when it is back.

    :param topics: of the streams.
    :param say: takes the sentences.
    """

    def __init__(self, topics: Sequence[str], say: Callable[[str], object]) -> None:
        self._say = say
        self._heard_ns: dict[str, int | None] = dict.fromkeys(topics)
        self._silent: set[str] = set()
        self._begun_ns: int | None = None

    def call(self, present: Sequence[str], stamp_ns: int) -> None:
        """Take which streams a frame is made from.

        :param present: their topics.
        :param stamp_ns: of the frame.
        """
        if self._begun_ns is None or stamp_ns < self._begun_ns:
            self._begun_ns = stamp_ns
        for topic, heard_ns in self._heard_ns.items():
            if topic in present:
                self._heard_ns[topic] = stamp_ns
                if topic in self._silent:
                    self._silent.discard(topic)
                    self._say(f'{topic} is back: its ranges are fused again')
            elif topic not in self._silent and stamp_ns - (heard_ns or self._begun_ns) > SILENT_NS:
                self._silent.add(topic)
                self._say(f'{topic} is silent: ranges are fused without it')
