# SPDX-License-Identifier: Apache-2.0
"""One prompt in one view to the object's mask in every view, and to its points.

SA3D (Cen et al., NeurIPS 2023; IJCV 2025 for the second pass) with surfels of depth frames in
place of a radiance field. Views are read several times, one at a time: nothing but surfels and
packed masks is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, Frame, Prompt
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.masks3d.config import Masks3DConfig
from sam3d_ros.masks3d.rendering import render
from sam3d_ros.masks3d.selfprompts import self_prompts
from sam3d_ros.masks3d.surfels import Surfels
from sam3d_ros.masks3d.voting import look

Views = Callable[[], Iterable[tuple[int, Frame]]]
"""Gives the numbered views from the first on, each time it is called."""

LEAST_MARGIN_M = 0.2
"""Surfels are kept in a box around what the first view shows, larger by its diagonal or this."""
LEAST_PX = 50
"""Where less of an object is in view, nothing is asked."""
NEGATIVE_AGAIN = 0.5
"""What being outside counts in the second pass, when only points of the object are left."""
OPEN_PX, CLOSE_PX = 3, 5
"""Islands and gaps this small are the noise of the range image."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectInViews:
    """One object as several views know it together.

    :param scene: surfels that the views showed around the object, its own and others.
    :param confidence: (N,) float64 -1..1, votes for each being the object's less those against it,
        over all of them; > 0 = it is.
    :param answers: by number of the view, the mask that was kept of it; packed bits.
    :param rejected: numbers of the views whose answers did not agree with the others.
    """

    scene: Surfels
    confidence: FloatArray
    answers: dict[int, ByteArray]
    rejected: tuple[int, ...]
    _tree: cKDTree

    def surfels(self) -> tuple[Surfels, FloatArray]:
        """Return the object's surfels and their confidence, (M,) 0..1."""
        owned = self.confidence > 0
        return self.scene.chosen(owned), self.confidence[owned]

    def mask_in(self, number: int, frame: Frame) -> BoolArray:
        """Return the (H, W) mask of the object in a view.

        Where the view has measured a surface, the surfels decide; elsewhere, what was answered
        there, if that was kept.

        :param number: of the view.
        :param frame: the view.
        """
        values = render(self._tree, self.confidence, frame, self.scene.spacing_m)
        mask = values > 0
        if number in self.answers:
            mask |= np.isnan(values) & _unpacked(self.answers[number], mask.shape)
        bits = mask.view(np.uint8)
        opened = cv2.morphologyEx(bits, cv2.MORPH_OPEN, np.ones((OPEN_PX, OPEN_PX), np.uint8))
        closing = np.ones((CLOSE_PX, CLOSE_PX), np.uint8)
        return cv2.morphologyEx(opened, cv2.MORPH_CLOSE, closing) > 0


READS = 5
"""Whole passes over the views that :func:`find_in_views` takes at most; bars of progress count
them."""


def find_in_views(
    views: Views, number: int, prompt: Prompt, segmenter: Segmenter, config: Masks3DConfig
) -> ObjectInViews:
    """Return the object that a prompt in one view means, as all views know it.

    :param views: gives all of them, in any order; they are of one fixed frame.
    :param number: of the view that the prompt is in.
    :param prompt: points, a box or a mask.
    :param segmenter: answers prompts.
    :param config: options of masks in 3D.
    :raises PromptError: when the prompt cannot be served or points at nothing, or when there is no
        such view.
    """
    first = next((frame for k, frame in views() if k == number), None)
    if first is None:
        raise PromptError(f'no view {number} that can be used', wanted='the number of a view')
    found = segmenter.segment(first, (prompt,)).items
    if not found:
        raise PromptError('the prompt points at nothing', wanted='a place with an object')
    mask = max(found, key=lambda item: item.score).mask
    pixels = mask & np.isfinite(first.depth_m)
    if not pixels.any():
        raise PromptError('what the prompt means has no depth', wanted='an object with returns')
    points = apply(first.T_fixed_cam, first.pointmap[pixels].astype(np.float64))
    low, high = np.quantile(points, (0.02, 0.98), axis=0)
    margin_m = max(LEAST_MARGIN_M, float(np.linalg.norm(high - low)))
    scene = Surfels()
    for _, frame in views():
        place = apply(frame.T_fixed_cam, frame.pointmap.astype(np.float64))
        scene.add(frame, ((place > low - margin_m) & (place < high + margin_m)).all(axis=-1))
    tree = cKDTree(scene.points_fixed)
    values = look(scene, first).votes(mask, config.negative)
    answers, rejected = {number: np.packbits(mask)}, []
    for k, frame in _from(views, number):
        before = render(tree, values, frame, scene.spacing_m)
        answer = _answer(before, frame, segmenter, config)
        if answer is not None:
            values += look(scene, frame).votes(answer, config.negative)
            answers[k] = np.packbits(answer)
        elif np.count_nonzero(before > 0) >= LEAST_PX:
            rejected.append(k)
    confidence = _voted_again(views, scene, values > 0, answers)
    return ObjectInViews(scene, confidence, answers, tuple(rejected), tree)


def _answer(
    before: Float32Array, frame: Frame, segmenter: Segmenter, config: Masks3DConfig
) -> BoolArray | None:
    """Return what is answered in a view, None where nothing agrees with what was known before.

    Points are asked first: their answer ends where the view sees an end, while the answer to a
    mask ends near the mask's.

    :param before: (H, W) mask values rendered into the view.
    """
    known = before > 0
    if np.count_nonzero(known) < LEAST_PX:
        return None
    for prompt in self_prompts(before, frame, config.points):
        for item in segmenter.segment(frame, (prompt,)).items[:1]:
            seen = item.mask & ~np.isnan(before)
            if mask_iou(seen, known) >= config.min_agreement:
                return item.mask
    return None


def _voted_again(
    views: Views, scene: Surfels, owned: BoolArray, answers: dict[int, ByteArray]
) -> FloatArray:
    """Return the confidence of a second vote by the kept masks, among the object's surfels alone.

    Where masks are a pixel too large in some views, few votes speak against a surfel of the
    border; once the background is gone, being outside counts more.

    :param owned: (N,) bool, the object's surfels after the first vote.
    """
    votes, weight = np.zeros(len(scene)), np.zeros(len(scene))
    for k, frame in views():
        if k in answers:
            seen = look(scene, frame)
            votes += seen.votes(_unpacked(answers[k], frame.depth_m.shape), NEGATIVE_AGAIN)
            weight += seen.weight
    return np.where(owned & (weight > 0), votes / np.maximum(weight, 1e-9), -1.0)


def _from(views: Views, number: int) -> Iterator[tuple[int, Frame]]:
    """Yield the views after the one of ``number``, then those before it."""
    yield from ((k, frame) for k, frame in views() if k > number)
    yield from ((k, frame) for k, frame in views() if k < number)


def _unpacked(bits: ByteArray, shape: tuple[int, ...]) -> BoolArray:
    count = int(np.prod(shape))
    return np.unpackbits(bits, count=count).reshape(shape).astype(bool)
