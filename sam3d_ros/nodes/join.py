# SPDX-License-Identifier: Apache-2.0
"""Join the parts of one frame that arrive by several links, by their equal stamps."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Any


class StampJoin:
    """Waits for all parts of a stamp; parts may be added from any thread.

    A camera is faster than the stages: most frames never get their other parts. Those that a
    stage has begun to work on are kept (:meth:`pin`, or a second part that came); of the others
    only the newest. When a part's stamps go back (a looped recording, a restarted camera), what
    was kept of that part is forgotten, so that old and new are never mixed.

    :param parts: names of the parts, in the order in which :meth:`add` returns them.
    :param depth: stamps kept while parts are on their way.
    """

    def __init__(self, parts: Sequence[Hashable], depth: int) -> None:
        self._lock = threading.Lock()
        self._parts = tuple(parts)
        self._depth = depth
        self._kept: dict[int, dict[Hashable, Any]] = {}
        self._latest: dict[Hashable, int] = {}
        self._pinned: set[int] = set()

    def add(self, part: Hashable, stamp_ns: int, item: Any) -> tuple[Any, ...] | None:
        """Keep ``item``; return all parts of its stamp when this was the last one missing."""
        with self._lock:
            if stamp_ns < self._latest.get(part, stamp_ns):
                self._forget(part)
            self._latest[part] = stamp_ns
            known = self._kept.setdefault(stamp_ns, {})
            known[part] = item
            if len(known) == len(self._parts):
                return self._take(stamp_ns)
            if len(self._kept) > self._depth:
                self._evict()
            return None

    def pin(self, stamp_ns: int) -> None:
        """Keep this stamp before others: a stage works on it."""
        with self._lock:
            self._pinned.add(stamp_ns)
            if len(self._pinned) > 2 * self._depth:
                self._pinned &= self._kept.keys() | {stamp_ns}

    def clear(self) -> None:
        """Forget everything that waits."""
        with self._lock:
            self._kept.clear()
            self._latest.clear()
            self._pinned.clear()

    def _forget(self, part: Hashable) -> None:
        for stamp_ns in list(self._kept):
            self._kept[stamp_ns].pop(part, None)
            if not self._kept[stamp_ns]:
                del self._kept[stamp_ns]
        self._pinned.clear()

    def _evict(self) -> None:
        unwanted = [
            stamp_ns
            for stamp_ns, known in self._kept.items()
            if len(known) == 1 and stamp_ns not in self._pinned
        ]
        del self._kept[min(unwanted or self._kept)]

    def _take(self, stamp_ns: int) -> tuple[Any, ...]:
        joined = self._kept[stamp_ns]
        self._kept = {stamp: known for stamp, known in self._kept.items() if stamp > stamp_ns}
        self._pinned = {stamp for stamp in self._pinned if stamp > stamp_ns}
        return tuple(joined[part] for part in self._parts)
