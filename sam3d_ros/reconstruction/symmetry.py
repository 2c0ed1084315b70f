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
    empty, surface = _shares(evidence, _images(points, normals, offsets))
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


def _images(points: FloatArray, normals: FloatArray, offsets: FloatArray) -> Float32Array:
    """(yaws, offsets, P, 3) mirror images."""
    away = (points @ normals.T).T[:, None, :] - offsets[:, :, None]
    images = points[None, None] - 2.0 * away[..., None] * normals[:, None, None, :]
    return images.astype(np.float32)


def _shares(evidence: Evidence, images: Float32Array) -> tuple[FloatArray, FloatArray]:
    """Shares of images in proven empty space and on the surface."""
    flat, inside = _voxels(evidence, images)
    surface = evidence.surface.ravel()[flat] * inside
    return emptiness(evidence, images).mean(axis=-1), surface.mean(axis=-1)


def emptiness(
    evidence: Evidence, images: FloatArray | Float32Array, *, border: bool = True
) -> BoolArray:
    """Return (...) bool: which (..., 3) points lie where the object cannot be.

    That is everything outside the volume, and proven empty space.

    :param border: count all of it; else only what is clear, less its outermost voxels: on them
        pixels, voxels and noise decide, not the object.
    """
    flat, inside = _voxels(evidence, images)
    empty = (evidence.free | evidence.outside).astype(bool) if border else evidence.empty
    for axis in () if border else range(3):
        lines = np.moveaxis(empty, axis, 0)
        around = lines.copy()
        around[1:] &= lines[:-1]
        around[:-1] &= lines[1:]
        empty = np.moveaxis(around, 0, axis)
    found: BoolArray = empty.reshape(-1)[flat] | ~inside
    return found


def _voxels(
    evidence: Evidence, points: FloatArray | Float32Array
) -> tuple[npt.NDArray[np.integer], BoolArray]:
    """Flat indices of the voxels of points, and which points are inside the volume."""
    size = evidence.grid.size
    index = np.rint(points / evidence.grid.voxel_m + (size / 2 - 0.5)).astype(np.int32)
    x, y, z = index[..., 0], index[..., 1], index[..., 2]
    inside = (np.minimum(np.minimum(x, y), z) >= 0) & (np.maximum(np.maximum(x, y), z) < size)
    index = np.clip(index, 0, size - 1)
    return (index[..., 0] * size + index[..., 1]) * size + index[..., 2], inside
