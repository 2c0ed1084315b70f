# SPDX-License-Identifier: Apache-2.0
"""What each patch looks like as a whole: its plane, curvature, height over the support, colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes
from sam3d_ros.segmentation.partition.supports import Structure

CURVATURE_REACH = 4  # pixels between the points whose normals are compared
BELOW_M = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Statistics of patches 0..n, one row each (row 0, the background, is zero).

    :param area: (n + 1,) float64 pixels of the grid.
    :param pixel: (n + 1, 2) float64 mean column and row on the grid.
    :param center: (n + 1, 3) float64 mean point, metres.
    :param dual: (n + 1, 3) float64 dual vector of the plane fitted to all its points.
    :param normal: (n + 1, 3) float64 unit normal of that plane, towards the camera.
    :param roughness: (n + 1,) float64 root mean square distance from that plane over noise.
    :param spread: (n + 1,) float64 0 = all normals alike, towards 1 = all directions.
    :param bulge: (n + 1,) float64 mean convexity inside the patch, < 0 = hollow.
    :param low_m: (n + 1,) float64 least height over the support.
    :param high_m: (n + 1,) float64 largest height over the support.
    :param lab: (n + 1, 3) float64 mean colour.
    :param lab_spread: (n + 1,) float64 standard deviation of colour.
    """

    area: FloatArray
    pixel: FloatArray
    center: FloatArray
    dual: FloatArray
    normal: FloatArray
    roughness: FloatArray
    spread: FloatArray
    bulge: FloatArray
    low_m: FloatArray
    high_m: FloatArray
    lab: FloatArray
    lab_spread: FloatArray


class _Mean:
    """Means by label over a fixed set of labelled pixels."""

    def __init__(self, labels: IndexArray, count: int) -> None:
        self._labels, self._count = labels, count
        self.size = np.bincount(labels, minlength=count).astype(np.float64)
        self._inverse = 1 / np.maximum(self.size, 1)

    def __call__(self, values: np.ndarray) -> FloatArray:
        """Return the (count,) or (count, C) mean of (N,) or (N, C) values."""
        if values.ndim == 2:
            return np.stack([self(values[:, c]) for c in range(values.shape[1])], axis=1)
        return np.bincount(self._labels, values, self._count) * self._inverse


def describe(grid: Grid, local: LocalPlanes, structure: Structure, patches: IndexArray) -> Regions:
    """Return the statistics of every patch."""
    count = int(patches.max()) + 1
    rows, columns = np.nonzero(patches)
    of = patches[rows, columns]
    mean = _Mean(of, count)
    points, lab = grid.points[rows, columns], grid.lab[rows, columns]
    dual, residual = _planes(grid, rows, columns, mean)
    length = np.linalg.norm(dual, axis=1)
    normal = -dual / np.maximum(length, 1e-9)[:, None]
    color = mean(lab)
    variance = mean((lab * lab).sum(axis=1)) - (color**2).sum(axis=1)
    low, high = _heights(structure, points, of, count)
    return Regions(
        mean.size,
        mean(np.stack([columns, rows], axis=1)),
        mean(points),
        dual,
        normal,
        residual / local.sigma,
        1 - np.linalg.norm(mean(local.normal[rows, columns]), axis=1),
        _bulge(grid, local, patches, count),
        low,
        high,
        color,
        np.sqrt(np.maximum(variance, 0)),
    )


def _planes(
    grid: Grid, rows: np.ndarray, columns: np.ndarray, mean: _Mean
) -> tuple[FloatArray, FloatArray]:
    """Least squares plane of every patch, and its disparity residual."""
    x, y = grid.x[rows, columns].astype(np.float64), grid.y[rows, columns].astype(np.float64)
    d = grid.disparity[rows, columns].astype(np.float64)
    mx, my, md = mean(x), mean(y), mean(d)
    xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    xd, yd, dd = mean(x * d) - mx * md, mean(y * d) - my * md, mean(d * d) - md * md
    ridge = 0.05 * grid.pitch[0] * grid.pitch[1]  # a patch one pixel wide has no slope across
    determinant = (xx + ridge) * (yy + ridge) - xy * xy
    a = (xd * (yy + ridge) - yd * xy) / determinant
    b = (yd * (xx + ridge) - xd * xy) / determinant
    residual = np.sqrt(np.maximum(dd - a * xd - b * yd, 0))
    dual = np.stack([a, b, md - a * mx - b * my], axis=1)
    dual[0] = 0
    return dual, residual


def _heights(
    structure: Structure, points: Float32Array, of: IndexArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Least and largest height of each patch over the nearest support below it, or zeros."""
    if not structure.supports:
        return np.zeros(count), np.zeros(count)
    above = np.full(len(points), np.inf, np.float32)
    for support in structure.supports:
        height = support.height(points)
        np.minimum(above, height, out=above, where=height > -BELOW_M)
    above[~np.isfinite(above)] = 0
    low, high = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(low, of, above)
    np.maximum.at(high, of, above)
    return np.where(np.isfinite(low), low, 0), high


def _bulge(grid: Grid, local: LocalPlanes, patches: IndexArray, count: int) -> FloatArray:
    """Mean of (n1 - n2) . (p1 - p2) / |p1 - p2| over pixel pairs inside each patch."""
    r = CURVATURE_REACH
    total, number = np.zeros(count), np.zeros(count)
    for here, there in (
        (np.s_[::2, :-r], np.s_[::2, r:]),
        (np.s_[:-r, ::2], np.s_[r:, ::2]),
    ):
        inside: BoolArray = (patches[here] == patches[there]) & (patches[here] > 0)
        inside &= local.known[here] & local.known[there]
        between = grid.points[here][inside] - grid.points[there][inside]
        turn = local.normal[here][inside] - local.normal[there][inside]
        distance = np.linalg.norm(between, axis=1) + np.float32(1e-9)
        of = patches[here][inside]
        total += np.bincount(of, np.einsum('ij,ij->i', turn, between) / distance, count)
        number += np.bincount(of, minlength=count)
    bulge: FloatArray = total / np.maximum(number, 1)
    return bulge
