# SPDX-License-Identifier: Apache-2.0
"""When the next message of a recording is due: by the clock, or when a result has come back.

Every wait ends early when ``stop`` is set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

POLL_S = 0.05


class Timeline:
    """Maps recorded times to the wall clock.

    :param rate: multiple of real time.
    :param stop: set when nobody is to wait any more.
    """

    def __init__(self, rate: float, stop: threading.Event) -> None:
        self._rate = rate
        self._stop = stop
        self._recorded_ns = 0
        self._wall_s = 0.0

    def begin(self, recorded_ns: int) -> None:
        """Let ``recorded_ns`` be now."""
        self._recorded_ns = recorded_ns
        self._wall_s = time.monotonic()

    def wait_until(self, recorded_ns: int) -> bool:
        """Wait until a recorded time is due; return False when stopped.

        What is late by more than a tenth of a second moves the rest back as well: messages are
        never sent in a burst.
        """
        due_s = self._wall_s + (recorded_ns - self._recorded_ns) * 1e-9 / self._rate
        remaining_s = due_s - time.monotonic()
        if remaining_s < -0.1:
            self._wall_s -= remaining_s
        return not self._stop.wait(max(0.0, remaining_s))


class Pace:
    """Lets only so many images be on their way: each waits until results of earlier ones came.

    One at a time can never make a node drop an input: poses are told before the rest of a frame
    is done, and the next image waits for that alone.

    :param timeout_s: longest wait for one result.
    :param stop: ends every wait when it is set.
    :param ahead: most images that are on their way.
    """

    def __init__(self, timeout_s: float, stop: threading.Event, ahead: int = 1) -> None:
        self._timeout_s = timeout_s
        self._stop = stop
        self._ahead = ahead
        self._changed = threading.Condition()
        self._due_ns: list[int] = []
        self.missed = 0

    def result(self, stamp_ns: int) -> None:
        """Note a result; what was due before it will not come any more."""
        with self._changed:
            if stamp_ns in self._due_ns:
                place = self._due_ns.index(stamp_ns)
                self.missed += place
                del self._due_ns[: place + 1]
                self._changed.notify_all()

    def wait(self, next_stamp_ns: int) -> None:
        """Wait until there is room for one more image, then expect the result of this one."""
        self._wait_for(self._ahead - 1)
        with self._changed:
            self._due_ns.append(next_stamp_ns)

    def wait_for_all(self) -> None:
        """Wait for every result that is due."""
        self._wait_for(0)

    def _wait_for(self, room: int) -> None:
        deadline = time.monotonic() + self._timeout_s
        with self._changed:
            while len(self._due_ns) > room and not self._stop.is_set():
                if time.monotonic() > deadline:
                    self.missed += 1
                    del self._due_ns[0]
                    deadline = time.monotonic() + self._timeout_s
                else:
                    self._changed.wait(POLL_S)


def wait_for_subscribers(
    counts: Callable[[], tuple[int, ...]], timeout_s: float, stop: threading.Event
) -> bool:
    """Wait until somebody listens and half a second has brought no more; False on timeout.

    :param counts: returns how many listen to each topic that matters.
    :param timeout_s: longest wait.
    :param stop: set when nobody is to wait any more.
    """
    deadline = time.monotonic() + timeout_s
    known, since = counts(), time.monotonic()
    while not stop.is_set() and time.monotonic() < deadline:
        now = counts()
        if now != known:
            known, since = now, time.monotonic()
        if any(known) and time.monotonic() - since >= 0.5:
            return True
        stop.wait(POLL_S)
    return any(known)
