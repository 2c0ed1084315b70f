# SPDX-License-Identifier: Apache-2.0
"""Saves a session while it runs, in a thread that the frames do not wait for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Any

from sam3d_ros.session.saving.store import SessionStore


class Autosave:
    """Decides when a session is saved next, and tells when that fails.

    :param store: where to.
    :param period_s: longest time between two saves, seconds.
    :param say: takes a sentence when a save fails, once for each reason.
    """

    def __init__(self, store: SessionStore, period_s: float, say: Callable[[str], object]) -> None:
        self._store = store
        self._period_s = period_s
        self._say = say
        self._said = ''
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix='autosave')
        self._writing: Future[None] | None = None
        self._saved: Hashable = None
        self._saved_s = float('-inf')

    def offer(self, content: Hashable, state: Callable[[], Any]) -> None:
        """Save if it is time to, unless the save before is still being written.

        :param content: what must not be lost: another one is saved at once.
        :param state: returns the state; called here, and only when it is saved.
        """
        if self._writing is not None and not self._writing.done():
            return
        due = perf_counter() - self._saved_s >= self._period_s
        if due or content != self._saved:
            self._saved, self._saved_s = content, perf_counter()
            self._writing = self._writer.submit(self._save, state())

    def close(self, state: Any) -> None:
        """Save once more, and wait until that is done.

        :param state: the last one.
        """
        self._writer.submit(self._save, state)
        self._writer.shutdown(wait=True)

    def _save(self, state: Any) -> None:
        try:
            self._store.save(state)
            self._said = ''
        except OSError as error:
            sentence = (
                f'the session cannot be saved to {self._store.folder}: {error}. It goes on; what '
                'it knows would be lost with this process. Free the disk, or set session.folder '
                'to a folder that can be written to.'
            )
            if sentence != self._said:
                self._said = sentence
                self._say(sentence)
