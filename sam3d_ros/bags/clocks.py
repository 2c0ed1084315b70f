# SPDX-License-Identifier: Apache-2.0
"""Whose clock the stamps of a stream are of, and how they become those of one clock.

Stamps that say nothing (zero, or the same again and again) are replaced by the times at which the
messages were received. Streams whose stamps never meet are brought to the clock of the one whose
stamps are nearest to when they were received, through receive times. Everything else stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Stamps = npt.NDArray[np.int64]

MODES = ('auto', 'header', 'receive')
OPTION = 'see --stamps (pointmaps.stamps)'
# Fewer different stamps than this share of the messages: the driver does not stamp each message.
_FEWEST_DISTINCT = 0.25
# Stamps this far from when they were received are of another clock, not only late.
_OTHER_CLOCK_NS = 1_000_000_000
# Share of the stamps that TF must cover for both to be of one clock.
_COVERED = 0.5


@dataclass(frozen=True, slots=True)
class Clock:
    """How the stamps of one stream are made from what came with its messages.

    :param uses_receive: True = from the time of receipt, False = from the header.
    :param offset_ns: what is added.
    :param instead_ns: what is added to the time of receipt where a header is zero; None = zero
        is a stamp like others.
    """

    uses_receive: bool = False
    offset_ns: int = 0
    instead_ns: int | None = None

    def stamp(self, header_ns: int, received_ns: int) -> int:
        """Return the stamp of one message, ns.

        :param header_ns: stamp in the header, nanoseconds.
        :param received_ns: when it was received, nanoseconds.
        """
        if self.uses_receive:
            return received_ns + self.offset_ns
        if header_ns == 0 and self.instead_ns is not None:
            return received_ns + self.instead_ns
        return header_ns + self.offset_ns

    def stamps(self, times: Times) -> Stamps:
        """Return the stamps of many messages, ns."""
        if self.uses_receive:
            return times.received_ns + self.offset_ns
        stamps = times.header_ns + self.offset_ns
        if self.instead_ns is not None:
            is_zero = times.header_ns == 0
            stamps[is_zero] = times.received_ns[is_zero] + self.instead_ns
        return stamps

    def moved(self, by_ns: int) -> Clock:
        """Return the clock whose stamps are later."""
        instead_ns = None if self.instead_ns is None else self.instead_ns + by_ns
        return Clock(self.uses_receive, self.offset_ns + by_ns, instead_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """What came with the messages of a stream, in the order they were received.

    :param name: of the stream, as messages about it say.
    :param header_ns: (N,) int64 stamps in the headers.
    :param received_ns: (N,) int64 times of receipt.
    """

    name: str
    header_ns: Stamps
    received_ns: Stamps

    @property
    def lag_ns(self) -> int:
        """How much later stamps are than receipt, the median; negative as a rule."""
        stamped = self.header_ns != 0
        if not stamped.any():
            return 0
        return int(np.median(self.header_ns[stamped] - self.received_ns[stamped]))

    def fault(self) -> str:
        """Return what is wrong with the header stamps alone, or nothing."""
        count, distinct = len(self.header_ns), len(np.unique(self.header_ns))
        if not count or (count > 1 and np.ptp(self.received_ns) == 0):
            return ''
        if not self.header_ns.any():
            return f'all {count} header stamps of {self.name} are zero'
        if count > 1 and distinct == 1:
            return f'all {count} header stamps of {self.name} are the same'
        if distinct < _FEWEST_DISTINCT * count:
            return f'{count} messages of {self.name} have {distinct} different header stamps'
        return ''


@dataclass(frozen=True, slots=True)
class Settled:
    """The clocks of colour, range and TF, and in words what was changed about them.

    :param unstamped: the clock of transforms whose own stamps say nothing.
    """

    color: Clock
    range: Clock
    tf: Clock
    unstamped: Clock
    notes: tuple[str, ...] = ()


def settle(
    color: Times,
    other: Times,
    tf: Times | None,
    slop_ns: int,
    mode: str = 'auto',
    offsets_s: Mapping[str, float] | None = None,
) -> Settled:
    """Return how the stamps of colour, range and TF become those of one clock.

    :param color: of the colour images.
    :param other: of the depth images or clouds.
    :param tf: of the transforms that move and whose stamps say something; None without any.
    :param slop_ns: stamps of one frame are at most this far apart, ns.
    :param mode: ``header`` or ``receive`` for all, ``auto`` = as the module says.
    :param offsets_s: what the user adds to the header stamps of a stream, by its name, seconds.
    """
    given = {name: round(value * 1e9) for name, value in (offsets_s or {}).items()}
    if mode == 'receive':
        return Settled(Clock(True), Clock(True), Clock(True), Clock(True))
    own = Clock(offset_ns=given.get(color.name, 0)), Clock(offset_ns=given.get(other.name, 0))
    own_tf = Clock(offset_ns=given.get(tf.name, 0)) if tf is not None else Clock()
    if mode == 'header' or not len(color.header_ns) or not len(other.header_ns):
        return Settled(own[0], own[1], own_tf, own_tf)
    notes: list[str] = []
    streams = _with_offset(color, own[0]), _with_offset(other, own[1])
    moved_tf = None if tf is None else _with_offset(tf, own_tf)
    clocks = _of_images(streams, slop_ns, moved_tf, notes)
    if moved_tf is not None:
        by_ns = _to_tf(streams[0], clocks[0].stamps(streams[0]), moved_tf, notes)
        clocks = clocks[0].moved(by_ns), clocks[1].moved(by_ns)
    lag_ns = int(np.median(clocks[0].stamps(streams[0]) - color.received_ns))
    unstamped = Clock(True, lag_ns if abs(lag_ns) >= _OTHER_CLOCK_NS else 0)
    final = [
        clock if clock.uses_receive else replace(clock, offset_ns=clock.offset_ns + by.offset_ns)
        for clock, by in zip(clocks, own, strict=True)
    ]
    return Settled(final[0], final[1], own_tf, unstamped, tuple(notes))


def _with_offset(times: Times, clock: Clock) -> Times:
    """Return times whose header stamps have the user's offset; zero stays zero."""
    header_ns = np.where(times.header_ns == 0, 0, times.header_ns + clock.offset_ns)
    return Times(times.name, header_ns, times.received_ns)


