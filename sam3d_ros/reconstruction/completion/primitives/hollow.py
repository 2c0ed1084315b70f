# SPDX-License-Identifier: Apache-2.0
"""Hollow ware: cups, bowls and boxes whose inside was seen are walls, not solids."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.reconstruction.completion.primitives.hull import Hull
from sam3d_ros.reconstruction.evidence.evidence import Evidence

POCKET_SHARE = 0.12
"""An object is hollow when this share of its hull is free and walled in on all four sides."""

WALL_M = 0.003
WALL_VOXELS = 0.8


def is_hollow(around: Hull, evidence: Evidence) -> bool:
    """Whether the sensor looked into the object; judged on every other voxel.

    :param around: hull of the points on the surface, grid frame.
    :param evidence: what was seen of the object.
    """
    chosen = np.zeros(evidence.below.shape, bool)
    chosen[::2, ::2, ::2] = evidence.below[::2, ::2, ::2] == 0
    hull = around.distance(evidence.grid, chosen)[::2, ::2, ::2] < 0
    empty = hull & evidence.free[::2, ::2, ::2].astype(bool)
    wall = hull & ~empty
    pocket = empty
    for axis in (0, 1):
        for backwards in (False, True):
            lines = np.flip(wall, axis) if backwards else wall
            behind = np.maximum.accumulate(lines, axis=axis)
            pocket = pocket & (np.flip(behind, axis) if backwards else behind)
    return bool(pocket.sum() > POCKET_SHARE * max(int(hull.sum()), 1))


def wall_distance(points_m: FloatArray, evidence: Evidence) -> Float32Array:
    """Return (N, N, N) float32 signed distance to walls behind surface points, metres.

    :param points_m: (P, 3) points on the inner and outer surface, grid frame.
    :param evidence: what was seen of the object.
    """
    grid = evidence.grid
    index = np.rint(grid.coordinates(points_m)).astype(np.intp)
    index = index[((index >= 0) & (index < grid.size)).all(axis=1)]
    away = np.ones((grid.size,) * 3, bool)
    away[index[:, 0], index[:, 1], index[:, 2]] = False
    distance = ndimage.distance_transform_edt(away) * grid.voxel_m
    wall_m = max(WALL_M, WALL_VOXELS * grid.voxel_m)
    return np.asarray(distance - wall_m, np.float32)
