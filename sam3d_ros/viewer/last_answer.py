# SPDX-License-Identifier: Apache-2.0
"""What the last click may mean, to choose from, to correct, and to be made an object by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from viser import GuiApi

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import PointPrompt, Prompt
from sam3d_ros.session.prompts.answers import LEVELS
from sam3d_ros.viewer.sources import Reply

ALSO, NOT = 'is on it too', 'is not on it'
"""What a click may say about the answer to the last one."""


class LastAnswer:
    """A part of a panel; hidden until there is an answer.

    :param gui: of the page.
    :param ask: takes what is said about the answer, and the stamp of the frame that it is of.
    """

    def __init__(self, gui: GuiApi, ask: Callable[[Correction, int], None]) -> None:
        self._ask = ask
        self._number = 0
        self._stamp_ns = 0
        self._level = gui.add_dropdown(
            'It means', LEVELS, visible=False, hint='which of what the last click may mean'
        )
        self._apart = gui.add_button(
            'Its own object', visible=False, hint='whatever it is a part of'
        )
        self._level.on_update(self._chosen)
        self._apart.on_click(lambda _: self._say(Correction(apart=True)))

    def show(self, reply: Reply, stamp_ns: int) -> None:
        """Offer what an answer leaves to choose.

        :param reply: the answer.
        :param stamp_ns: of the frame that it is of.
        """
        self._number, self._stamp_ns = reply.number, stamp_ns
        self._apart.visible = bool(reply.levels)
        self._level.visible = len(reply.levels) > 1
        if reply.levels:
            self._level.options = reply.levels
            self._level.value = reply.levels[reply.chosen]  # type: ignore[misc]

    def corrected(self, click: Prompt, means: str) -> Correction:
        """Return what a click says about the answer.

        :param click: a point.
        :param means: :data:`ALSO` or :data:`NOT`.
        :raises PromptError: when there is no answer to correct, or it is a box.
        """
        if not self._number or not isinstance(click, PointPrompt):
            raise PromptError(
                f'nothing that "{means}" can be about', wanted='a click on a place, after another'
            )
        return Correction(self._number, click.points_px, (int(means == ALSO),))

    def _chosen(self, event: Any) -> None:
        if event.client is not None:
            self._say(Correction(choice=event.target.value))

    def _say(self, correction: Correction) -> None:
        self._ask(replace(correction, number=self._number), self._stamp_ns)
