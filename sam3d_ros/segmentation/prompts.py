# SPDX-License-Identifier: Apache-2.0
"""What a point, box or mask prompt selects from a partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import (
    BoolArray,
    BoxPrompt,
    IndexArray,
    MaskPrompt,
    PointPrompt,
    Prompt,
)
from sam3d_ros.segmentation.partition.partition import Partition

NEAR_PX = 6  # a click this far beside a thing still means it
REACH = 40.0
"""A correction changes so many squares of its distance from the border of the mask before."""
MOSTLY = 0.7  # a patch with this share of its pixels in a region belongs to it


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """One answer to a prompt: mask, score 0..1, and the support it stands on (or -1)."""

    mask: BoolArray
    score: float
    support: int


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels that a thing is asked for by; ``boxed`` = they are all of a box around it."""

    mask: BoolArray
    boxed: bool


def select(partition: Partition, prompt: Prompt) -> tuple[Selection, ...]:
    """Return the answers to one prompt, best first; none when it points at no thing.

    :raises PromptError: for a phrase or an exemplar, and for a prompt that is malformed.
    """
    match prompt:
        case PointPrompt():
            return _at_points(partition, prompt)
        case BoxPrompt() | MaskPrompt():
            region = asked_region(prompt, partition.patches.shape)
            return best_in(partition, candidates_in(partition, region.mask), region)
    raise refusal(prompt, 'geometric')


def refusal(prompt: Prompt, backend: str) -> PromptError:
    """Return the error for a prompt that needs language or likeness."""
    return PromptError(
        f'the {backend} segmentation cannot serve a {type(prompt).__name__}',
        wanted='points, a box or a mask',
        remedy='Set segmentation.backend to sam3, which understands phrases and exemplars.',
    )


def clicked_patches(patches: IndexArray, prompt: PointPrompt) -> tuple[list[int], set[int]]:
    """Return the patches under the points on a thing, and those under the points off it.

    :raises PromptError: when labels and points do not match, none is 1, or one is outside.
    """
    if len(prompt.points_px) != len(prompt.labels) or 1 not in prompt.labels:
        raise PromptError(
            f'{len(prompt.points_px)} points with labels {prompt.labels}',
            wanted='one label for each point, at least one of them 1',
        )
    hits = [_patch_at(patches, u, v) for u, v in prompt.points_px]
    on = [hit for hit, label in zip(hits, prompt.labels, strict=True) if label == 1 and hit]
    off = {hit for hit, label in zip(hits, prompt.labels, strict=True) if label == 0 and hit}
    return on, off


def corrected(answer: BoolArray, before: BoolArray, prompt: PointPrompt) -> BoolArray:
    """Return the mask after the last click of a prompt has corrected the answer before.

    The patch below a click may be far more than was wrong. A click that is a step away from the
    border of the mask before it means no more than about as large a change as that step.

    :param answer: (H, W) bool, all clicks together as sets of patches.
    :param before: (H, W) bool, the answer before the last click.
    :param prompt: with all clicks.
    """
    (u, v), label = prompt.points_px[-1], prompt.labels[-1]
    row, column = round(v), round(u)
    wrong = ~before if label else before
    step_px = float(cv2.distanceTransform(wrong.view(np.uint8), cv2.DIST_L2, 3)[row, column])
    is_obeyed = bool(answer[row, column]) == bool(label)
    if is_obeyed and np.count_nonzero(answer ^ before) <= REACH * step_px**2 + 1:
        return answer
    spot = np.zeros(before.shape, np.uint8)
    cv2.circle(spot, (column, row), max(1, round(step_px)), 1, cv2.FILLED)
    return before | (spot > 0) if label else before & (spot == 0)


def _at_points(partition: Partition, prompt: PointPrompt) -> tuple[Selection, ...]:
    on, off = clicked_patches(partition.patches, prompt)
    if not on:
        return ()
    levels = [_members(level, on, off) for level in (partition.thing_of, partition.group_of)]
    if len(prompt.points_px) > 1:
        answer = selection(partition, levels[0])
        if prompt.before is None:
            return (answer,)
        return (replace(answer, mask=corrected(answer.mask, prompt.before > 0, prompt)),)
    part = np.zeros(len(partition.thing_of), bool)
    part[on] = True
    answers: list[Selection] = []
    sizes: list[int] = []
    for members in (levels[0], part, levels[1]):  # the whole thing is the likeliest meaning
        if int(members.sum()) not in sizes:
            sizes.append(int(members.sum()))
            answers.append(selection(partition, members))
    return tuple(sorted(answers, key=lambda answer: -answer.score))


