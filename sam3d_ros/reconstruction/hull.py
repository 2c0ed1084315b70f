# SPDX-License-Identifier: Apache-2.0
"""Convex hulls as signed distance volumes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.grid import Grid

MOST_POINTS = 700
AT_ONCE = 8
"""Planes at once: so many distances stay in the cache."""


def hull_distance(points_m: FloatArray, grid: Grid, where: BoolArray) -> Float32Array:
    """Return (N, N, N) float32 signed distance to the convex hull of points in the grid frame.

    Exact inside, a lower bound outside; +1 voxel where not asked for, and everywhere when the
    points are flat.

    :param where: (N, N, N) bool, the voxels to compute.
    """
    distance = np.full(where.shape, grid.voxel_m, np.float32)
    if len(points_m) > MOST_POINTS:
        points_m = points_m[np.linspace(0, len(points_m) - 1, MOST_POINTS).astype(np.intp)]
    try:
        planes = np.unique(np.round(ConvexHull(points_m).equations, 5), axis=0)
    except (QhullError, ValueError):
        return distance
    a = grid.axis_m.astype(np.float32)
    low, high = points_m.min(axis=0) - grid.voxel_m, points_m.max(axis=0) + grid.voxel_m
    box = [(a >= low[k]) & (a <= high[k]) for k in range(3)]
    where = where & (box[0][:, None, None] & box[1][:, None] & box[2])
    centres = np.stack([a[index] for index in np.nonzero(where)])
    best = np.full(centres.shape[1], -np.inf, np.float32)
    for start in range(0, len(planes), AT_ONCE):
        part = planes[start : start + AT_ONCE].astype(np.float32)
        np.maximum(best, (part[:, :3] @ centres + part[:, 3:]).max(axis=0), out=best)
    distance[where] = best
    return distance
