# SPDX-License-Identifier: Apache-2.0
"""One thread for a node's heavy work: requests in order, then the newest input.

Callbacks of the executor only put things here. An input that waits is replaced by a newer one, so
that a slow stage works on what the sensor sees now and never on a backlog; but for those that come
late in series through no fault of the stage.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Generic, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

MOST_LATE = 100
"""Inputs of late series that may wait; beyond, the oldest is dropped."""


class Worker(Generic[Item]):
    """A thread that owns a stage.

    :param handle: called with each input, in this thread.
    :param failed: called with what ``handle``, or a function that nobody waits for, raised; the
        thread goes on.
    :param name: of the thread.
    """

    def __init__(
        self, handle: Callable[[Item], None], failed: Callable[[Exception], None], name: str
    ) -> None:
        self._handle = handle
        self._failed = failed
        self._changed = threading.Condition()
        self._requests: deque[tuple[Callable[[], Any], Future[Any] | None]] = deque()
        self._waiting: list[tuple[Item, bool, str]] = []
        self._stopping = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item, *, is_late: bool = False, source: str = '') -> None:
        """Leave an input to be worked on; one of the same source that waits is dropped, counted.

        :param item: the input.
        :param is_late: it is one of a series that came late together: none drops another.
        :param source: where it is from; sources do not drop each other's.
        """
        with self._changed:
            same = [place for place, item_ in enumerate(self._waiting) if item_[2] == source]
            replaces = bool(same) and not (is_late or self._waiting[same[-1]][1])
            if replaces or len(self._waiting) >= MOST_LATE:
                del self._waiting[same[-1] if replaces else 0]
                self.dropped += 1
            self._waiting.append((item, is_late, source))
            self._changed.notify()

    def call(self, function: Callable[[], Result]) -> Future[Result]:
        """Run ``function`` in the worker before the next input; its outcome is in the future."""
        future: Future[Result] = Future()
        with self._changed:
            if self._stopping:
                future.cancel()
            else:
                self._requests.append((function, future))
                self._changed.notify()
        return future

    def tell(self, function: Callable[[], object]) -> None:
        """Run ``function`` in the worker before the next input; what it raises goes to failed."""
        with self._changed:
            if not self._stopping:
                self._requests.append((function, None))
                self._changed.notify()

    def flush(self) -> None:
        """Forget the inputs that wait."""
        with self._changed:
            self._waiting.clear()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End the thread after what it works on now; return False when that takes too long."""
        with self._changed:
            self._stopping = True
            for _, future in self._requests:
                if future is not None:
                    future.cancel()
            self._requests.clear()
            self._waiting.clear()
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests or self._waiting or self._stopping)
                if self._stopping:
                    return
                if self._requests:
                    function, future = self._requests.popleft()
                else:
                    function, future = partial(self._handle, self._waiting.pop(0)[0]), None
            if future is not None:
                _answer(function, future)
                continue
            try:
                function()
            except Exception as error:
                self._failed(error)


def _answer(function: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:
        future.set_exception(error)
