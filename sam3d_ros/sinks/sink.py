# SPDX-License-Identifier: Apache-2.0
"""What every sink has."""

from __future__ import annotations

from typing import Protocol

from sam3d_ros.session.result import FrameResult


class Sink(Protocol):
    """Takes results, a frame at a time."""

    def write(self, result: FrameResult) -> None:
        """Take what the session made of one frame."""
        ...

    def close(self) -> None:
        """Finish what was begun; nothing is written after."""
        ...
