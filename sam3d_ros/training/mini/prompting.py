# SPDX-License-Identifier: Apache-2.0
"""Random prompts for true masks: clicks on and beside, boxes drawn by hand, rough masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, FloatArray
from sam3d_ros.segmentation.mini.asking import (
    Question,
    about_box,
    about_mask,
    about_points,
    batched,
)

POINTS = 4
SMALLEST = 20
"""Cells of a thing that is asked for."""
KINDS = ('click', 'clicks', 'box', 'mask')
SHARES = (0.45, 0.2, 0.25, 0.1)
CELL = 4
"""Cells of the truth per cell of an outline, both ways."""
BESIDE = 25
"""Clicks off a thing fall within half of this many cells of it."""
BOX_SIGMA = 0.06
"""Error of a hand-drawn box, of its size."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """K prompts to one view.

    :param question: with a leading axis K and four points each.
    :param wanted: (K,) int64 instance asked for, 0 = nothing to ask for.
    """

    question: Question
    wanted: npt.NDArray[np.int64]


def random_prompts(truth: ByteArray, count: int, rng: np.random.Generator) -> Asked:
    """Return ``count`` prompts, to different instances while there are some."""
    rows, columns = truth.shape
    shape = rows // CELL, columns // CELL
    area = np.bincount(truth.ravel(), minlength=256)
    known = np.flatnonzero(area >= SMALLEST)
    known = rng.permutation(known[known > 0])
    filler = about_points(np.zeros((POINTS, 2)), np.full(POINTS, -1), shape)
    questions, wanted = [filler], np.zeros(count, np.int64)
    for k in range(count if len(known) else 0):
        wanted[k] = known[k % len(known)]
        kind = str(rng.choice(KINDS, p=SHARES))
        questions.append(_question(truth == wanted[k], kind, shape, rng))
    asked = batched(questions + [filler] * (count + 1 - len(questions)))
    return Asked(Question(asked.points[1:], asked.labels[1:], asked.outline[1:]), wanted)


def _question(
    mask: BoolArray, kind: str, shape: tuple[int, int], rng: np.random.Generator
) -> Question:
    if kind == 'box':
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = np.array([left, top, left + width, top + height], np.float64)
        box += rng.normal(0, BOX_SIGMA, 4) * [width, height, width, height]
        box[2:] = np.maximum(box[2:], box[:2] + 1)
        rows, columns = mask.shape
        return about_box(np.clip(box / [columns, rows, columns, rows], 0, 1).tolist(), shape)
    if kind == 'mask':
        # Grown or shrunk, and shifted.
        size = 2 * int(rng.integers(0, 4)) + 1
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        rough = change(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
        shift = rng.integers(-4, 5, 2)
        return about_mask(np.roll(rough if rough.any() else mask, shift, axis=(0, 1)), shape)
    points, labels = [_inside(mask, rng)], [1]
    near = cv2.dilate(mask.astype(np.uint8), np.ones((BESIDE, BESIDE), np.uint8)) > 0
    for _ in range(int(rng.integers(1, POINTS)) if kind == 'clicks' else 0):
        is_on = bool(rng.random() < 0.5)
        region = mask if is_on else near & ~mask
        if region.any():
            points.append(_inside(region, rng))
            labels.append(int(is_on))
    return about_points(points, labels, shape)


def _inside(region: BoolArray, rng: np.random.Generator) -> FloatArray:
    """A random place in a region, x and y in 0..1."""
    rows, columns = np.nonzero(region)
    pick = int(rng.integers(len(rows)))
    at = np.array([columns[pick], rows[pick]]) + rng.random(2)
    return at / region.shape[::-1]
