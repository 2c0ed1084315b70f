# SPDX-License-Identifier: Apache-2.0
"""What is made of a frame once, however often it is asked about in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sam3d_ros.core.types import Frame

Made = TypeVar('Made')


class OfLatestFrame(Generic[Made]):
    """Keeps what was made of the latest frame: prompts and everything are asked for in turn.

    :param make: returns what is to be kept, e.g. an image's embedding.
    """

    def __init__(self, make: Callable[[Frame], Made]) -> None:
        self._make = make
        self._kept: tuple[Frame, Made] | None = None

    def __call__(self, frame: Frame) -> Made:
        """Return what is made of a frame; of the same one as in the last call, what it was."""
        if self._kept is None or self._kept[0] is not frame:
            self._kept = frame, self._make(frame)
        return self._kept[1]
