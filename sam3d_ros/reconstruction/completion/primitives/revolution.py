# SPDX-License-Identifier: Apache-2.0
"""Solids of revolution about an upright axis: cans, bottles, balls, cups, bowls, plates.

The normals of such a surface meet the axis (Pottmann and Wallner, "Computational Line Geometry",
2001, chapter 4, for an axis of known direction): a linear least squares problem for its place.
The axis counts when the points, turned about it, never enter proven empty space.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.reconstruction.completion.primitives.symmetry import emptiness, thinned
from sam3d_ros.reconstruction.evidence.evidence import Evidence

SAMPLES = 400
TURNS_RAD = np.arange(1, 24) * (2.0 * np.pi / 24)
CONTRADICTED = 0.03
LEAST_LEVEL_NORMALS = 0.15
"""Share of the points whose normals must be level enough to say where the axis is."""
LEVEL = 0.5
RADIUS_QUANTILE = 0.9
ROBUST_STEPS = 4
WALL_M = 0.003
"""Thickness of the wall of a vessel."""
FINER, CLOSED_CELLS = 2, 7
"""Cells of the half-plane along a voxel, and up to which gap they are closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """An upright axis of revolution through (x, y), metres, grid frame."""

    x: float
    y: float

    def radii(self, points: FloatArray) -> FloatArray:
        """Return (P,) distances of (P, 3) points from the axis."""
        return np.hypot(points[..., 0] - self.x, points[..., 1] - self.y)

    def turned(self, points: FloatArray) -> FloatArray:
        """Return (T, P, 3) points turned about the axis by all of ``TURNS_RAD``."""
        x, y = points[:, 0] - self.x, points[:, 1] - self.y
        c, s = np.cos(TURNS_RAD)[:, None], np.sin(TURNS_RAD)[:, None]
        z = np.broadcast_to(points[:, 2], (len(TURNS_RAD), len(points)))
        return np.stack([c * x - s * y + self.x, s * x + c * y + self.y, z], axis=-1)


def find_axis(evidence: Evidence) -> Axis | None:
    """Return the upright axis of revolution that the evidence allows, or None."""
    points = evidence.points.points_m.astype(np.float64)
    normals = evidence.points.normals.astype(np.float64)
    level = np.linalg.norm(normals[:, :2], axis=1)
    chosen = level > LEVEL
    if chosen.sum() < max(16, LEAST_LEVEL_NORMALS * len(points)):
        return None
    axis = _meeting_point(points[chosen, :2], normals[chosen, :2] / level[chosen, None])
    if axis is None:
        return None
    images = axis.turned(thinned(points, SAMPLES))
    empty = emptiness(evidence, images, border=False)
    return axis if empty.mean() <= CONTRADICTED else None


def revolved_distance(evidence: Evidence, axis: Axis) -> Float32Array:
    """Return (N, N, N) float32 signed distance to the observed profile turned about the axis.

    The profile is the radius per layer of voxels; between layers that were seen it is linear,
    below them it goes on as the lowest ones do, and never gets wider.

    :param evidence: what was seen of the object.
    """
    grid = evidence.grid
    points = evidence.points.points_m.astype(np.float64)
    radii = axis.radii(points)
    layer = np.rint(grid.coordinates(points)[:, 2]).astype(np.intp)
    sigma_m = float(np.median(evidence.points.sigmas_m))
    seen = [k for k in range(grid.size) if np.count_nonzero(layer == k) >= 5]
    if not seen:
        return np.full((grid.size,) * 3, grid.voxel_m, np.float32)
    profile = [np.quantile(radii[layer == k], RADIUS_QUANTILE) - sigma_m for k in seen]
    radius = np.interp(np.arange(grid.size), seen, profile)
    radius[: seen[0]] = _continued(np.array(profile), seen[0])
    low = -np.inf if evidence.support_m is not None else seen[0]
    layers = np.arange(grid.size)
    beyond = np.maximum(layers - seen[-1] - 0.5, low - 0.5 - layers) * grid.voxel_m
    a = grid.axis_m
    from_axis = np.hypot(a[:, None] - axis.x, a[None, :] - axis.y)
    side = from_axis[:, :, None] - radius[None, None, :]
    return np.maximum(side, np.where(np.isfinite(beyond), beyond, -1.0)).astype(np.float32)


