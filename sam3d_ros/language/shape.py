# SPDX-License-Identifier: Apache-2.0
"""What can be said of a surface: how large it is, how it stands, what it is shaped like."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.transforms import upright_axes

LEAST_M = 1e-3
MOST_POINTS = 1500
DEFAULT_FILL = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Sizes and proportions of a surface.

    :param extents_m: (3,) sides of its box, the longest first, metres.
    :param height_m: extent upwards.
    :param across_m: (2,) sides of the smallest upright box around it, the longer first, metres.
    :param volume_m3: of its convex hull.
    :param fill: share of its box that the hull fills: 1 a box, .79 a cylinder, .52 a ball.
    :param outlines: (3,) share of the box's side that the outline fills, seen along each of its
        axes, that along the longest first: 1 a rectangle, .79 a circle.
    :param solidity: share of its hull that the surface encloses: low for cups and bowls.
    """

    extents_m: FloatArray
    height_m: float
    across_m: FloatArray
    volume_m3: float
    fill: float
    outlines: FloatArray
    solidity: float

    @property
    def size_m(self) -> float:
        """Side of a cube as large as its hull, metres."""
        return float(max(self.volume_m3, LEAST_M**3) ** (1 / 3))


def measure(vertices_m: FloatArray, faces: IndexArray, up: FloatArray | None = None) -> Measures:
    """Return the measures of a surface.

    :param vertices_m: (V, 3) float64, metres.
    :param faces: (F, 3) int32; without any, its points count.
    :param up: (3,) direction against gravity in the frame of the vertices; None = z.
    """
    up = np.array([0.0, 0.0, 1.0]) if up is None else up
    few = vertices_m[:: -(-len(vertices_m) // MOST_POINTS)].astype(np.float64)
    try:
        hull = ConvexHull(few)
    except (QhullError, ValueError):
        return _flat(few, up)
    corners = few[hull.vertices]
    corners = corners - corners.mean(axis=0)
    across, upright = _upright(corners, up)
    spread = np.linalg.svd(corners, full_matrices=False)[2]
    axes = min((upright, spread), key=lambda axes: np.ptp(corners @ axes.T, axis=0).prod())
    placed = corners @ axes.T
    low, high = placed.min(axis=0), placed.max(axis=0)
    extents = np.maximum(high - low, LEAST_M)
    order = np.argsort(-extents)
    outlines = [_outline(np.delete(placed, k, axis=1), np.delete(extents, k)) for k in order]
    volume = float(hull.volume)
    enclosed = _enclosed(vertices_m, faces) if len(faces) else volume
    return Measures(
        extents[order],
        float(np.ptp(corners @ up)),
        across,
        volume,
        float(np.clip(volume / extents.prod(), 0, 1)),
        np.array(outlines),
        float(np.clip(enclosed / max(volume, 1e-9), 0, 1)),
    )


def features(shape: Measures) -> Float32Array:
    """Return (13,) float32 numbers about zero that tell kinds of things apart by their shape."""
    a, b, c = np.log(shape.extents_m)
    values = [
        a + 2, b + 2.5, c + 3, a - b - 0.5, b - c - 0.5,
        np.log(shape.size_m) + 2.7,
        np.log(max(shape.height_m, LEAST_M)) + 3,
        np.log(max(shape.height_m, LEAST_M)) - np.log(max(shape.across_m[0], LEAST_M)) + 0.5,
        5 * (shape.fill - DEFAULT_FILL), *(5 * (shape.outlines - 0.8)),
        3 * (shape.solidity - DEFAULT_FILL),
    ]  # fmt: skip
    return np.array(values, np.float32)


def _flat(points: FloatArray, up: FloatArray) -> Measures:
    """Return the measures of points that enclose no volume."""
    extents = np.maximum(np.sort(np.ptp(points, axis=0))[::-1], LEAST_M)
    height = float(np.ptp(points @ up))
    return Measures(extents, height, extents[:2], float(extents.prod()), 1.0, np.ones(3), 1.0)


def _upright(points: FloatArray, up: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the level sides of the smallest upright box around points, and its (3, 3) axes."""
    x, y, _ = upright_axes(up)
    flat = np.stack([points @ x, points @ y], axis=1).astype(np.float32)
    _, sides, degrees = cv2.minAreaRect(flat)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    axes = np.stack([c * x + s * y, c * y - s * x, up])
    return np.sort(np.asarray(sides, np.float64))[::-1], axes


def _outline(points: FloatArray, sides: FloatArray) -> float:
    hull = cv2.convexHull(points.astype(np.float32))
    return float(np.clip(cv2.contourArea(hull) / max(sides.prod(), 1e-9), 0, 1))


def _enclosed(vertices_m: FloatArray, faces: IndexArray) -> float:
    a, b, c = (vertices_m[faces[:, k]] - vertices_m.mean(axis=0) for k in range(3))
    return abs(float(np.einsum('ij,ij->', a, np.cross(b, c)))) / 6
