# SPDX-License-Identifier: Apache-2.0
"""Prisms: a level top of any outline, extruded down to the support.

The outline is carved: a cell of the top's plane belongs to it where the sensor saw the object
there and no ray went through the column below (the visual hull of a prism; Laurentini, "The
visual hull concept for silhouette-based image understanding", PAMI 1994). Where something hides
the top, the outline is closed by its convex hull. What the prism does not explain refuses it.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.surface.labels import sample

LEVEL = 0.8
"""Least upward part of the normals of the top."""
LEAST_POINTS, LEAST_TOP = 30, 0.15
"""Least number of points on the top, least share of all points."""
LEAST_CELLS = 9
CARVED = 0.34
"""Least share of a column that is proven empty where the outline is not."""
SMOOTHING_CELLS = 0.8
EXPLAINED, CONTRADICTED = 0.8, 0.06
"""Least share of the points met, most share of the volume proven empty."""


def extruded_distance(evidence: Evidence) -> Float32Array | None:
    """Return (N, N, N) float32 signed distances to the upright prism that explains all that was
    seen of the object, or None when there is none.

    Without a support it reaches down to the lowest seen point.
    """
    tolerance_m = 2.0 * float(np.median(evidence.points.sigmas_m)) + 0.5 * evidence.grid.voxel_m
    top = _top(evidence, tolerance_m)
    if top is None:
        return None
    bottom = _bottom(evidence)
    if top - bottom < evidence.grid.voxel_m:
        return None
    outline = _outline(evidence, bottom, top, tolerance_m)
    if outline is None:
        return None
    distance = _prism(outline, bottom, top, evidence.grid)
    return distance if _explains(distance, evidence) else None


def _top(evidence: Evidence, tolerance_m: float) -> float | None:
    """Height of the most points that look up and lie within the tolerance of one level."""
    points = evidence.points
    heights = np.sort(points.points_m[points.normals[:, 2] > LEVEL, 2])
    if len(heights) == 0:
        return None
    ends = np.searchsorted(heights, heights + 2.0 * tolerance_m, 'right')
    counts = ends - np.arange(len(heights))
    first = int(np.argmax(counts))
    if counts[first] < max(LEAST_POINTS, LEAST_TOP * len(points.points_m)):
        return None
    return float(np.median(heights[first : ends[first]]))


def _bottom(evidence: Evidence) -> float:
    """Height of the support under the points, of the lowest ones where there is none."""
    points, plane = evidence.points.points_m, evidence.support_m
    if plane is None:
        return float(np.quantile(points[:, 2], 0.02))
    return -float(plane[3] + plane[:2] @ points[:, :2].mean(axis=0)) / float(plane[2])


def _outline(
    evidence: Evidence, bottom: float, top: float, tolerance_m: float
) -> BoolArray | None:
    """(N, N) bool: the prism's cross-section, in one piece."""
    grid = evidence.grid
    layer = int(np.clip(np.rint((top / grid.voxel_m) + 0.5 * grid.size - 0.5), 0, grid.size - 1))
    heights = grid.axis_m
    walls = (heights > bottom + grid.voxel_m) & (heights < top - 0.5 * grid.voxel_m)
    possible = evidence.outside[:, :, layer] == 0
    if walls.any():
        possible &= evidence.empty[:, :, walls].mean(axis=2) < CARVED
    own = (evidence.surface[:, :, layer] > 0) | (evidence.occluded[:, :, layer] > 0)
    seen = possible & own & (evidence.distance_m[:, :, layer] < tolerance_m)
    if seen.sum() < LEAST_CELLS:
        return None
    hidden = possible & ((evidence.blocked | evidence.unseen)[:, :, layer] > 0)
    drawn = (seen | (hidden & _hull(seen))).astype(np.float32)
    smooth = cv2.GaussianBlur(drawn, (0, 0), SMOOTHING_CELLS) > 0.5
    return _largest(smooth) if smooth.any() else None


def _hull(cells: BoolArray) -> BoolArray:
    """(N, N) bool: the convex hull of the cells set."""
    corners = cv2.convexHull(np.argwhere(cells)[:, ::-1].astype(np.int32))
    drawn = np.zeros(cells.shape, np.uint8)
    return np.asarray(cv2.fillConvexPoly(drawn, corners, (1,)), bool)


def _largest(cells: BoolArray) -> BoolArray:
    """(N, N) bool: the largest connected part of the cells set."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=4)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), bool)


def _prism(outline: BoolArray, bottom: float, top: float, grid: Grid) -> Float32Array:
    """(N, N, N) signed distances to an outline extruded from bottom to top."""
    inner, outer = (ndimage.distance_transform_edt(cells) for cells in (outline, ~outline))
    side = np.where(outline, 0.5 - inner, outer - 0.5) * grid.voxel_m
    heights = grid.axis_m
    ends = np.maximum(heights - top, bottom - heights)
    return np.maximum(side[:, :, None], ends).astype(np.float32)


def _explains(distance: Float32Array, evidence: Evidence) -> bool:
    """Whether most points lie on the surface, and nothing of the inside is proven empty."""
    points = evidence.points
    off = np.abs(sample(distance, points.points_m, evidence.grid))
    met = off <= 2.0 * points.sigmas_m + 0.5 * evidence.grid.voxel_m
    inside = distance < 0
    if not inside.any() or met.mean() < EXPLAINED:
        return False
    return bool(evidence.empty[inside].mean() <= CONTRADICTED)
