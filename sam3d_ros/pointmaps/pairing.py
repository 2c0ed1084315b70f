# SPDX-License-Identifier: Apache-2.0
"""Messages of two streams to pairs by stamp: what live nodes and recordings push into alike."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar('Item')

# The smallest of so many steps between stamps of a stream is taken for its next one.
_STEPS = 8
_FEWEST_STEPS = 4


class Pairer(Generic[Item]):
    """Two streams that are pushed into it, and the pairs that come out.

    Two messages are a pair when each is the other's nearest, and when they are at most the slop
    apart. A pair comes out once later messages cannot change it: with the second of the two where
    its stream's usual step leaves no room for a nearer one, else with the message after that.
    What is a pair depends on the stamps of each stream alone, not on which stream's messages came
    first.

    ``alone`` counts messages of each stream without a partner, ``repeated`` those with a stamp
    that their stream had before, ``late`` those that came after a later one was settled.

    :param slop_ns: most time between two of a pair, ns.
    :param capacity: messages kept of a stream while the other is silent; None = all.
    """

    def __init__(self, slop_ns: int, capacity: int | None = None) -> None:
        self._slop_ns = slop_ns
        self._capacity = capacity
        self.alone = [0, 0]
        self.repeated = 0
        self.late = 0
        self.clear()

    def clear(self) -> None:
        """Forget what waits and what was learned of the streams, as when their time goes back."""
        self._waiting: tuple[deque[tuple[int, Item]], ...] = (deque(), deque())
        self._settled: list[int | None] = [None, None]
        self._steps = tuple(deque[int](maxlen=_STEPS) for _ in range(2))

    def push(self, stream: int, stamp_ns: int, item: Item) -> list[tuple[Item, Item]]:
        """Take a message; return the pairs that are settled now, in order of their stamps.

        :param stream: 0 or 1, whose message it is.
        :param stamp_ns: its stamp, ns.
        :param item: what is returned in a pair, that of stream 0 first.
        """
        queue, settled = self._waiting[stream], self._settled[stream]
        at = len(queue)
        if queue and stamp_ns <= queue[-1][0]:
            at = bisect_left(queue, stamp_ns, key=lambda known: known[0])
        if stamp_ns == settled or (at < len(queue) and queue[at][0] == stamp_ns):
            self.repeated += 1
            return []
        if settled is not None and stamp_ns < settled:
            self.late += 1
            return []
        queue.insert(at, (stamp_ns, item))
        found = list(self._pairs(is_over=False))
        if self._capacity is not None and len(queue) > self._capacity:
            self._leave(stream)
        return found

    def flush(self) -> list[tuple[Item, Item]]:
        """Return the pairs that only waited for a message which will not come."""
        return list(self._pairs(is_over=True))

    def _pairs(self, is_over: bool) -> Iterator[tuple[Item, Item]]:
        """Yield pairs from the earliest message on, for as long as its fate is certain."""
        while all(self._waiting):
            heads = [queue[0] for queue in self._waiting]
            stream = 0 if heads[0][0] <= heads[1][0] else 1
            gap_ns = heads[1 - stream][0] - heads[stream][0]
            if gap_ns > self._slop_ns or self._is_nearer_before(stream, gap_ns):
                self._leave(stream)
            elif 2 * gap_ns < self._next_step(stream):
                yield self._take()
            elif len(self._waiting[stream]) > 1:
                after_ns = abs(self._waiting[stream][1][0] - heads[1 - stream][0])
                # Midway, both sides must agree: the later of stream 0, the earlier of stream 1.
                if after_ns < gap_ns or (after_ns == gap_ns and stream == 0):
                    self._leave(stream)
                else:
                    yield self._take()
            elif is_over or gap_ns == 0:
                yield self._take()
            else:
                return

    def _is_nearer_before(self, stream: int, gap_ns: int) -> bool:
        """Return whether the nearest message to a stream's first lies before it, and is taken."""
        other_ns = self._settled[1 - stream]
        if other_ns is None:
            return False
        before_ns = self._waiting[stream][0][0] - other_ns
        return before_ns < gap_ns or (before_ns == gap_ns and stream == 0)

    def _next_step(self, stream: int) -> int:
        """Return the least time to the next message of a stream, ns; 0 = not known yet.

        It is known from the stamps up to the stream's first waiting message alone.
        """
        steps, settled = self._steps[stream], self._settled[stream]
        if settled is None or len(steps) < _FEWEST_STEPS:
            return 0
        return min(*steps, self._waiting[stream][0][0] - settled)

    def _take(self) -> tuple[Item, Item]:
        first, second = (self._settle(stream) for stream in range(2))
        return first, second

    def _leave(self, stream: int) -> None:
        self._settle(stream)
        self.alone[stream] += 1

    def _settle(self, stream: int) -> Item:
        stamp_ns, item = self._waiting[stream].popleft()
        settled = self._settled[stream]
        if settled is not None:
            self._steps[stream].append(stamp_ns - settled)
        self._settled[stream] = stamp_ns
        return item


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs of positions in two lists of stamps, in the order of the first's stamps.

    :param pairs: (position in the first list, position in the second).
    :param alone_first: how many of the first list have no partner.
    :param alone_second: how many of the second list have no partner.
    :param repeated: messages that repeat a stamp of their own stream, and count only once.
    """

    pairs: tuple[tuple[int, int], ...]
    alone_first: int
    alone_second: int
    repeated: int


def pair_all(
    first_ns: Sequence[int] | npt.NDArray[np.int64],
    second_ns: Sequence[int] | npt.NDArray[np.int64],
    slop_ns: int,
) -> Pairing:
    """Pair two whole streams: both are pushed into a :class:`Pairer` in the order of their stamps.

    :param first_ns: stamps, ns; need not be sorted.
    :param second_ns: the other stream's, ns; need not be sorted.
    :param slop_ns: most time between two of a pair, ns.
    """
    stamps = np.concatenate([np.asarray(each, np.int64) for each in (first_ns, second_ns)])
    pairer: Pairer[int] = Pairer(slop_ns)
    count, pairs = len(first_ns), []
    for place in map(int, np.argsort(stamps, kind='stable')):
        stream = int(place >= count)
        pairs += pairer.push(stream, int(stamps[place]), place - stream * count)
    pairs += pairer.flush()
    alone = [len(np.unique(each)) - len(pairs) for each in (first_ns, second_ns)]
    return Pairing(tuple(pairs), alone[0], alone[1], pairer.repeated)
