# SPDX-License-Identifier: Apache-2.0
"""Layout metrics of posed objects, as defined in the SAM 3D paper (evaluation appendix).

Points are metres in one common frame, the world's; nothing is aligned before scoring.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.distance import pdist

from sam3d_ros.core.types import BoolArray, FloatArray
from sam3d_ros.geometry.alignment import rigid_fit
from sam3d_ros.geometry.transforms import apply, rotation_angle


def box_iou(points_a: FloatArray, points_b: FloatArray) -> float:
    """Return the IoU of the axis-aligned boxes of two (N, 3) point sets.

    :param points_a: (N, 3).
    :param points_b: (M, 3).
    """
    low_a, high_a = points_a.min(axis=0), points_a.max(axis=0)
    low_b, high_b = points_b.min(axis=0), points_b.max(axis=0)
    shared = np.prod(np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None))
    union = np.prod(high_a - low_a) + np.prod(high_b - low_b) - shared
    return float(shared / union) if union > 0 else 0.0


def pairwise_box_iou(bounds_a: FloatArray, bounds_b: FloatArray) -> FloatArray:
    """Return the (N, M) IoU of axis-aligned boxes (N, 2, 3) and (M, 2, 3), lowest corner first.

    :param bounds_a: (N, 2, 3).
    :param bounds_b: (M, 2, 3).
    """
    a, b = bounds_a[:, None], bounds_b[None]
    edges = np.minimum(a[:, :, 1], b[:, :, 1]) - np.maximum(a[:, :, 0], b[:, :, 0])
    shared = edges.clip(0).prod(axis=2)
    volume_a, volume_b = ((box[:, :, 1] - box[:, :, 0]).prod(axis=2) for box in (a, b))
    iou: FloatArray = shared / np.maximum(volume_a + volume_b - shared, 1e-15)
    return iou


def diameter(points: FloatArray) -> float:
    """Return the largest distance between two of (N, 3) points."""
    try:
        points = points[ConvexHull(points).vertices]
    except QhullError:  # flat or linear: the extreme points are among all points
        points = np.unique(points, axis=0)
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def add_s(predicted: FloatArray, truth: FloatArray, diameter_m: float | None = None) -> float:
    """Return ADD-S: mean nearest distance both ways, averaged, over the truth's diameter.

    This is the paper's bidirectional variant, not the one-sided one of the BOP challenge.

    :param predicted: (N, 3) points of the posed result, metres.
    :param diameter_m: of the truth, where it is known already.
    """
    if diameter_m is None:
        diameter_m = diameter(truth)
    there = cKDTree(truth).query(predicted)[0].mean()
    back = cKDTree(predicted).query(truth)[0].mean()
    return float((there + back) / (2 * diameter_m))


def icp_rotation_rad(predicted: FloatArray, truth: FloatArray, iterations: int = 50) -> float:
    """Return ICP-Rot: the angle by which ICP rotates the posed prediction onto the posed truth.

    Point-to-point ICP (Besl and McKay 1992) without a distance gate, from the identity, until the
    step falls under 1e-6 or ``iterations`` are done.

    :param predicted: (N, 3) points of the posed result, metres.
    """
    tree = cKDTree(truth)
    total = np.eye(4)
    for _ in range(iterations):
        moved = apply(total, predicted)
        step = rigid_fit(moved, truth[tree.query(moved)[1]])
        total = step @ total
        if np.abs(step - np.eye(4)).max() < 1e-6:
            break
    return rotation_angle(total)


def match(iou: FloatArray, min_iou: float) -> list[tuple[int, int]]:
    """Return the one-to-one pairs (predicted, truth) of greatest total IoU, each >= ``min_iou``.

    :param iou: (predictions, truths) pairwise box IoU.
    """
    rows, columns = linear_sum_assignment(-iou)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if iou[row, column] >= min_iou]


def coverage(errors: FloatArray) -> tuple[float, float]:
    """Return the shares of (N,) errors over their sigmas within one and within two; NaN = none."""
    if len(errors) == 0:
        return float('nan'), float('nan')
    size = np.abs(errors)
    return float((size <= 1.0).mean()), float((size <= 2.0).mean())


def calibration_error(
    confidence: FloatArray, right: BoolArray | FloatArray, bins: int = 15
) -> float:
    """Return the expected calibration error: the gap between said and found, over bins.

    :param confidence: (N,) probabilities, or shares that were foretold.
    :param right: (N,) whether it was so, or what the shares were.
    """
    if len(confidence) == 0:
        return float('nan')
    index = np.clip((confidence * bins).astype(np.intp), 0, bins - 1)
    said = np.bincount(index, confidence, bins)
    found = np.bincount(index, right, bins)
    return float(np.abs(said - found).sum() / len(confidence))
