# SPDX-License-Identifier: Apache-2.0
"""How far two views of the same surfaces are apart.

Robust point-to-plane registration (Chen and Medioni, 1992), in which every direction that
surfaces face has a say (as in Rusinkiewicz and Levoy, 2001), however much of the floor is seen.
What the surfaces leave open, as a floor does when things slide over it, is left as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform

REACH_M = 0.1
"""Surfaces that are farther apart are not taken for the same."""
_FINEST_M = 0.015
_NARROWING = 0.8
_ITERATIONS = 30
_LEAST_COSINE = 0.85
_LEAST_SHARE = 0.05
_LEAST_PAIRS = 100
_LEAST_INFORMATION = 0.008
"""Share of what a direction has when all normals are along it; rough normals alone give less."""
_LEAST_FACING = 0.002
"""A direction that fewer of the pairs face has no say: these are normals of edges."""


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """What brings a view onto another one.

    :param T: (4, 4) float64, applied to the view where it was thought to be.
    :param middle: (3,) of what both see, metres, after ``T``; every direction that surfaces face
        counts alike.
    :param told: how many of the six directions of a motion the surfaces tell.
    :param share: of the view's points that the other one has too.
    :param spread_m: robust standard deviation of what stays between the surfaces.
    """

    T: FloatArray
    middle: FloatArray
    told: int
    share: float
    spread_m: float

    @property
    def shift_m(self) -> float:
        """How far the middle of what both see is moved."""
        return float(np.linalg.norm(self.middle - apply(inverse(self.T), self.middle[None])[0]))

    @property
    def turn_rad(self) -> float:
        """By how much the view is turned."""
        return rotation_angle(self.T)


def measure_offset(
    points: FloatArray, normals: FloatArray, others: FloatArray, other_normals: FloatArray
) -> Offset | None:
    """Return what brings other points onto a surface; None when they have too little in common.

    :param points: (N, 3) of the surface, metres.
    :param normals: (N, 3) unit normals there.
    :param others: (M, 3) of another view, where it is thought to be, same frame.
    :param other_normals: (M, 3) unit normals there.
    """
    tree = KDTree(points)
    T = np.eye(4)
    gate_m = REACH_M
    told, share = 0, 0.0
    for _ in range(_ITERATIONS):
        moved = apply(T, others)
        distance, nearest = tree.query(moved, distance_upper_bound=gate_m)
        near = np.flatnonzero(np.isfinite(distance))
        partner = nearest[near]
        turned = other_normals[near] @ T[:3, :3].T
        alike = np.einsum('nc,nc->n', normals[partner], turned) > _LEAST_COSINE
        near, partner = near[alike], partner[alike]
        share = len(near) / max(len(others), 1)
        if share < _LEAST_SHARE or len(near) < _LEAST_PAIRS:
            return None
        heights = np.einsum('nc,nc->n', moved[near] - points[partner], normals[partner])
        weights = np.square(np.maximum(1.0 - np.square(heights / gate_m), 0.0))
        weights *= _balance(normals[partner])
        weights /= weights.sum()
        middle = weights @ moved[near]
        step, told = _step(moved[near] - middle, heights, normals[partner], weights)
        turn = Rotation.from_rotvec(step[3:]).as_matrix()
        T = transform(turn, middle + step[:3] - turn @ middle) @ T
        spread_m = 1.4826 * float(np.median(np.abs(heights)))
        gate_m = max(_NARROWING * gate_m, _FINEST_M, 4.0 * spread_m)
    return Offset(T, middle + step[:3], told, share, spread_m)


def _step(
    arms: FloatArray, heights: FloatArray, normals: FloatArray, weights: FloatArray
) -> tuple[FloatArray, int]:
    """Return the (6,) motion about the middle that lessens heights, and how much of it is told.

    :param arms: (N, 3) from the middle to the points.
    :param heights: (N,) of the points over the surface.
    :param normals: (N, 3) of the surface.
    :param weights: (N,) of the points, 1 in sum.
    """
    length_m = float(np.sqrt(weights @ np.square(arms).sum(axis=1)))
    rows = np.hstack([normals, np.cross(arms / length_m, normals)])
    values, axes = np.linalg.eigh((rows * weights[:, None]).T @ rows)
    known = values > _LEAST_INFORMATION
    pull = axes[:, known].T @ (rows.T @ (weights * heights))
    step = -axes[:, known] @ (pull / values[known])
    step[3:] /= length_m
    return step, int(known.sum())


def _balance(normals: FloatArray) -> FloatArray:
    """Return (N,) weights by which the 26 directions that normals are rounded to count alike."""
    directions = np.rint(normals) @ [9.0, 3.0, 1.0]
    _, at, counts = np.unique(directions, return_inverse=True, return_counts=True)
    return np.asarray(((counts > _LEAST_FACING * len(normals)) / counts)[at])
