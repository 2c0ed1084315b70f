# SPDX-License-Identifier: Apache-2.0
"""What is worth saying, said once."""

from __future__ import annotations

from collections.abc import Callable


class Notes:
    """Sentences about the inputs, each said once however often it is true.

    :param say: called with each new sentence.
    """

    def __init__(self, say: Callable[[str], object] = lambda text: None) -> None:
        self._say = say
        self._said: dict[str, str] = {}

    def add(self, text: str, about: str = '') -> None:
        """Say a sentence that was not said yet.

        :param text: the sentence.
        :param about: two sentences about the same are one; the text itself when empty.
        """
        if (about or text) not in self._said:
            self._said[about or text] = text
            self._say(text)

    @property
    def sentences(self) -> list[str]:
        """All that was said, in order."""
        return list(self._said.values())
