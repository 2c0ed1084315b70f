# SPDX-License-Identifier: Apache-2.0
"""Prompts that stand: what was once pointed at is found again in every later frame.

A point, box or mask names a piece of surface. Its place in the fixed frame is kept, projected into
each new frame and prompted there again, for as long as no ray sees through it; so are the places
that it was said not to mean. What was boxed is boxed again, as far as it went then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sam3d_ros.core.errors import BackendError, PromptError, Sam3dError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    BoolArray,
    BoxPrompt,
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
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import DepthVerdict, judge_frame
from sam3d_ros.session.outside import require_fit

SLACK_M = 0.025
"""How far an anchor may be off. Depth this and the sensor's noise behind it proves it gone."""
LOST_FRAMES = 5
"""Frames in a row that must prove it."""
BOXED_POINTS = 200
"""So many surface points say how far what was boxed goes."""
SAME_MASK = 0.5
"""Share of its own pixels that an automatic mask may lose to a prompted one and live."""


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """What was pointed at, in the fixed frame, metres.

    :param point_fixed: (3,) surface point that was asked for.
    :param gone: in how many frames in a row it was seen to be gone.
    :param off_fixed: (N, 3) surface points that are not meant.
    :param boxed_fixed: (N, 3) surface points of what a box or mask meant; none for a point.
    """

    point_fixed: FloatArray
    gone: int = 0
    off_fixed: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    boxed_fixed: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))

    def moved(self, T_new_old: FloatArray) -> Anchor:
        """Return it after a move of the map, (4, 4) in the fixed frame."""
        return replace(
            self,
            point_fixed=apply(T_new_old, self.point_fixed),
            off_fixed=apply(T_new_old, self.off_fixed),
            boxed_fixed=apply(T_new_old, self.boxed_fixed),
        )


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

    def clear(self) -> None:
        """Forget what was added; the phrases of the start stay."""
        self._concepts = []
        self._anchors = []

    def state(self) -> dict[str, Any]:
        """Return what was added, as a tree of :mod:`core.state`."""
        return {
            'phrases': to_tree([it for it in self._concepts if isinstance(it, TextPrompt)]),
            'exemplars': to_tree([it for it in self._concepts if isinstance(it, ExemplarPrompt)]),
            'anchors': to_tree(self._anchors),
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

    def move(self, T_new_old: FloatArray) -> None:
        """Move what was pointed at with the map, (4, 4) in the fixed frame."""
        self._anchors = [anchor.moved(T_new_old) for anchor in self._anchors]

    def add(self, prompt: Prompt, segmenter: Segmenter, frame: Frame) -> Instance:
        """Answer a prompt on a frame and keep it standing; return the best answer.

        :param prompt: in pixels of ``frame``, but for an exemplar that brings its own.
        :param segmenter: who answers.
        :param frame: what is looked at.
        :raises PromptError: when the backend cannot serve it, or it points at nothing.
        """
        answers = segmenter.segment(frame, (prompt,)).items
        if not answers:
            raise PromptError('the prompt points at nothing', wanted='a place with an object')
        best = max(answers, key=lambda answer: answer.score)
        if isinstance(prompt, ExemplarPrompt):  # its box means nothing in another frame
            self._concepts.append(replace(prompt, frame=prompt.frame or frame))
        elif isinstance(prompt, TextPrompt):
            self._concepts.append(prompt)
        else:
            self._anchors.append(_anchor(prompt, best, frame))
        return best

    def add_surface(self, prompt: Prompt, segmenter: Segmenter, frame: Frame) -> Instance:
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
        seen = self._in_view(frame)
        points = [prompt for _, prompt in seen]
        phrases = self._phrases if outside is None else ()
        prompts = [*phrases, *self._concepts, *points]
        asked = segmenter.segment(frame, prompts) if prompts else Instances(frame.stamp_ns)
        chosen = _one_each(asked, [pixel for pixel, _ in seen])
        if outside is not None and (self._phrases or not self._only):
            return merged(outside, chosen)
        if self._only:
            return replace(asked, items=tuple(chosen))
        return merged(segmenter.segment(frame), chosen)

    def _in_view(self, frame: Frame) -> list[tuple[tuple[float, float], Prompt]]:
        """Return the anchors whose surface a frame shows: pixel and prompt; drop what is gone."""
        seen, kept = [], []
        for anchor in self._anchors:
            pixels, verdict = _looked_at(anchor.point_fixed[None], frame)
            gone = anchor.gone + 1 if verdict.seen_through[0] else 0
            if gone < LOST_FRAMES:
                kept.append(replace(anchor, gone=gone))
            if verdict.confirmed[0]:
                place = float(pixels[0, 0]), float(pixels[0, 1])
                seen.append((place, _prompt_again(anchor, place, frame)))
        self._anchors = kept
        return seen


def merged(automatic: Instances, prompted: list[Instance]) -> Instances:
    """Return automatic instances with the prompted ones in place of what they cover."""
    if not prompted:
        return automatic
    taken = np.logical_or.reduce([item.mask for item in prompted])
    kept = []
    for item in automatic.items:
        rest = item.mask & ~taken
        if rest.sum() == item.mask.sum():
            kept.append(item)
        elif rest.sum() > SAME_MASK * item.mask.sum():
            kept.append(replace(item, mask=rest, box_px=mask_box(rest) or item.box_px))
    return replace(automatic, items=(*kept, *prompted))


def _one_each(asked: Instances, pixels: list[tuple[float, float]]) -> list[Instance]:
    """Return what phrases found, and of a point's alternatives the likeliest."""
    chosen: list[Instance] = []
    rest = list(asked.items)
    for u, v in pixels:
        here = [item for item in rest if item.mask[round(v), round(u)]]
        if here:
            chosen.append(max(here, key=lambda item: item.score))
            rest = [item for item in rest if not any(item is other for other in here)]
    points = [item for item in rest if not item.source.endswith(':point')]
    return points + chosen


def _anchor(prompt: PointPrompt | BoxPrompt | MaskPrompt, best: Instance, frame: Frame) -> Anchor:
    """Return what stands of a prompt that a frame has answered."""
    anchor = Anchor(_surface_point(best.mask, frame))
    if isinstance(prompt, PointPrompt):
        pixels = [
            (round(u), round(v))
            for (u, v), label in zip(prompt.points_px, prompt.labels, strict=True)
            if label == 0
        ]
        off = [frame.pointmap[v, u] for u, v in pixels]
        points = np.array(off, np.float64).reshape(-1, 3)
        seen = points[np.isfinite(points).all(axis=1)]
        return replace(anchor, off_fixed=apply(frame.T_fixed_cam, seen))
    points = frame.pointmap[best.mask & np.isfinite(frame.depth_m)].astype(np.float64)
    few = points[:: -(-len(points) // BOXED_POINTS)]
    return replace(anchor, boxed_fixed=apply(frame.T_fixed_cam, few))


def _prompt_again(anchor: Anchor, place: tuple[float, float], frame: Frame) -> Prompt:
    """Return the prompt that means an anchor in a frame that shows it.

    :param anchor: what was pointed at.
    :param place: its pixel.
    :param frame: what is looked at.
    """
    if len(anchor.boxed_fixed):
        pixels, _ = _looked_at(anchor.boxed_fixed, frame)
        low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
        size = frame.camera.width, frame.camera.height
        if (low >= 0).all() and (high < size).all():
            (left, top), (right, bottom) = low, high
            return BoxPrompt((float(left), float(top), float(right) + 1, float(bottom) + 1))
    pixels, verdict = _looked_at(anchor.off_fixed, frame)
    off = [(float(u), float(v)) for u, v in pixels[verdict.confirmed]]
    return PointPrompt((place, *off), (1, *[0] * len(off)))


def _looked_at(points_fixed: FloatArray, frame: Frame) -> tuple[FloatArray, DepthVerdict]:
    """Return the (N, 2) pixels of (N, 3) points, and whether the frame shows a surface there."""
    points_cam = apply(inverse(frame.T_fixed_cam), points_fixed)
    verdict = judge_frame(points_cam, frame, SLACK_M)
    return project(points_cam, frame.camera), verdict


def _surface_point(mask: BoolArray, frame: Frame) -> FloatArray:
    """Return the point (fixed frame) of the mask's pixel with depth nearest to its middle."""
    rows, columns = np.nonzero(mask & np.isfinite(frame.depth_m))
    if not len(rows):
        raise PromptError('the prompt points at a place without depth', wanted='depth there')
    nearest = int(np.hypot(rows - np.median(rows), columns - np.median(columns)).argmin())
    point_cam = frame.pointmap[rows[nearest], columns[nearest]].astype(np.float64)
    return apply(frame.T_fixed_cam, point_cam)
