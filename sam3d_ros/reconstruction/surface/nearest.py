# SPDX-License-Identifier: Apache-2.0
"""Where on a mesh given points have their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import cross

FACING = 0.2
"""Cosine between normals from which a point and a face may belong together."""


@dataclass(frozen=True, slots=True, eq=False)
class Feet:
    """One point of a mesh for each of P points.

    :param faces: (P,) index of the face it lies on.
    :param weights: (P, 3) float32 barycentric coordinates in it, none negative.
    :param heights_m: (P,) float32 signed distance of the point from the face's plane, > 0 outside.
    :param distances_m: (P,) float32 distance between point and foot.
    """

    faces: npt.NDArray[np.integer]
    weights: Float32Array
    heights_m: Float32Array
    distances_m: Float32Array


def nearest_feet(
    points: Float32Array, vertices: Float32Array, faces: IndexArray, candidates: int = 3
) -> Feet:
    """Return the nearest feet among the faces whose centres are nearest to each point.

    Feet of points beside a face lie on its rim, if not always at its nearest point: distances
    are never too small.

    :param vertices: (V, 3), metres, in the frame of the points.
    :param candidates: faces looked at for each point.
    """
    corners = vertices.take(faces, axis=0)
    planes = unit_normals(corners)
    _, index = _nearest_centres(points, corners, candidates)
    found = _feet(np.repeat(points, index.shape[1], axis=0), index.ravel(), corners, planes)
    first = np.arange(0, index.size, index.shape[1])
    best = first + np.argmin(found.distances_m.reshape(index.shape), axis=1)
    return Feet(
        faces=found.faces[best],
        weights=found.weights[best],
        heights_m=found.heights_m[best],
        distances_m=found.distances_m[best],
    )


def facing_feet(
    points: Float32Array,
    normals: Float32Array,
    vertices: Float32Array,
    faces: IndexArray,
    penalty_m: float,
) -> Feet:
    """Return the feet on the nearer of two faces, where one that looks another way counts less.

    :param normals: (P, 3) outward normals of the points, zero where unknown.
    :param vertices: (V, 3), metres, in the frame of the points.
    :param penalty_m: by so much farther counts a face that does not look the point's way.
    """
    corners = vertices.take(faces, axis=0)
    planes = unit_normals(corners)
    near, index = _nearest_centres(points, corners, 2)
    facing = np.einsum('pc,pkc->pk', normals, planes.take(index, axis=0))
    best = np.argmin(near + penalty_m * (facing < FACING), axis=1)
    return _feet(points, index[np.arange(len(points)), best], corners, planes)


def _nearest_centres(
    points: Float32Array, corners: Float32Array, candidates: int
) -> tuple[FloatArray, npt.NDArray[np.integer]]:
    """(P, K) distances and indices of the faces whose centres are nearest."""
    centres = (corners[:, 0] + corners[:, 1] + corners[:, 2]) / 3
    tree = cKDTree(centres, balanced_tree=False, compact_nodes=False)
    near, index = tree.query(points, k=np.arange(1, min(candidates, len(corners)) + 1))
    return near, index


def unit_normals(corners: Float32Array) -> Float32Array:
    """Return (F, 3) unit normals of (F, 3, 3) triangles; zero where degenerate."""
    normals = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.sqrt(np.einsum('fc,fc->f', normals, normals))
    return np.asarray(normals / np.maximum(length, 1e-20)[:, None], np.float32)


def _feet(
    points: Float32Array,
    index: npt.NDArray[np.integer],
    corners: Float32Array,
    planes: Float32Array,
) -> Feet:
    """Feet on one face for each point."""
    triangle, normal = corners.take(index, axis=0), planes.take(index, axis=0)
    heights = np.einsum('pc,pc->p', points - triangle[:, 0], normal)
    spokes = triangle - (points - heights[:, None] * normal)[:, None]
    areas = [
        np.einsum('pc,pc->p', cross(spokes[:, (k + 1) % 3], spokes[:, (k + 2) % 3]), normal)
        for k in range(3)
    ]
    weights = np.maximum(np.stack(areas, axis=1), 0.0)
    total = (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
    weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), np.float32(1 / 3))
    away = points - np.einsum('pk,pkc->pc', weights, triangle)
    distances = np.sqrt(np.einsum('pc,pc->p', away, away))
    return Feet(index, weights, heights, distances)