def _members(level: IndexArray, on: list[int], off: set[int]) -> BoolArray:
    """Patches that share a label of ``level`` with one in ``on`` but not with one in ``off``.

    Where a point on and a point off fall on the same thing, it is cut down to patches.
    """
    refused = {int(level[patch]) for patch in off} - {int(level[patch]) for patch in on}
    members = np.isin(level, level[on]) & ~np.isin(level, sorted(refused))
    members[sorted(off - set(on))] = False
    members[0] = False
    return members


def asked_region(prompt: BoxPrompt | MaskPrompt, shape: tuple[int, ...]) -> Region:
    """Return the pixels that a box or a mask prompt covers.

    :raises PromptError: when the box is empty, or the mask has another size than the frame.
    """
    if isinstance(prompt, BoxPrompt):
        left, top, right, bottom = prompt.box_px
        if not (left < right and top < bottom):
            raise PromptError(f'box {prompt.box_px} px', wanted='left < right and top < bottom')
        rows = slice(max(0, round(top)), max(0, round(bottom)))
        mask = np.zeros(shape, bool)
        mask[rows, max(0, round(left)) : max(0, round(right))] = True
        return Region(mask, boxed=True)
    if prompt.mask.shape != shape:
        raise PromptError(
            f'mask of {prompt.mask.shape[1]} x {prompt.mask.shape[0]} pixels',
            wanted=f"the frame's {shape[1]} x {shape[0]}",
        )
    return Region(prompt.mask, boxed=False)


def candidates_in(partition: Partition, region: BoolArray) -> list[BoolArray]:
    """Return sets of patches, (patches + 1,) bool: each thing in a region, all patches in it."""
    patches = partition.patches
    count = len(partition.thing_of)
    total = np.bincount(patches.ravel(), minlength=count)
    inside = np.bincount(patches[region], minlength=count)
    touched = np.unique(partition.thing_of[inside > 0])
    candidates = [partition.thing_of == thing for thing in touched if thing > 0]
    return [*candidates, inside > MOSTLY * np.maximum(total, 1)]


def best_in(
    partition: Partition, candidates: Sequence[BoolArray], region: Region
) -> tuple[Selection, ...]:
    """Return the one set of patches that agrees best with a region, or none."""
    best, best_iou = None, 0.0
    for members in candidates:
        members[0] = False
        iou = _agreement(members[partition.patches], region.mask, region.boxed)
        if iou > best_iou:
            best, best_iou = members, iou
    if best is None:
        return ()
    chosen = selection(partition, best)
    return (Selection(chosen.mask, best_iou, chosen.support),)


def _agreement(mask: BoolArray, region: BoolArray, boxed: bool) -> float:
    """IoU of a mask (its bounding box, where the region is a box) and a region."""
    if boxed:
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        mask = np.zeros_like(mask)
        mask[y : y + h, x : x + w] = True
    union = int((mask | region).sum())
    return int((mask & region).sum()) / union if union else 0.0


def selection(partition: Partition, members: BoolArray) -> Selection:
    """Return the mask of some patches; certain as far as they are whole, certain things."""
    mask = members[partition.patches]
    things = partition.thing_of[partition.patches[mask]]
    if not things.size:
        return Selection(mask, 0.0, -1)
    main = int(np.bincount(things).argmax())
    whole = np.isin(partition.thing_of, main) & (np.arange(len(members)) > 0)
    iou = _agreement(mask, whole[partition.patches], boxed=False)
    score = float(partition.certainty[main]) * iou
    return Selection(mask, score, int(partition.support_of[main]))


def _patch_at(patches: IndexArray, u: float, v: float) -> int:
    """The patch under a pixel, or the nearest one within a few pixels, or 0."""
    h, w = patches.shape
    if not (-0.5 <= u < w - 0.5 and -0.5 <= v < h - 0.5):
        raise PromptError(
            f'point ({u:g}, {v:g}) px', wanted=f'a point in the image of {w} x {h} pixels'
        )
    column, row = round(u), round(v)
    top, left = max(0, row - NEAR_PX), max(0, column - NEAR_PX)
    around = patches[top : row + NEAR_PX + 1, left : column + NEAR_PX + 1]
    rows, columns = np.nonzero(around)
    if not len(rows):
        return 0
    distance = np.hypot(rows + top - row, columns + left - column)
    nearest = int(distance.argmin())
    if distance[nearest] > NEAR_PX:
        return 0
    return int(around[rows[nearest], columns[nearest]])
