# SPDX-License-Identifier: Apache-2.0
"""What a prompt was answered with: the alternatives, and which of them is meant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.types import (
    BoolArray,
    ExemplarPrompt,
    FloatArray,
    Frame,
    IndexArray,
    Instance,
    Instances,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.recent_frames import Kept

LEVELS = ('whole', 'part', 'sub-part')
"""What alternatives are called, the largest first."""
SURE = 10.0
"""Logit of a mask whose backend told none."""
SAME_IOU = 0.95
"""Alternatives that agree so far are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """The answer to a prompt, until it is corrected.

    :param number: of the prompt, from 1: what corrections name; 0 = a phrase or an exemplar.
    :param prompt: all that was said, in pixels of ``frame``.
    :param frame: that was looked at.
    :param alternatives: what it may mean, of a phrase or an exemplar all that it means; the
        likeliest first. None where known objects answer.
    :param chosen: index of the one that is meant.
    :param is_chosen: whether somebody chose it.
    :param ids: of the tracks that are it already.
    :param presence: of a phrase or an exemplar: probability that there is such a thing; else 1.
    :param region: (H, W) bool, all pixels of such things together, where the backend tells them.
    """

    number: int
    prompt: Prompt
    frame: Frame
    alternatives: tuple[Instance, ...] = ()
    chosen: int = 0
    is_chosen: bool = False
    ids: tuple[int, ...] = ()
    presence: float = 1.0
    region: BoolArray | None = None

    @property
    def meant(self) -> Instance:
        """The alternative that is meant."""
        return self.alternatives[self.chosen]

    @property
    def levels(self) -> tuple[str, ...]:
        """What each alternative is called: ``whole``, ``part`` or ``sub-part``, by its size.

        Those of a phrase or an exemplar are all meant.
        """
        if isinstance(self.prompt, TextPrompt | ExemplarPrompt):
            return ()
        area = [-np.count_nonzero(item.mask) for item in self.alternatives]
        rank = np.argsort(np.argsort(area, kind='stable'), kind='stable')
        return tuple(LEVELS[k] for k in rank)

    def choosing(self, choice: str, *, apart: bool) -> Answered:
        """Return it with another alternative as the one that is meant.

        :param choice: its level; empty = as it is.
        :param apart: whether it is an object by itself.
        :raises PromptError: when there is no such alternative.
        """
        if choice and choice not in self.levels:
            raise PromptError(
                f'no alternative "{choice}" of prompt {self.number}',
                wanted=' or '.join(f'"{level}"' for level in sorted(self.levels, reverse=True)),
                remedy='Other alternatives come with a single point on another place.',
            )
        chosen = self.levels.index(choice) if choice else self.chosen
        items = list(self.alternatives)
        items[chosen] = replace(items[chosen], apart=apart or items[chosen].apart)
        is_chosen = bool(choice) or apart or self.is_chosen
        return replace(self, alternatives=tuple(items), chosen=chosen, is_chosen=is_chosen)

    def corrected(self, correction: Correction, frame: Frame) -> PointPrompt:
        """Return the prompt that says all that was said, and the points of a correction.

        In another frame it is said by the same places, and without the answer's logits.

        :param correction: with points, in pixels of ``frame``.
        :param frame: that is looked at now.
        :raises PromptError: when a point has no label.
        """
        if len(correction.points_px) != len(correction.labels):
            raise PromptError(
                f'{len(correction.points_px)} points with {len(correction.labels)} labels',
                wanted='one label for each point: 1 on what is meant, 0 off it',
            )
        points, labels = correction.points_px, correction.labels
        if frame is not self.frame:
            return PointPrompt(points, labels)
        if isinstance(self.prompt, PointPrompt):
            points, labels = self.prompt.points_px + points, self.prompt.labels + labels
        if 1 not in labels:
            points, labels = (middle(self.meant.mask), *points), (1, *labels)
        before = self.meant.logits
        if before is None:
            before = np.where(self.meant.mask, SURE, -SURE).astype(np.float32)
        return PointPrompt(points, labels, before)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a segmenter is to be asked so that a prompt is answered; in any thread.

    :param prompt: what was said.
    :param kept: the frame that is looked at, and what was known after it.
    :param asked: what the segmenter is asked; None = nothing, it is answered by what is known.
    """

    prompt: Prompt | Correction
    kept: Kept
    asked: Prompt | None

    @property
    def is_grounded(self) -> bool:
        """Whether what is known of the objects answers it."""
        return self.asked is None and not isinstance(self.prompt, Correction)

    def ask(self, segmenter: Segmenter) -> Instances | None:
        """Return what a segmenter answers, None where it is asked nothing.

        :param segmenter: is asked, where need be.
        :raises PromptError: when it cannot serve it.
        """
        if self.asked is None:
            return None
        return segmenter.segment(self.kept.frame, (self.asked,))


def alternatives_of(items: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Return the answers of a backend to one prompt, the likeliest first, each once, up to three.

    :param items: as the backend returns them.
    """
    kept: list[Instance] = []
    for item in sorted(items, key=lambda item: -item.score):
        if all(mask_iou(item.mask, other.mask) < SAME_IOU for other in kept):
            kept.append(item)
    return tuple(kept[: len(LEVELS)])


def middle(mask: BoolArray) -> tuple[float, float]:
    """Return the pixel (u, v) of a mask that is nearest to its middle.

    :param mask: (H, W) bool, not empty.
    """
    rows, columns = np.nonzero(mask)
    nearest = int(np.hypot(rows - np.median(rows), columns - np.median(columns)).argmin())
    return float(columns[nearest]), float(rows[nearest])


def surface_points(frame: Frame, pixels: BoolArray | IndexArray) -> FloatArray:
    """Return the (N, 3) points of pixels that have depth, fixed frame, metres.

    :param frame: that they are of.
    :param pixels: (H, W) bool, or (N, 2) rows and columns.
    """
    index = pixels if pixels.dtype == bool else tuple(pixels.T)
    points = frame.pointmap[index].astype(np.float64)
    return apply(frame.T_fixed_cam, points[np.isfinite(points).all(axis=1)])
