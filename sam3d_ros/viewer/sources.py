# SPDX-License-Identifier: Apache-2.0
"""What every source of the page has: moments to show, and what may be done with the objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.types import Prompt
from sam3d_ros.viewer.moments import Timeline

PROMPT, TEXT, CORRECT, EDIT, REMOVE, REBUILD, SAVE = (
    'prompt', 'text', 'correct', 'edit', 'remove', 'rebuild', 'save',
)  # fmt: skip
"""Names of what may be done; ``text`` is a prompt in words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a prompt.

    :param sentence: for whoever asked.
    :param ids: of the objects that it is already, the likeliest first.
    :param number: of the prompt, for a :class:`Correction`; 0 = it takes none.
    :param levels: what the alternatives are called, the likeliest first.
    :param chosen: index of the one that is meant.
    """

    sentence: str
    ids: tuple[int, ...] = ()
    number: int = 0
    levels: tuple[str, ...] = ()
    chosen: int = 0


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

    def prompt(self, prompt: Prompt | Correction, stamp_ns: int) -> Reply:
        """Look for something, or say more about what an earlier prompt meant.

        :param prompt: a phrase, or in pixels of the frame of ``stamp_ns``.
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
