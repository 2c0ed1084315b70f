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
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.occupancy import grown

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
    along = ((points @ normals.T).T[:, None] - offsets[:, :, None]) / evidence.grid.voxel_m
    twice, normals = (2.0 * along).astype(np.float32), normals.astype(np.float32)
    x, y, z = evidence.grid.coordinates(points).astype(np.float32).T
    x, y = x - twice * normals[:, :1, None], y - twice * normals[:, 1:2, None]
    flat, inside = _voxels(evidence.grid.size, x, y, z)
    empty = _impossible(evidence).take(flat, mode='clip') | ~inside
    surface = evidence.surface.take(flat, mode='clip') * inside
    return empty.mean(axis=-1), surface.mean(axis=-1)


def _impossible(evidence: Evidence) -> BoolArray:
    return (evidence.free | evidence.outside).view(bool)


def emptiness(evidence: Evidence, images: FloatArray, *, border: bool = True) -> BoolArray:
    """Return (...) bool: which (..., 3) points lie where the object cannot be.

    That is everything outside the volume, and proven empty space.

    :param evidence: what was seen of the object.
    :param images: (..., 3) points, grid frame, metres.
    :param border: count all of it; else only what is clear, less its outermost voxels: on them
        pixels, voxels and noise decide, not the object.
    """
    grid = evidence.grid
    flat, inside = _voxels(grid.size, *np.moveaxis(grid.coordinates(images), -1, 0))
    empty = _impossible(evidence) if border else ~grown(~evidence.empty)
    found: BoolArray = empty.take(flat, mode='clip') | ~inside
    return found


def _voxels(
    size: int, *coordinates: FloatArray | Float32Array
) -> tuple[npt.NDArray[np.int32], BoolArray]:
    """Flat indices of the voxels nearest to coordinates x, y, z (voxels), and whether there are
    such; else an index means nothing.
    """
    x, y, z = (np.rint(each).astype(np.int32) for each in coordinates)
    # As unsigned numbers negative ones are beyond the last voxel.
    farthest = np.maximum(np.maximum(x.view(np.uint32), y.view(np.uint32)), z.view(np.uint32))
    return (x * size + y) * size + z, farthest < size
