# SPDX-License-Identifier: Apache-2.0
"""Phrases of a session: what they mean now, and what is listed while they stand."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import ExemplarPrompt, Scene, SceneObject, TextPrompt
from sam3d_ros.language.grammar import parse
from sam3d_ros.language.grounding import find, find_present
from sam3d_ros.session.config import PromptConfig
from sam3d_ros.session.prompts.answers import Answered, Question
from sam3d_ros.session.prompts.standing import StandingPrompts, serves_concepts

LOG = logging.getLogger(__name__)
PATIENCE = 30
"""A phrase that could not be told in so many lists in a row is worth a word: names come late."""


def standing_prompts(
    prompts: PromptConfig, segmenter: Segmenter, say: Callable[[str], object]
) -> tuple[StandingPrompts, Phrases]:
    """Return the prompts of the start, phrases where they are answered.

    :param prompts: what is looked for from the start.
    :param segmenter: who answers them, when it reads phrases itself.
    :param say: takes what a user should know, a sentence at a time.
    :raises PromptError: when a phrase cannot be understood.
    """
    if serves_concepts(segmenter):
        only = prompts.only or prompts.alike
        return StandingPrompts(prompts.phrases, only=only), Phrases((), say)
    phrases = Phrases(prompts.phrases, say, only=prompts.alike)
    return StandingPrompts(only=prompts.only and not phrases.only), phrases


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: a phrase, or all that is like an object.

    :param like: ids of exemplars; of what answers to the phrase, where there is one.
    :param unlike: ids of exemplars of what is not meant.
    """

    phrase: str = ''
    like: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()


class Phrases:
    """Phrases that stand, grounded by what is known of the objects.

    :param phrases: what is looked for from the start; nothing else is listed then.
    :param say: takes what a user should know, a sentence at a time.
    :param only: whether nothing is listed but what they and what is added mean.
    :raises PromptError: when one of them cannot be understood.
    """

    def __init__(
        self,
        phrases: tuple[str, ...] = (),
        say: Callable[[str], object] = LOG.warning,
        *,
        only: bool = False,
    ) -> None:
        for phrase in phrases:
            parse(phrase)
        self._phrases = tuple(map(Asked, phrases))
        self.only = only or bool(phrases)
        self._added: list[Asked] = []
        self._say = say
        self._untold: Counter[Asked] = Counter()
        self._listed: frozenset[int] = frozenset()
        self._shown: dict[int, SceneObject] = {}

    def clear(self) -> None:
        """Forget what was added; the phrases of the start stay."""
        self._added, self._shown = [], {}

    def state(self) -> Any:
        """Return what was added, as a tree of :mod:`core.state`."""
        return {
            'added': to_tree(self._added),
            'listed': sorted(self._listed),
            'shown': to_tree(list(self._shown.values())),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Look for what :meth:`state` returned, beside the phrases of the start."""
        self._added = from_tree(list[Asked], state['added'])
        self._listed = frozenset(int(key) for key in state['listed'])
        self._shown = {item.id: item for item in from_tree(list[SceneObject], state['shown'])}

    def answered(self, question: Question, scene: Scene) -> Answered:
        """Look for what a prompt means from now on; return what it means already.

        :param question: a phrase, or an exemplar and the frame that it is of.
        :param scene: what is known now.
        :raises PromptError: when it cannot be understood, or means nothing that is here.
        """
        prompt, kept = question.prompt, question.kept
        assert isinstance(prompt, TextPrompt | ExemplarPrompt)
        if isinstance(prompt, TextPrompt):
            asked = Asked(prompt.text)
        else:
            like = tuple(kept.filling(box) for box in (prompt.box_px, *prompt.more_px))
            asked = Asked(prompt.text, like, tuple(map(kept.filling, prompt.not_px)))
        answer = find_present(scene, asked.phrase, asked.like, asked.unlike)
        self._added.append(asked)
        self._remember(scene)
        ids = tuple(item.id for item in answer.objects)
        return Answered(0, prompt, kept.frame, ids=ids, presence=answer.presence)

    def listed(self, scene: Scene) -> Scene:
        """Return a scene with only those objects that are looked for, where others are not listed.

        What is no longer meant is told as removed.

        :param scene: all that is known.
        """
        if not self.only:
            return scene
        meant: set[int] = set()
        self._remember(scene)
        for asked in (*self._phrases, *self._added):
            try:
                answer = find(scene, asked.phrase, asked.like, asked.unlike, self._shown)
            except PromptError as error:
                self._untold[asked] += 1
                if self._untold[asked] == PATIENCE:
                    self._say(f'nothing is listed for "{asked.phrase or "like it"}": {error}')
            else:
                del self._untold[asked]
                meant.update(item.id for item in answer.objects)
        gone = self._listed - meant
        self._listed = frozenset(meant)
        return replace(
            scene,
            objects=tuple(item for item in scene.objects if item.id in meant),
            removed=tuple(sorted({*scene.removed, *gone})),
        )

    def _remember(self, scene: Scene) -> None:
        """Remember exemplars as they are now: they mean what they showed when they are gone."""
        shown = {key for asked in self._added for key in (*asked.like, *asked.unlike)}
        self._shown |= {item.id: item for item in scene.objects if item.id in shown}
