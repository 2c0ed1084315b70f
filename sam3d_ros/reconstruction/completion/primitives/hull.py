# SPDX-License-Identifier: Apache-2.0
"""Convex hulls as signed distance volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.evidence.grid import Grid

MOST_POINTS = 700
AT_ONCE = 8
"""Planes at once: so many distances stay in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Hull:
    """The convex hull of points.

    :param planes: (F, 4) float32 outward (nx, ny, nz, d) of its facets, none when it is flat.
    :param low: (3,) least coordinates of its corners, ``high`` likewise.
    """

    planes: Float32Array
    low: FloatArray
    high: FloatArray

    def distance(self, grid: Grid, where: BoolArray) -> Float32Array:
        """Return (N, N, N) float32 signed distance to the hull in the grid's frame.

        Exact inside, a lower bound outside; +1 voxel where not asked for, and everywhere when the
        hull is flat.

        :param where: (N, N, N) bool, the voxels to compute.
        """
        distance = np.full(where.shape, grid.voxel_m, np.float32)
        if len(self.planes) == 0:
            return distance
        a = grid.axis_m.astype(np.float32)
        box = [
            (a >= self.low[k] - grid.voxel_m) & (a <= self.high[k] + grid.voxel_m)
            for k in range(3)
        ]
        where = where & (box[0][:, None, None] & box[1][:, None] & box[2])
        centres = np.stack([a[index] for index in np.nonzero(where)])
        best = np.full(centres.shape[1], -np.inf, np.float32)
        for start in range(0, len(self.planes), AT_ONCE):
            part = self.planes[start : start + AT_ONCE]
            np.maximum(best, (part[:, :3] @ centres + part[:, 3:]).max(axis=0), out=best)
        distance[where] = best
        return distance


def convex_hull(points_m: FloatArray) -> Hull:
    """Return the convex hull of (P, 3) points, of at most ``MOST_POINTS`` of them."""
    if len(points_m) > MOST_POINTS:
        points_m = points_m[np.linspace(0, len(points_m) - 1, MOST_POINTS).astype(np.intp)]
    try:
        planes = np.unique(np.round(ConvexHull(points_m).equations, 5), axis=0)
    except (QhullError, ValueError):
        return Hull(np.zeros((0, 4), np.float32), np.zeros(3), np.zeros(3))
    return Hull(planes.astype(np.float32), points_m.min(axis=0), points_m.max(axis=0))
