# SPDX-License-Identifier: Apache-2.0
"""What is made of a frame or an image once, however often it is asked about in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Of = TypeVar('Of')
Made = TypeVar('Made')


class OfLatest(Generic[Of, Made]):
    """Keeps what was made of the latest object: prompts and everything are asked for in turn.

    :param make: returns what is to be kept, e.g. an image's embedding.
    """

    def __init__(self, make: Callable[[Of], Made]) -> None:
        self._make = make
        self._kept: tuple[Of, Made] | None = None

    def __call__(self, item: Of) -> Made:
        """Return what is made of an object; of the same one as in the last call, what it was."""
        if self._kept is None or self._kept[0] is not item:
            self._kept = item, self._make(item)
        return self._kept[1]
