# SPDX-License-Identifier: Apache-2.0
"""The in-process bus: stage data passes from node to node as Python objects, without DDS."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class Bus:
    """Channels by name; a publisher calls every subscriber's callback in its own thread.

    Callbacks only put things into queues: they must not block and must not raise.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[str, list[Callable[[Any], None]]] = defaultdict(list)

    def publish(self, channel: str, item: Any) -> None:
        """Hand ``item`` to every subscriber of ``channel``."""
        with self._lock:
            callbacks = tuple(self._callbacks[channel])
        for callback in callbacks:
            callback(item)

    def subscribe(self, channel: str, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Call ``callback`` with every item of ``channel``; return what ends that."""
        with self._lock:
            self._callbacks[channel].append(callback)

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks[channel].remove(callback)

        return unsubscribe
