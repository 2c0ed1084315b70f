# SPDX-License-Identifier: Apache-2.0
"""Pair two streams by their stamps: each message with its nearest of the other stream, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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


def pair_nearest(
    first_ns: Sequence[int] | npt.NDArray[np.int64],
    second_ns: Sequence[int] | npt.NDArray[np.int64],
    slop_ns: int,
) -> Pairing:
    """Pair stamps that are each other's nearest and at most ``slop_ns`` apart.

    :param first_ns: stamps, ns; need not be sorted.
    :param second_ns: the other stream's, ns; need not be sorted.
    :param slop_ns: most time between two of a pair, ns.
    """
    first, first_at = np.unique(np.asarray(first_ns, np.int64), return_index=True)
    second, second_at = np.unique(np.asarray(second_ns, np.int64), return_index=True)
    repeated = len(first_ns) - len(first) + len(second_ns) - len(second)
    if not len(first) or not len(second):
        return Pairing((), len(first), len(second), repeated)
    # Midway between two, both sides must agree: the earlier of the second, the later of the first.
    partner = _nearest(first, second)
    mutual = _nearest(second, first, later=True)[partner] == np.arange(len(first))
    close = np.abs(second[partner] - first) <= slop_ns
    chosen = np.flatnonzero(mutual & close)
    pairs = tuple((int(first_at[at]), int(second_at[partner[at]])) for at in chosen)
    return Pairing(pairs, len(first) - len(pairs), len(second) - len(pairs), repeated)


def smallest_gap(first_ns: npt.NDArray[np.int64], second_ns: npt.NDArray[np.int64]) -> int:
    """Return the least time between any two stamps of two streams, ns; neither may be empty.

    :param first_ns: stamps, ns; need not be sorted.
    :param second_ns: the other stream's, ns; need not be sorted.
    """
    first, second = np.sort(first_ns), np.sort(second_ns)
    return int(np.abs(second[_nearest(first, second)] - first).min())


def _nearest(
    of: npt.NDArray[np.int64], among: npt.NDArray[np.int64], *, later: bool = False
) -> npt.NDArray[np.int64]:
    """Return for each sorted stamp the position of the nearest in another sorted list.

    Of two as near, the earlier one counts, or the later.
    """
    after = np.clip(np.searchsorted(among, of), 1, max(len(among) - 1, 1))
    if len(among) == 1:
        return np.zeros(len(of), np.int64)
    before = after - 1
    gap_before, gap_after = np.abs(of - among[before]), np.abs(among[after] - of)
    takes_before = gap_before < gap_after if later else gap_before <= gap_after
    nearest: npt.NDArray[np.int64] = np.where(takes_before, before, after)
    return nearest