def shell_distance(evidence: Evidence, axis: Axis) -> Float32Array:
    """Return (N, N, N) float32 signed distance to a thin wall behind the observed surface, turned
    about the axis: a vessel that the sensor looked into.

    Points of both sides, moved half a wall inwards, draw the middle of the wall into the
    half-plane of radius and height; gaps of a few cells are closed.

    :param evidence: what was seen of the object.
    """
    size, cell_m = FINER * evidence.grid.size, evidence.grid.voxel_m / FINER
    radius, height = _wall_middle(evidence, axis)
    column = np.rint(radius / cell_m).astype(np.intp)
    row = np.rint(height / cell_m + 0.5 * size - 0.5).astype(np.intp)
    known = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    drawn = np.zeros((size + 2 * CLOSED_CELLS,) * 2, np.uint8)
    drawn[column[known] + CLOSED_CELLS, row[known] + CLOSED_CELLS] = 1
    closed = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((CLOSED_CELLS,) * 2, np.uint8))
    middle = closed[CLOSED_CELLS:-CLOSED_CELLS, CLOSED_CELLS:-CLOSED_CELLS]
    away = ndimage.distance_transform_edt(middle == 0) * cell_m
    a = evidence.grid.axis_m
    columns = np.hypot(a[:, None] - axis.x, a[None, :] - axis.y) / cell_m
    columns = np.minimum(columns, size - 1).astype(np.float32)
    rows = (a / cell_m + 0.5 * size - 0.5).astype(np.float32)
    every = len(a)
    distance = cv2.remap(
        np.asarray(away, np.float32),
        np.broadcast_to(rows, (every * every, every)).copy(),
        np.broadcast_to(columns.reshape(-1, 1), (every * every, every)).copy(),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(distance, np.float32).reshape((every,) * 3) - np.float32(0.5 * WALL_M)


def _wall_middle(evidence: Evidence, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Radius and height of the points with normals, moved half a wall inwards."""
    points = evidence.points.points_m.astype(np.float64)
    normals = evidence.points.normals.astype(np.float64)
    radii = axis.radii(points)
    outward = (points[:, :2] - [axis.x, axis.y]) / np.maximum(radii, 1e-6)[:, None]
    level = np.einsum('pc,pc->p', normals[:, :2], outward)
    steep = np.hypot(level, normals[:, 2])
    known = steep > LEVEL
    inward = 0.5 * WALL_M / steep[known]
    return radii[known] - inward * level[known], points[known, 2] - inward * normals[known, 2]


def _meeting_point(places: FloatArray, directions: FloatArray) -> Axis | None:
    """The 2D point nearest to all the lines (place, direction), robustly; None if parallel."""
    across = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    offset = np.einsum('pc,pc->p', across, places)
    weight = np.ones(len(places))
    centre = np.zeros(2)
    for _ in range(ROBUST_STEPS):
        H = (across * weight[:, None]).T @ across
        if np.linalg.cond(H) > 1e4:
            return None
        centre = np.linalg.solve(H, across.T @ (weight * offset))
        miss = across @ centre - offset
        scale = 1.4826 * np.median(np.abs(miss)) + 1e-4
        weight = 1.0 / (1.0 + np.square(miss / (2.0 * scale)))
    return Axis(float(centre[0]), float(centre[1]))


def _continued(profile: FloatArray, missing: int) -> FloatArray:
    """Radii of the ``missing`` layers below the lowest seen one, lowest first."""
    few = profile[: min(4, len(profile))]
    slope = max(float(np.polyfit(np.arange(len(few)), few, 1)[0]), 0.0) if len(few) > 1 else 0.0
    steps = np.arange(missing, 0, -1)
    return np.maximum(few[0] - slope * steps, 0.3 * few[0])
