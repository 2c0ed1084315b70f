# SPDX-License-Identifier: Apache-2.0
"""Prompts as the network takes them: points with labels, and outlines on a coarse grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array

CORNERS = (2, 3)
"""Labels of the corners of a box; 0 = off the thing, 1 = on it, -1 = no point."""
OUTLINE_STRIDE = 8
"""Rows and columns of the network's input per cell of an outline."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One prompt.

    :param points: (N, 2) float32 x and y, 0..1 of the network's input.
    :param labels: (N,) int64.
    :param outline: (4, h/8, w/8) float32: rough mask, its presence, box, its presence.
    """

    points: Float32Array
    labels: npt.NDArray[np.int64]
    outline: Float32Array


def about_points(points: npt.ArrayLike, labels: npt.ArrayLike, shape: tuple[int, int]) -> Question:
    """Return the question after what some points are on, and others are not.

    :param shape: rows and columns of the outline's grid.
    """
    return Question(
        np.asarray(points, np.float32).reshape(-1, 2),
        np.asarray(labels, np.int64).reshape(-1),
        np.zeros((4, *shape), np.float32),
    )


def about_box(box: Sequence[float], shape: tuple[int, int]) -> Question:
    """Return the question after the thing in a box: left, top, right, bottom in 0..1."""
    question = about_points([box[:2], box[2:]], CORNERS, shape)
    rows, columns = shape
    down = _covered(box[1] * rows, box[3] * rows, rows)
    across = _covered(box[0] * columns, box[2] * columns, columns)
    question.outline[2], question.outline[3] = np.outer(down, across), 1
    return question


def about_mask(mask: BoolArray, shape: tuple[int, int]) -> Question:
    """Return the question after the thing that a mask shows roughly.

    :param mask: (rows, columns) bool of any size, over the whole of the network's input.
    """
    question = about_points([], [], shape)
    size = shape[::-1]
    question.outline[0] = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    question.outline[1] = 1
    return question


def batched(questions: Sequence[Question]) -> Question:
    """Return K questions as one with a leading axis K, filled up to the most points of any."""
    most = max(1, *(len(question.labels) for question in questions))
    points = np.zeros((len(questions), most, 2), np.float32)
    labels = np.full((len(questions), most), -1, np.int64)
    for k, question in enumerate(questions):
        points[k, : len(question.labels)] = question.points
        labels[k, : len(question.labels)] = question.labels
    return Question(points, labels, np.stack([question.outline for question in questions]))


def _covered(low: float, high: float, count: int) -> npt.NDArray[np.float64]:
    """(count,) share of every unit cell that low..high covers."""
    cell = np.arange(count)
    return np.clip(np.minimum(high, cell + 1) - np.maximum(low, cell), 0, 1)
