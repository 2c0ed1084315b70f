# SPDX-License-Identifier: Apache-2.0
"""Scores of unseen object segmentation, as defined by Xie et al., "Unseen Object Instance
Segmentation for Robotic Environments" (T-RO 2021), section V-B.

Predicted and true objects are matched one to one so that the sum of their F-measures is largest
(Hungarian method); Overlap and Boundary precision and recall are then pooled over the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Labels = npt.NDArray[np.integer]
BOUNDARY_TOLERANCE = 0.003  # share of the image diagonal, as in the paper's evaluation
DETECTED_F = 0.75
RECALL_IOU = 0.5


@dataclass(frozen=True, slots=True)
class SegmentationScore:
    """Scores of one frame, or their mean over frames; all 0..1.

    :param recall_iou50: share of true objects whose matched prediction has IoU > 0.5.
    :param precision_iou50: share of predictions whose matched object has IoU > 0.5; those that
        are mostly on things that the truth does not list are not counted.
    :param detected: share of true objects whose matched prediction has F > 0.75.
    """

    overlap_p: float
    overlap_r: float
    overlap_f: float
    boundary_p: float
    boundary_r: float
    boundary_f: float
    detected: float
    recall_iou50: float
    precision_iou50: float


def mean_score(scores: Sequence[SegmentationScore]) -> SegmentationScore:
    """Return the mean over frames, field by field (each frame counts the same)."""
    fields = SegmentationScore.__slots__
    return SegmentationScore(*(float(np.mean([getattr(s, f) for s in scores])) for f in fields))


def score_labels(
    predicted: Labels,
    truth: Labels,
    valid: npt.NDArray[np.bool_],
    others: npt.NDArray[np.bool_] | None = None,
) -> SegmentationScore:
    """Score one frame.

    :param predicted: (H, W) integer, 0 = no object.
    :param truth: (H, W) integer, 0 = no object.
    :param valid: (H, W) bool, pixels that carry truth; the rest is ignored in both.
    :param others: (H, W) bool, pixels of things that the truth does not list, or None.
    """
    found, n_found = _compact(np.where(valid, predicted, 0))
    real, n_real = _compact(np.where(valid, truth, 0))
    common = np.bincount(
        (found * (n_real + 1) + real).ravel(), minlength=(n_found + 1) * (n_real + 1)
    ).reshape(n_found + 1, n_real + 1)
    area_found, area_real = common.sum(1)[1:], common.sum(0)[1:]
    common = common[1:, 1:]
    total = area_found[:, None] + area_real[None, :]
    f_measure = 2.0 * common / np.maximum(total, 1)
    rows, columns = linear_sum_assignment(-f_measure)
    matched = f_measure[rows, columns] > 0
    rows, columns = rows[matched], columns[matched]
    hits = int(common[rows, columns].sum())
    iou = common[rows, columns] / (total - common)[rows, columns]
    counted = n_found
    if others is not None:
        on_others = np.bincount(found[others], minlength=n_found + 1)[1:]
        counted = int((2 * on_others <= area_found).sum())
    boundary = _boundary_counts(
        found, real, list(zip(rows.tolist(), columns.tolist(), strict=True))
    )
    overlap = _prf(hits, hits, int(area_found.sum()), int(area_real.sum()))
    return SegmentationScore(
        *overlap,
        *_prf(*boundary),
        _share(int((f_measure[rows, columns] > DETECTED_F).sum()), n_real, n_found),
        _share(int((iou > RECALL_IOU).sum()), n_real, n_found),
        _share(int((iou > RECALL_IOU).sum()), counted, n_real),
    )


def _compact(labels: Labels) -> tuple[npt.NDArray[np.int64], int]:
    values, inverse = np.unique(labels, return_inverse=True)
    inverse = inverse.reshape(labels.shape).astype(np.int64)
    if values[0] != 0:
        inverse += 1
    return inverse, int(inverse.max())


def _share(part: int, whole: int, on_the_other_side: int) -> float:
    """Return a share; of nothing it is perfect when there is nothing on the other side."""
    return part / whole if whole else float(on_the_other_side == 0)


def _prf(hits_p: int, hits_r: int, n_found: int, n_real: int) -> tuple[float, float, float]:
    """Precision, recall and F; an empty prediction of an empty frame is perfect."""
    if n_found == 0 or n_real == 0:
        perfect = float(n_found == n_real)
        return perfect, perfect, perfect
    precision, recall = hits_p / n_found, hits_r / n_real
    f_measure = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f_measure


def _boundary_counts(
    found: Labels, real: Labels, pairs: list[tuple[int, int]]
) -> tuple[int, int, int, int]:
    """Boundary pixels: predicted near the truth, true near the prediction, predicted, true."""
    height, width = found.shape
    radius = int(np.ceil(BOUNDARY_TOLERANCE * np.hypot(height, width)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    edges_found = [_boundary(found == i + 1) for i in range(int(found.max()))]
    edges_real = [_boundary(real == i + 1) for i in range(int(real.max()))]
    hits_p = hits_r = 0
    for i, j in pairs:
        hits_p += int((edges_found[i] * cv2.dilate(edges_real[j], disk)).sum())
        hits_r += int((edges_real[j] * cv2.dilate(edges_found[i], disk)).sum())
    count = [int(sum(int(e.sum()) for e in edges)) for edges in (edges_found, edges_real)]
    return hits_p, hits_r, count[0], count[1]


def _boundary(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Pixels that differ from their right, lower or lower right neighbour."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode='edge')
    here = padded[:-1, :-1]
    edge = (here ^ padded[:-1, 1:]) | (here ^ padded[1:, :-1]) | (here ^ padded[1:, 1:])
    return edge.astype(np.uint8)
