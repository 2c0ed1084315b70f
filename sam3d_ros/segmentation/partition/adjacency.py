# SPDX-License-Identifier: Apache-2.0
"""The region adjacency graph: what the common border of two patches looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes
from sam3d_ros.segmentation.partition.patches import Links

REACH = 2  # pixels away from the border where points and normals are compared

Pixels = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True, slots=True, eq=False)
class Adjacency:
    """Neighbouring patches, one row per pair; patch labels are 1..``count``.

    :param first: (E,) int32 patch label, less than ``second``.
    :param second: (E,) int32 patch label.
    :param border: (E,) float64 length of the common border, pixels of the grid.
    :param contact: (E,) float64 part of it without a step in depth, pixels.
    :param convexity: (E,) float64 mean over the contact of (n1 - n2) . (p1 - p2) / |p1 - p2|,
        in -2..2: above 0 the surface bulges outwards there (Stein et al., "Object Partitioning
        using Local Convexity", CVPR 2014, equation 2).
    :param contrast: (E,) float64 mean L*a*b* distance across the border.
    :param step_m: (E,) float64 mean depth of ``second`` minus that of ``first`` at the border.
    """

    count: int
    first: IndexArray
    second: IndexArray
    border: FloatArray
    contact: FloatArray
    convexity: FloatArray
    contrast: FloatArray
    step_m: FloatArray


def find_adjacency(grid: Grid, local: LocalPlanes, patches: IndexArray, links: Links) -> Adjacency:
    """Return the pairs of patches with a common border, sorted by (first, second)."""
    count = int(patches.max())
    sides = [_sides(grid, local, patches, axis, links.near[1 - axis]) for axis in (1, 0)]
    pair, *columns = (np.concatenate(column) for column in zip(*sides, strict=True))
    key, inverse = np.unique(pair, return_inverse=True)
    border = np.bincount(inverse, minlength=len(key)).astype(np.float64)
    contact, bulge, contrast, step = (
        np.bincount(inverse, column, len(key)).astype(np.float64) for column in columns
    )
    return Adjacency(
        count,
        (key // (count + 1)).astype(np.int32),
        (key % (count + 1)).astype(np.int32),
        border,
        contact,
        bulge / np.maximum(contact, 1),
        contrast / np.maximum(border, 1),
        step / np.maximum(border, 1),
    )


def _sides(
    grid: Grid, local: LocalPlanes, patches: IndexArray, axis: int, near: BoolArray
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray, FloatArray]:
    """Every border pixel along one axis: pair key, contact (0 or 1), bulge there, contrast, step.

    :param axis: 1 = neighbours to the right, 0 = neighbours below.
    """
    count = int(patches.max())
    here = patches[:, :-1] if axis else patches[:-1]
    there = patches[:, 1:] if axis else patches[1:]
    rows, columns = np.nonzero((here != there) & (here > 0) & (there > 0))
    touching = near[rows, columns].astype(np.float64)
    one, two = here[rows, columns].astype(np.int64), there[rows, columns].astype(np.int64)
    p = _step_back((rows, columns), patches, axis, -REACH)
    q = _step_back((rows + (axis == 0), columns + (axis == 1)), patches, axis, REACH)
    between = grid.points[p] - grid.points[q]
    distance = np.linalg.norm(between, axis=1) + np.float32(1e-9)
    bulge = np.einsum('ij,ij->i', local.normal[p] - local.normal[q], between) / distance
    known = local.known[p] & local.known[q]
    contrast = np.linalg.norm(grid.lab[p] - grid.lab[q], axis=1)
    pair = np.minimum(one, two) * (count + 1) + np.maximum(one, two)
    step = np.where(one < two, -between[:, 2], between[:, 2])
    return pair, touching, bulge * touching * known, contrast, step


def _step_back(at: Pixels, patches: IndexArray, axis: int, by: int) -> Pixels:
    """The pixel ``by`` further inside the same patch, or ``at`` itself where that is outside."""
    rows, columns = at
    far = (
        np.clip(rows + (by if axis == 0 else 0), 0, patches.shape[0] - 1),
        np.clip(columns + (by if axis == 1 else 0), 0, patches.shape[1] - 1),
    )
    same = patches[far] == patches[at]
    return np.where(same, far[0], rows), np.where(same, far[1], columns)
