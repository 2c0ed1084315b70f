# SPDX-License-Identifier: Apache-2.0
"""Scores of objects followed over frames: HOTA, id switches, ghosts.

HOTA is that of Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking"
(IJCV 2021), with the IoU of axis-aligned 3D boxes as similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam3d_ros.bench.metrics.metrics_layout import match, pairwise_box_iou
from sam3d_ros.core.types import BoolArray, FloatArray

ALPHAS: FloatArray = np.arange(0.05, 0.99, 0.05)
"""Similarities at which a find counts; HOTA is the mean over them."""
GHOST_IOU = 0.05
ID_IOU = 0.25
"""Least IoU of a find whose id is told."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBoxes:
    """What is true of one frame, and what was said of it.

    :param true_bounds: (N, 2, 3) boxes of all objects, lowest corner first, fixed frame, metres.
    :param present: (N,) bool, the object is in the world.
    :param counts: (N,) bool, enough of it is seen that it should be found.
    :param ids: (M,) int64 of the objects that were told.
    :param bounds: (M, 2, 3) their boxes.
    """

    true_bounds: FloatArray
    present: BoolArray
    counts: BoolArray
    ids: np.ndarray
    bounds: FloatArray

    def iou(self) -> FloatArray:
        """Return the (M, N) IoU of all that was told with all that is true; 0 of the absent."""
        overlap: FloatArray = pairwise_box_iou(self.bounds, self.true_bounds) * self.present
        return overlap

    def known_as(self) -> dict[int, int]:
        """Return the ids by the index of the object that each was matched with."""
        return {k: int(self.ids[row]) for row, k in match(self.iou(), ID_IOU)}

    def ghosts(self) -> list[int]:
        """Return the ids that no present object's box matches, one to one."""
        matched = {row for row, _ in match(self.iou(), GHOST_IOU)}
        return [int(self.ids[row]) for row in range(len(self.ids)) if row not in matched]

    def scored(self) -> tuple[list[int], list[int], FloatArray]:
        """Return what HOTA is about: object indices, ids, and their (objects, ids) IoU.

        What was said of an object that need not be found counts neither way.
        """
        iou = self.iou()
        excused = {row for row, k in match(iou, GHOST_IOU) if not self.counts[k]}
        rows = [row for row in range(len(self.ids)) if row not in excused]
        columns = np.flatnonzero(self.counts & self.present)
        return columns.tolist(), self.ids[rows].tolist(), iou[rows][:, columns].T


@dataclass(frozen=True, slots=True)
class Hota:
    """HOTA and its two halves: detection and association, each 0..1."""

    hota: float
    detection: float
    association: float


def hota(frames: Sequence[FrameBoxes]) -> Hota:
    """Return the score of one sequence; NaN when there is nothing to find and nothing found."""
    scored = [frame.scored() for frame in frames]
    true_index = {k: i for i, k in enumerate(sorted({k for true, _, _ in scored for k in true}))}
    found_index = {k: i for i, k in enumerate(sorted({k for _, ids, _ in scored for k in ids}))}
    true_frames, found_frames = np.zeros(len(true_index)), np.zeros(len(found_index))
    together = np.zeros((len(true_index), len(found_index)))
    placed = []
    for true, ids, iou in scored:
        rows = np.array([true_index[k] for k in true], np.intp)
        columns = np.array([found_index[k] for k in ids], np.intp)
        true_frames[rows] += 1
        found_frames[columns] += 1
        both = iou.sum(axis=1, keepdims=True) + iou.sum(axis=0, keepdims=True) - iou
        together[np.ix_(rows, columns)] += iou / np.maximum(both, 1e-12)
        placed.append((rows, columns, iou))
    # Pairs that belong together over the whole sequence are matched first in every frame.
    affinity = together / np.maximum(true_frames[:, None] + found_frames[None] - together, 1e-12)
    matches = np.zeros((len(ALPHAS), *together.shape))
    for rows, columns, iou in placed:
        chosen = linear_sum_assignment(-affinity[np.ix_(rows, columns)] * iou)
        for i, j in zip(*chosen, strict=True):
            matches[:, rows[i], columns[j]] += iou[i, j] >= ALPHAS - 1e-9
    hits = matches.sum(axis=(1, 2))
    either = true_frames[:, None] + found_frames[None] - matches
    detection = hits / np.maximum(true_frames.sum() + found_frames.sum() - hits, 1e-12)
    shared = (matches * matches / np.maximum(either, 1e-12)).sum(axis=(1, 2))
    association = shared / np.maximum(hits, 1e-12)
    if true_frames.sum() + found_frames.sum() == 0:
        return Hota(float('nan'), float('nan'), float('nan'))
    total = np.sqrt(detection * association)
    return Hota(float(total.mean()), float(detection.mean()), float(association.mean()))


def id_switches(frames: Sequence[FrameBoxes]) -> int:
    """Return how often an object was found under another id than when it was found before."""
    known: dict[int, list[int]] = {}
    for frame in frames:
        for k, object_id in frame.known_as().items():
            known.setdefault(k, []).append(object_id)
    return sum(before != after for ids in known.values() for before, after in pairwise(ids))


def same_ids(before: Sequence[FrameBoxes], after: Sequence[FrameBoxes]) -> list[bool]:
    """Return, for every object known in the frames before, whether its id came back.

    Its id is the one it has most often; an object that need not be found afterwards, or is gone,
    is left out.

    :param after: the frames afterwards.
    """
    named = _usual_ids(before)
    again = _usual_ids(after)
    due = {k for frame in after for k in np.flatnonzero(frame.counts & frame.present).tolist()}
    return [again.get(k) == object_id for k, object_id in named.items() if k in due]


def frames_until_absent(
    frames: Sequence[FrameBoxes], old_id: int, place: FloatArray
) -> int | None:
    """Return in how many frames from the first an object that is gone is still told of.

    :param frames: from the first that shows that it is gone.
    :param old_id: what it was known as.
    :param place: (2, 3) box where it was.
    :return: None when it is told of to the end.
    """
    for count, frame in enumerate(frames):
        boxes = frame.bounds[frame.ids == old_id]
        if not (pairwise_box_iou(boxes, place[None]) > 0.1).any():
            return count
    return None


def _usual_ids(frames: Sequence[FrameBoxes]) -> dict[int, int]:
    seen: dict[int, list[int]] = {}
    for frame in frames:
        for k, object_id in frame.known_as().items():
            seen.setdefault(k, []).append(object_id)
    return {k: max(ids, key=ids.count) for k, ids in seen.items()}
