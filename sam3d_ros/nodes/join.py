# SPDX-License-Identifier: Apache-2.0
"""Join the parts of one frame that arrive by several links, by their equal stamps."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Any


class StampJoin:
    """Waits for all parts of a stamp; parts may be added from any thread.

    When a part's stamps go back (a looped recording, a restarted camera), what was kept of that
    part is forgotten, so that old and new are never mixed.

    :param parts: names of the parts, in the order in which :meth:`add` returns them.
    :param depth: stamps kept of each part while the others are on their way.
    """

    def __init__(self, parts: Sequence[Hashable], depth: int) -> None:
        self._lock = threading.Lock()
        self._parts = tuple(parts)
        self._depth = depth
        self._kept: dict[Hashable, dict[int, Any]] = {part: {} for part in self._parts}
        self._latest: dict[Hashable, int] = {}
        self.unmatched = 0

    def add(self, part: Hashable, stamp_ns: int, item: Any) -> tuple[Any, ...] | None:
        """Keep ``item``; return all parts of its stamp when this was the last one missing."""
        with self._lock:
            return self._add(part, stamp_ns, item)

    def clear(self) -> None:
        """Forget everything that waits."""
        with self._lock:
            for kept in self._kept.values():
                kept.clear()
            self._latest.clear()

    def _add(self, part: Hashable, stamp_ns: int, item: Any) -> tuple[Any, ...] | None:
        kept = self._kept[part]
        if stamp_ns < self._latest.get(part, stamp_ns):
            kept.clear()
        self._latest[part] = stamp_ns
        kept[stamp_ns] = item
        if all(stamp_ns in self._kept[other] for other in self._parts):
            return self._take(stamp_ns)
        if len(kept) > self._depth:
            del kept[min(kept)]
            # Every part but the one produced first is rarer than the first by design.
            self.unmatched += part != self._parts[0]
        return None

    def _take(self, stamp_ns: int) -> tuple[Any, ...]:
        joined = tuple(self._kept[part][stamp_ns] for part in self._parts)
        for kept in self._kept.values():
            for old in [stamp for stamp in kept if stamp <= stamp_ns]:
                del kept[old]
        return joined
