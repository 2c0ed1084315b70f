# SPDX-License-Identifier: Apache-2.0
"""Stamps that go back: a looped recording, a restarted simulation."""

from __future__ import annotations

# Seconds; below it a step back is a correction of the system clock, not another time.
_SMALLEST_JUMP_S = 0.1


class StampWatch:
    """Notices stamps that go back, for sources that are looped without ``/clock``.

    :param tolerance_s: a message overtaken by less than this is late, not from another time.
    """

    def __init__(self, tolerance_s: float = _SMALLEST_JUMP_S) -> None:
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._latest_ns: int | None = None

    def goes_back(self, stamp_ns: int) -> bool:
        """Take a stamp; return whether it belongs to an earlier time than those before."""
        latest = self._latest_ns
        back = latest is not None and stamp_ns < latest - self._tolerance_ns
        if back or latest is None or stamp_ns > latest:
            self._latest_ns = stamp_ns
        return back

    def clear(self) -> None:
        """Forget what was seen."""
        self._latest_ns = None
