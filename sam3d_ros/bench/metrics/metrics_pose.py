# SPDX-License-Identifier: Apache-2.0
"""Pose metrics of the BOP challenge (Hodan et al., ECCV 2020), and ADD and ADD-S.

Poses are (4, 4), model to optical frame, metres. Recalls are means over the challenge's
thresholds: 5 to 50 % of the diameter, and 5 to 50 px at 640 columns.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.evidence.raster import render_depth

SHARES = np.arange(0.05, 0.51, 0.05)
BOP_COLUMNS, BOP_PIXELS = 640, np.arange(5.0, 51.0, 5.0)
VISIBLE_M = 0.015
"""A model's surface so far behind what was measured is hidden."""


def add(T_found: FloatArray, T_true: FloatArray, points: FloatArray) -> float:
    """Return ADD, metres: the mean distance of model points from where they are.

    :param T_found: (4, 4).
    :param T_true: (4, 4).
    :param points: (N, 3) of the model.
    """
    return float(np.linalg.norm(apply(T_found, points) - apply(T_true, points), axis=1).mean())


def add_s(T_found: FloatArray, T_true: FloatArray, points: FloatArray) -> float:
    """Return ADD-S, metres: the mean distance to the nearest model point.

    :param T_found: (4, 4).
    :param T_true: (4, 4).
    :param points: (N, 3) of the model.
    """
    tree = cKDTree(apply(T_found, points))
    return float(tree.query(apply(T_true, points))[0].mean())


def mssd(T_found: FloatArray, T_true: FloatArray, same: FloatArray, vertices: FloatArray) -> float:
    """Return the maximum symmetry-aware surface distance, metres.

    :param T_found: (4, 4).
    :param T_true: (4, 4).
    :param same: (K, 4, 4) motions that leave the model as it is.
    :param vertices: (V, 3) of the model.
    """
    found = apply(T_found, vertices)
    true = np.stack([apply(T_true @ S, vertices) for S in same])
    return float(np.linalg.norm(true - found, axis=2).max(axis=1).min())


def mspd(
    T_found: FloatArray,
    T_true: FloatArray,
    same: FloatArray,
    vertices: FloatArray,
    camera: Camera,
) -> float:
    """Return the maximum symmetry-aware projection distance, px at 640 columns.

    :param T_found: (4, 4).
    :param T_true: (4, 4).
    :param same: (K, 4, 4) motions that leave the model as it is.
    :param vertices: (V, 3) of the model.
    :param camera: that sees it.
    """

    def projected(T: FloatArray) -> FloatArray:
        pixels = apply(T, vertices) @ camera.K.T
        return np.asarray(pixels[:, :2] / np.maximum(pixels[:, 2:], 1e-6), np.float64)

    found = projected(T_found)
    true = np.stack([projected(T_true @ S) for S in same])
    off = float(np.linalg.norm(true - found, axis=2).max(axis=1).min())
    return off * BOP_COLUMNS / camera.width


def vsd_recall(
    T_found: FloatArray,
    T_true: FloatArray,
    mesh: tuple[FloatArray, IndexArray],
    measured_m: Float32Array,
    camera: Camera,
    diameter_m: float,
) -> float:
    """Return the recall by visible surface discrepancy over both grids of thresholds.

    :param T_found: (4, 4).
    :param T_true: (4, 4).
    :param mesh: (V, 3) vertices and (F, 3) faces of the model.
    :param measured_m: (H, W) z-depth of the scene; what has no return hides nothing.
    :param camera: that measured it.
    :param diameter_m: of the model.
    """
    vertices, faces = mesh
    there, truth = (
        render_depth(apply(T, vertices).astype(np.float32), faces, camera)
        for T in (T_found, T_true)
    )
    open_m = np.where(np.isfinite(measured_m), measured_m, np.float32(np.inf))
    sees_truth = np.isfinite(truth) & (truth <= open_m + VISIBLE_M)
    sees_there = np.isfinite(there) & ((there <= open_m + VISIBLE_M) | sees_truth)
    union = sees_truth | sees_there
    if not union.any():
        return 0.0
    both = sees_truth & sees_there
    off = np.abs(truth[both] - there[both])
    alone = int(union.sum() - both.sum())
    costs = [
        (alone + np.count_nonzero(off >= share * diameter_m)) / int(union.sum())
        for share in SHARES
    ]
    return float(np.mean([cost < SHARES for cost in costs]))


def surface_recall(distance_m: float, diameter_m: float) -> float:
    """Return the recall of an MSSD over the thresholds.

    :param distance_m: the MSSD.
    :param diameter_m: of the model.
    """
    return float(np.mean(distance_m < SHARES * diameter_m))


def projection_recall(distance_px: float) -> float:
    """Return the recall of an MSPD, px at 640 columns, over the thresholds."""
    return float(np.mean(distance_px < BOP_PIXELS))
