# SPDX-License-Identifier: Apache-2.0
"""Prompts that stand: what was once pointed at is found again in every later frame.

Its place in the fixed frame is kept, projected into each new frame and prompted there again, for
as long as no ray sees through it. What is said about an answer afterwards corrects what stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import BackendError, NotFoundError, PromptError, Sam3dError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    BoxPrompt,
    Concept,
    ExemplarPrompt,
    FloatArray,
    Frame,
    Instance,
    Instances,
    MaskPrompt,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.session.outside import require_fit
from sam3d_ros.session.prompts.anchors import (
    Anchor,
    anchor_of,
    chosen_again,
    looked_at,
    prompt_again,
)
from sam3d_ros.session.prompts.answers import Answered, Question, alternatives_of
from sam3d_ros.session.recent_frames import NOTHING, Kept, RecentFrames

LOST_FRAMES = 5
"""Frames in a row that must prove it gone."""
SAME_MASK = 0.5
"""Share of its own pixels that an automatic mask may lose to a prompted one and live."""
REST = 0.05
"""As much must be left of what something was taken from that is an object by itself."""
MOST_ANSWERS = 8
"""So many answers can still be corrected."""


def serves_concepts(segmenter: Segmenter) -> bool:
    """Whether a segmenter reads phrases and exemplars itself: it says so by ``concepts``."""
    return bool(getattr(segmenter, 'concepts', False))


class StandingPrompts:
    """The prompts of one session.

    :param phrases: noun phrases to look for in every frame, instead of everything.
    :param only: whether nothing is listed but what is asked for.
    """

    def __init__(self, phrases: tuple[str, ...] = (), *, only: bool = False) -> None:
        self._only = only or bool(phrases)
        self._phrases: tuple[Prompt, ...] = tuple(TextPrompt(phrase) for phrase in phrases)
        self._concepts: list[Prompt] = []
        self._anchors: list[Anchor] = []
        self._answers: dict[int, Answered] = {}
        self._last = 0

    def clear(self) -> None:
        """Forget what was added; the phrases of the start stay."""
        self._concepts = []
        self._anchors = []
        self._answers = {}

    def state(self) -> dict[str, Any]:
        """Return what was added, as a tree of :mod:`core.state`."""
        return {
            'phrases': to_tree([it for it in self._concepts if isinstance(it, TextPrompt)]),
            'exemplars': to_tree([it for it in self._concepts if isinstance(it, ExemplarPrompt)]),
            'anchors': to_tree(self._anchors),
            'last': self._last,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Look for what :meth:`state` returned, beside the phrases of the start.

        :raises InputError: when it is of another version.
        """
        self._concepts = [
            *from_tree(list[TextPrompt], state['phrases']),
            *from_tree(list[ExemplarPrompt], state['exemplars']),
        ]
        self._anchors = from_tree(list[Anchor], state['anchors'])
        self._last = from_tree(int, state['last'])
        self._answers = {}

    def move(self, T_new_old: FloatArray) -> None:
        """Move what was pointed at, and frames of answers, with the map; (4, 4), fixed frame."""
        self._anchors = [anchor.moved(T_new_old) for anchor in self._anchors]
        for number, answer in self._answers.items():
            T_fixed_cam = T_new_old @ answer.frame.T_fixed_cam
            frame = replace(answer.frame, T_fixed_cam=T_fixed_cam)
            self._answers[number] = replace(answer, frame=frame)

    def add(self, prompt: Prompt | Correction, segmenter: Segmenter, frame: Frame) -> Answered:
        """Answer a prompt on a frame and keep it standing.

        :param prompt: in pixels of ``frame``, but for an exemplar that brings its own; or what is
            to be said about an earlier one.
        :param segmenter: who answers.
        :param frame: what is looked at.
        :raises PromptError: when the backend cannot serve it, or it points at nothing.
        :raises NotFoundError: when what it corrects is not known.
        """
        question = Question(prompt, Kept(frame, NOTHING), self.asked(prompt, frame))
        return self.take(question, question.ask(segmenter))

    def question(
        self,
        prompt: Prompt | Correction,
        segmenter: Segmenter,
        recent: RecentFrames,
        stamp_ns: int | None = None,
    ) -> Question:
        """Return what is to be asked about one of the last frames, so that a prompt is answered.

        :param prompt: in pixels of that frame.
        :param segmenter: who will be asked, unless known objects answer.
        :param recent: the last frames.
        :param stamp_ns: of that frame; None = the latest. What has no pixels needs none: a phrase
            is of the latest, a choice of the frame that was answered.
        :raises NotReadyError, NotFoundError: when there is no such frame, or nothing to correct.
        :raises PromptError: when a correction says nothing that can be used.
        """
        if isinstance(prompt, Correction) and not prompt.points_px:
            return Question(prompt, recent.of(self.answer(prompt.number).frame), None)
        kept = recent.at(None if isinstance(prompt, TextPrompt) else stamp_ns)
        if isinstance(prompt, TextPrompt | ExemplarPrompt) and not serves_concepts(segmenter):
            return Question(prompt, kept, None)
        if isinstance(prompt, ExemplarPrompt):
            prompt, kept = replace(prompt, frame=kept.frame), recent.at(None)
        return Question(prompt, kept, self.asked(prompt, kept.frame))

    def asked(self, prompt: Prompt | Correction, frame: Frame) -> Prompt | None:
        """Return what a segmenter is to be asked of a frame; None = it has answered already.

        :param prompt: as of :meth:`add`.
        :param frame: what is looked at.
        :raises PromptError: when a correction says nothing that can be used.
        :raises NotFoundError: when what it corrects is not known.
        """
        if not isinstance(prompt, Correction):
            return prompt
        before = self.answer(prompt.number)
        if not prompt.points_px:
            return None
        said = before.corrected(prompt, frame)
        if before.frame is frame:
            return said
        anchor = self._anchor(before.number)
        ((u, v),), verdict = looked_at(anchor.point_fixed[None], frame)
        if not verdict.confirmed[0]:
            raise PromptError(
                f'this frame does not show what prompt {before.number} means',
                wanted='a frame that does, or a new prompt',
            )
        told = prompt_again(replace(anchor, is_boxed=False), (float(u), float(v)), frame)
        assert isinstance(told, PointPrompt)
        return PointPrompt(told.points_px + said.points_px, told.labels + said.labels)

    def answer(self, number: int) -> Answered:
        """Return what a prompt was answered with last.

        :param number: of the prompt; 0 = the last one.
        :raises NotFoundError: when it is not known any more.
        """
        number = number or max(self._answers, default=0)
        if number not in self._answers:
            raise NotFoundError(
                f'no prompt {number} to correct' if number else 'no prompt to correct',
                wanted=f'one of {", ".join(map(str, self._answers)) or "none yet"}',
                remedy='Point at it anew.',
            )
        return self._answers[number]

    def take(self, question: Question, given: Instances | None) -> Answered:
        """Take a segmenter's answer, and keep it standing.

        :param question: with what it was asked, of :meth:`asked`.
        :param given: what it answered; None where it was asked nothing.
        :raises PromptError: when it points at nothing.
        :raises NotFoundError: when what it corrects is not known any more.
        """
        prompt, asked, frame = question.prompt, question.asked, question.kept.frame
        before = self.answer(prompt.number) if isinstance(prompt, Correction) else None
        if given is None:
            assert before is not None
            answer = before
        elif given.items:
            assert asked is not None
            is_concept = isinstance(asked, TextPrompt | ExemplarPrompt)
            number = before.number if before else 0 if is_concept else self._last + 1
            concept = given.concepts[0] if given.concepts else Concept(1.0)
            answer = Answered(
                number,
                asked,
                frame,
                given.items if is_concept else alternatives_of(given.items),
                is_chosen=before is not None and before.is_chosen,
                presence=concept.presence,
                region=concept.region,
            )
        else:
            raise PromptError(
                f'the prompt points at nothing{_absent(given)}', wanted='a place with an object'
            )
        if isinstance(prompt, Correction) and before is not None:
            apart = prompt.apart or before.meant.apart
            answer = answer.choosing(prompt.choice, apart=apart)
        if isinstance(asked, ExemplarPrompt):  # its box means nothing in another frame
            self._concepts.append(replace(asked, frame=asked.frame or frame))
        elif isinstance(asked, TextPrompt):
            self._concepts.append(asked)
        else:
            known = {anchor.number: anchor for anchor in self._anchors}
            known[answer.number] = anchor_of(answer, known.get(answer.number))
            self._anchors = list(known.values())
            self._answers.pop(answer.number, None)
            self._answers[answer.number] = answer
            while len(self._answers) > MOST_ANSWERS:
                del self._answers[next(iter(self._answers))]
        self._last = max(self._last, answer.number)
        meant = (answer.meant,) if answer.number else answer.alternatives
        ids = dict.fromkeys(id_ for item in meant for id_ in question.kept.showing(item.mask))
        return replace(answer, ids=tuple(ids))

    def add_surface(self, prompt: Prompt, segmenter: Segmenter, frame: Frame) -> Answered:
        """Answer a prompt that means one surface, as :meth:`add` does.

        :param prompt: points, a box or a mask, in pixels of ``frame``.
        :param segmenter: who answers.
        :param frame: what is looked at.
        :raises PromptError: when it is another prompt; as :meth:`add`.
        """
        if not isinstance(prompt, PointPrompt | BoxPrompt | MaskPrompt):
            raise PromptError(
                f'a {type(prompt).__name__} for one object', wanted='points, a box or a mask'
            )
        return self.add(prompt, segmenter, frame)

    def segment(
        self, segmenter: Segmenter, frame: Frame, outside: Instances | None = None
    ) -> Instances:
        """Return a frame's instances: everything, and in it what the prompts ask for.

        :param segmenter: who answers.
        :param frame: what is looked at.
        :param outside: what somebody else has found in it, in place of everything and of what the
            phrases of the start ask for.
        :raises InputError: when these masks have another size than the frame.
        :raises BackendError: when a backend fails, which costs this frame alone.
        """
        if outside is not None:
            require_fit(outside, frame)
        try:
            return self._segment(segmenter, frame, outside)
        except Sam3dError:
            raise
        except Exception as error:  # a backend may be anybody's code
            name = type(segmenter).__name__
            raise BackendError(f'{name} failed: {type(error).__name__}: {error}') from error

    def _segment(self, segmenter: Segmenter, frame: Frame, outside: Instances | None) -> Instances:
        phrases = self._phrases if outside is None else ()
        concepts = [*phrases, *self._concepts]
        asked = segmenter.segment(frame, concepts) if concepts else Instances(frame.stamp_ns)
        found = list(asked.items)
        for anchor, prompt in self._in_view(frame):
            given = segmenter.segment(frame, (prompt,))
            asked = replace(asked, supports=given.supports)
            if given.items:
                item = chosen_again(anchor, given.items, frame)
                found.append(replace(item, apart=anchor.apart))
        plain = [item for item in found if not item.apart]
        apart = [item for item in found if item.apart]
        if outside is not None and (self._phrases or not self._only):
            every = merged(outside, plain)
        elif self._only:
            every = replace(asked, items=tuple(plain))
        else:
            every = merged(segmenter.segment(frame), plain)
        return merged(every, apart, REST)

    def _in_view(self, frame: Frame) -> list[tuple[Anchor, Prompt]]:
        """Return the anchors whose surface a frame shows, with what asks for them again.

        What is gone is dropped.
        """
        seen, kept = [], []
        for anchor in self._anchors:
            pixels, verdict = looked_at(anchor.point_fixed[None], frame)
            gone = anchor.gone + 1 if verdict.seen_through[0] else 0
            if gone < LOST_FRAMES:
                kept.append(replace(anchor, gone=gone))
            if verdict.confirmed[0]:
                place = float(pixels[0, 0]), float(pixels[0, 1])
                seen.append((anchor, prompt_again(anchor, place, frame)))
        self._anchors = kept
        return seen

    def _anchor(self, number: int) -> Anchor:
        for anchor in self._anchors:
            if anchor.number == number:
                return anchor
        raise NotFoundError(
            f'what prompt {number} meant is gone', wanted='one that is there', remedy='Point anew.'
        )


def merged(automatic: Instances, prompted: list[Instance], least: float = SAME_MASK) -> Instances:
    """Return automatic instances with the prompted ones in place of what they cover.

    :param automatic: what was found unasked.
    :param prompted: what was asked for.
    :param least: share of its pixels that must be left of an automatic one.
    """
    if not prompted:
        return automatic
    taken = np.logical_or.reduce([item.mask for item in prompted])
    kept = []
    for item in automatic.items:
        rest = item.mask & ~taken
        if rest.sum() == item.mask.sum():
            kept.append(item)
        elif rest.sum() > least * item.mask.sum():
            kept.append(replace(item, mask=rest, box_px=mask_box(rest) or item.box_px))
    return replace(automatic, items=(*kept, *prompted))


def _absent(given: Instances) -> str:
    return f' (presence {given.concepts[0].presence:.2f})' if given.concepts else ''
