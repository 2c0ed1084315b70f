# SPDX-License-Identifier: Apache-2.0
"""The upright mirror plane that gives an object its far side.

Reflected observed points must not land in space that a ray proved empty, and had better land on
observed surface (Thrun and Wegbreit, "Shape from symmetry", ICCV 2005, score by likelihood alike).
Of the planes that pass, one farther from the camera explains more of what is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.evidence import Evidence
from sam3d_ros.reconstruction.grid import Grid
from sam3d_ros.reconstruction.occupancy import grown

T = TypeVar('T', FloatArray, Float32Array)

YAWS_RAD = np.deg2rad(np.arange(-60.0, 61.0, 10.0))
"""Directions of the plane's normal, from the axis that leads away from the camera."""

SHARES = np.linspace(0.35, 1.2, 18)
"""Places of the plane between the nearest (0) and the farthest (1) observed point."""

SAMPLES = 256
CONTRADICTION_WEIGHT, CONTRADICTION_FREE = 20.0, 0.02
FAR_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class MirrorPlane:
    """An upright plane in the grid frame: ``normal @ p = offset_m``.

    :param normal: (3,) float64 unit, horizontal.
    :param contradicted: share of the observed points whose mirror image is proven empty.
    :param confirmed: share whose mirror image is on observed surface.
    """

    normal: FloatArray
    offset_m: float
    contradicted: float
    confirmed: float

    def reflect(self, points: FloatArray) -> FloatArray:
        """Return (P, 3) points mirrored."""
        points = np.asarray(points, np.float64)
        away = points @ self.normal - self.offset_m
        return points - 2.0 * away[:, None] * self.normal


def find_mirror(evidence: Evidence) -> MirrorPlane | None:
    """Return the best upright mirror plane, or None when there are too few points."""
    points = thinned(evidence.points.points_m.astype(np.float64), SAMPLES)
    if len(points) < 16:
        return None
    normals = np.stack([np.cos(YAWS_RAD), np.sin(YAWS_RAD), np.zeros(len(YAWS_RAD))], axis=1)
    along = points @ normals.T
    low, high = along.min(axis=0), along.max(axis=0)
    offsets = low[:, None] + (high - low)[:, None] * SHARES
    empty, surface = _shares(evidence, points, normals, offsets)
    score = surface + FAR_WEIGHT * SHARES
    score = score - CONTRADICTION_WEIGHT * np.maximum(empty - CONTRADICTION_FREE, 0.0)
    yaw, step = np.unravel_index(int(np.argmax(score)), score.shape)
    return MirrorPlane(
        normal=normals[yaw],
        offset_m=float(offsets[yaw, step]),
        contradicted=float(empty[yaw, step]),
        confirmed=float(surface[yaw, step]),
    )


def thinned(points: T, most: int) -> T:
    """Return at most ``most`` of the points, evenly taken."""
    if len(points) <= most:
        return points
    return points[np.linspace(0, len(points) - 1, most).astype(np.intp)]


def _shares(
    evidence: Evidence, points: FloatArray, normals: FloatArray, offsets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(yaws, places) shares of the points' images in proven empty space and on the surface."""
    away = 2.0 * ((points @ normals.T).T[:, None] - offsets[:, :, None])
    x, y = (points[:, k] - away * normals[:, k, None, None] for k in (0, 1))
    z = points[:, 2].astype(np.float32)
    flat, inside = _voxels(evidence.grid, x.astype(np.float32), y.astype(np.float32), z)
    empty = _impossible(evidence).ravel().take(flat) | ~inside
    surface = evidence.surface.ravel().take(flat) * inside
    return empty.mean(axis=-1), surface.mean(axis=-1)


def _impossible(evidence: Evidence) -> BoolArray:
    return (evidence.free | evidence.outside).view(bool)


def emptiness(
    evidence: Evidence, images: FloatArray | Float32Array, *, border: bool = True
) -> BoolArray:
    """Return (...) bool: which (..., 3) points lie where the object cannot be.

    That is everything outside the volume, and proven empty space.

    :param border: count all of it; else only what is clear, less its outermost voxels: on them
        pixels, voxels and noise decide, not the object.
    """
    flat, inside = _voxels(evidence.grid, *np.moveaxis(images, -1, 0))
    empty = _impossible(evidence) if border else ~grown(~evidence.empty)
    found: BoolArray = empty.ravel().take(flat) | ~inside
    return found


def _voxels(
    grid: Grid, *coordinates: FloatArray | Float32Array
) -> tuple[npt.NDArray[np.integer], BoolArray]:
    """Flat indices of the voxels of points (x, y, z), and which points are inside the volume."""
    size = grid.size
    at = [np.rint(c / grid.voxel_m + (size / 2 - 0.5)).astype(np.int32) for c in coordinates]
    x, y, z = (np.clip(index, 0, size - 1) for index in at)
    inside = (x == at[0]) & (y == at[1]) & (z == at[2])
    return (x * size + y) * size + z, inside
