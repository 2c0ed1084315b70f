# SPDX-License-Identifier: Apache-2.0
"""What every source of the page has: moments to show, and what may be done with the objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sam3d_ros.core.types import Prompt
from sam3d_ros.viewer.moments import Timeline

PROMPT, TEXT, CORRECT, EDIT, REMOVE, REBUILD, SAVE = (
    'prompt', 'text', 'correct', 'edit', 'remove', 'rebuild', 'save',
)  # fmt: skip
"""Names of what may be done; ``text`` is a prompt in words."""


class Source(Protocol):
    """A live graph, a recording that is processed, or a result folder.

    What is done answers with a sentence, or raises a Sam3dError that says why not; it may take
    seconds and is never called in two threads at once.
    """

    timeline: Timeline
    can: frozenset[str]
    """What may be done here."""
    is_live: bool
    """Whether moments come in their own time."""

    def status(self) -> str:
        """Return in a few words where it is."""
        ...

    def prompt(self, prompt: Prompt, stamp_ns: int) -> tuple[str, tuple[int, ...]]:
        """Look for something.

        :param prompt: a phrase, or in pixels of the frame of ``stamp_ns``.
        :return: the sentence, and the ids of what it is already, the likeliest first.
        """
        ...

    def correct(self, object_id: int, prompt: Prompt, stamp_ns: int) -> str:
        """Say which surface an object is.

        :param prompt: in pixels of the frame of ``stamp_ns``.
        """
        ...

    def edit(self, object_id: int, label: str, locked: bool) -> str:
        """Name an object, and lock or unlock it."""
        ...

    def remove(self, object_id: int) -> str:
        """Forget an object."""
        ...

    def rebuild(self, object_id: int) -> str:
        """Make the shape of an object again."""
        ...

    def save(self, folder: Path) -> str:
        """Write the scene to a folder."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def told(ids: Sequence[int]) -> str:
    """Return which objects something is, in words; empty for none."""
    return f'this is object {", ".join(map(str, ids))}' if ids else ''