def _of_images(
    streams: tuple[Times, Times], slop_ns: int, tf: Times | None, notes: list[str]
) -> tuple[Clock, Clock]:
    """Return the clocks that bring colour and range together."""
    first, second = streams
    faults = first.fault(), second.fault()
    notes += [f'{fault}: receive times are used; {OPTION}' for fault in faults if fault]
    if all(faults):
        return Clock(True), Clock(True)
    if faults[0]:
        return Clock(True, second.lag_ns), Clock(instead_ns=second.lag_ns)
    if faults[1]:
        return Clock(instead_ns=first.lag_ns), Clock(True, first.lag_ns)
    clocks = Clock(instead_ns=first.lag_ns), Clock(instead_ns=second.lag_ns)
    if abs(first.lag_ns - second.lag_ns) < _OTHER_CLOCK_NS:
        return clocks
    stamps_meet = smallest_gap(clocks[0].stamps(first), clocks[1].stamps(second)) <= slop_ns
    received_meet = smallest_gap(first.received_ns, second.received_ns) <= slop_ns
    if stamps_meet or not received_meet:
        return clocks
    color_leads = _distance(first, tf) <= _distance(second, tf)
    leader, follower = (first, second) if color_leads else (second, first)
    gap_s = (follower.lag_ns - leader.lag_ns) * 1e-9
    notes.append(
        f'stamps of {follower.name} are {abs(gap_s):.3f} s {"after" if gap_s > 0 else "before"} '
        f'those of {leader.name} and never meet them: paired by receive time; {OPTION}'
    )
    by_receipt = Clock(True, leader.lag_ns)
    return (clocks[0], by_receipt) if color_leads else (by_receipt, clocks[1])


def _distance(times: Times, tf: Times | None) -> tuple[bool, int]:
    """Return how far a stream's clock is from TF's, then from the clock of the recorder."""
    is_alone = tf is not None and not _covered(times.header_ns, tf.header_ns)
    return is_alone, abs(times.lag_ns)


def _to_tf(color: Times, stamps_ns: Stamps, tf: Times, notes: list[str]) -> int:
    """Return what brings the stamps of the images to TF's clock, ns; mostly nothing."""
    received_together = _covered(color.received_ns, tf.received_ns) >= _COVERED
    apart_ns = int(np.median(tf.header_ns) - np.median(stamps_ns))
    is_near = abs(apart_ns) < _OTHER_CLOCK_NS
    if is_near or _covered(stamps_ns, tf.header_ns) or not received_together:
        return 0
    by_ns = tf.lag_ns if abs(tf.lag_ns) >= _OTHER_CLOCK_NS else 0
    by_ns -= int(np.median(stamps_ns - color.received_ns))
    notes.append(
        f'stamps of {color.name} are {abs(by_ns) * 1e-9:.3f} s '
        f'{"before" if by_ns > 0 else "after"} those of {tf.name}: the images are moved to its '
        f'clock by receive time; {OPTION}'
    )
    return by_ns


def smallest_gap(first_ns: Stamps, second_ns: Stamps) -> int:
    """Return the least time between any two stamps of two streams, ns; neither may be empty.

    :param first_ns: stamps, ns; need not be sorted.
    :param second_ns: the other stream's, ns; need not be sorted.
    """
    first, second = np.sort(first_ns), np.sort(second_ns)
    after = np.searchsorted(second, first)
    nearest = [np.clip(after + step, 0, len(second) - 1) for step in (-1, 0)]
    return int(min(np.abs(second[at] - first).min() for at in nearest))


def _covered(stamps_ns: Stamps, tf_ns: Stamps) -> float:
    """Return the share of stamps that lie within those of TF."""
    return float(np.mean((stamps_ns >= tf_ns.min()) & (stamps_ns <= tf_ns.max())))
