# SPDX-License-Identifier: Apache-2.0
"""What is made of a frame or an image once, however often it is asked about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Of = TypeVar('Of')
Made = TypeVar('Made')
KEPT = 6
"""A click is on what somebody saw a moment ago: as many encodings are kept for it."""


class OfLatest(Generic[Of, Made]):
    """Keeps what was made of the latest objects: prompts and everything are asked for in turn.

    Threads may ask at once; each object is made by the first that asks.

    :param make: returns what is to be kept, e.g. an image's embedding.
    """

    def __init__(self, make: Callable[[Of], Made]) -> None:
        self._make = make
        self._kept: list[tuple[Of, Future[Made]]] = []
        self._lock = threading.Lock()

    def __call__(self, item: Of) -> Made:
        """Return what is made of an object; of one that is kept, what it was."""
        mine: Future[Made] = Future()
        with self._lock:
            made = next((made for kept, made in self._kept if kept is item), mine)
            if made is mine:
                self._kept = self._kept[max(0, len(self._kept) + 1 - KEPT) :]
                self._kept.append((item, mine))
        if made is mine:
            try:
                mine.set_result(self._make(item))
            except Exception as error:
                with self._lock:
                    self._kept = [pair for pair in self._kept if pair[1] is not mine]
                mine.set_exception(error)
        return made.result()
