# SPDX-License-Identifier: Apache-2.0
"""What stands in a frame beside floors, tables and walls: flat things are found and left out.

Everything happens on a coarse grid of cells (a range image of 107 columns or less). Levels are
found in the histogram of heights, upright planes by voting in a plan view; a plane is a wall, a
door, a cupboard, a poster or a screen when hardly a ray passes through it within its outline. A
body is never that flat: rays pass beside its neck, its arms and its legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, Frame

COLUMNS = 107
"""Cells of the coarse grid along a row, at most."""
LEVEL_BIN_M = 0.04
LEVEL_AREA_M2 = 0.15
"""Level ground in sight that makes a table or a floor."""
LEVEL_SLOPE = 0.3
"""Steeper ground is not level."""
HIGHEST_LEVEL_M = 0.2
"""What is higher over the camera shows it no upper side."""
PLAN_CELL_M = 0.06
BLURRED_M = 0.09
"""Returns with a larger one-sigma error say nothing about shapes."""
MAX_PLANES = 4
PLANE_LENGTH_M = 0.5
PLANE_AREA_M2 = 0.3
SEEN_THROUGH = 0.12
"""More of its outline is never seen through in a flat thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenery:
    """A frame on the coarse grid.

    :param step: columns and rows of the image for one cell.
    :param points: (h, w, 3) float32 in axes right, forward, up from the camera, metres; NaN =
        nothing came back.
    :param sigma_m: (h, w) float32 one-sigma error of each range.
    :param area_m2: (h, w) float32 area that each cell covers, seen straight on.
    :param floor_m: height of the floor over the camera (negative: below it), None = not in sight.
    :param level: (h, w) bool, on a floor or a table.
    :param flat: (h, w) bool, on an upright plane.
    :param tables_m: heights of the levels over the floor, over the camera.
    :param R_level_cam: (3, 3) optical axes to right, forward, up.
    """

    step: int
    points: Float32Array
    sigma_m: Float32Array
    area_m2: Float32Array
    floor_m: float | None
    level: BoolArray
    flat: BoolArray
    tables_m: tuple[float, ...]
    R_level_cam: FloatArray

    @property
    def standing(self) -> BoolArray:
        """(h, w) bool, on neither."""
        sure = self.sigma_m < BLURRED_M  # no NaN is
        free: BoolArray = np.isfinite(self.points[..., 2]) & sure & ~self.level & ~self.flat
        return free


def level_axes(frame: Frame) -> FloatArray:
    """Return the (3, 3) rotation from optical axes to right, forward, up.

    Without gravity from TF, up is the top of the image.
    """
    up = frame.up_cam if frame.up_cam is not None else np.array([0.0, -1.0, 0.0])
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 0.1:  # looking straight down or up
        forward = np.array([0.0, -1.0, 0.0]) + up[1] * up
    forward = forward / np.linalg.norm(forward)
    return np.stack([np.cross(forward, up), forward, up])


def find_scenery(frame: Frame, range_m: float) -> Scenery:
    """Return what a frame shows, its flat parts marked.

    :param range_m: what is farther away is left out.
    """
    width = frame.depth_m.shape[1]
    step = max(1, -(-width // COLUMNS))
    R = level_axes(frame)
    points_cam = _coarse(frame.pointmap, step)
    depth = points_cam[..., 2]
    points = points_cam @ R.T.astype(np.float32)
    far = ~(np.linalg.norm(points[..., :2], axis=-1) < range_m)
    points[far] = np.nan
    sigma = frame.sensor.axial_sigma(np.where(far, np.float32(np.nan), depth))
    pitch = step * step / (frame.camera.fx * frame.camera.fy)
    area = np.where(far, np.float32(0), np.nan_to_num(depth) ** 2 * np.float32(pitch))
    floor_m, tables, level = _levels(points, sigma, area)
    reach = np.float32(0.02) + np.float32(2) * (sigma + frame.sensor.warp * np.square(depth))
    flat = _planes(points, reach.astype(np.float32), area, level)
    return Scenery(step, points, sigma, area, floor_m, level, flat, tables, R)


def to_fixed(frame: Frame, scenery: Scenery) -> FloatArray:
    """Return T_fixed_level: right, forward, up from the camera to the fixed frame."""
    T_cam_level = np.eye(4)
    T_cam_level[:3, :3] = scenery.R_level_cam.T
    return frame.T_fixed_cam @ T_cam_level


def _coarse(pointmap: Float32Array, step: int) -> Float32Array:
    """Return the median by depth of four points of every cell, (h, w, 3)."""
    if step == 1:
        return pointmap.copy()
    rows, columns = pointmap.shape[0] // step * step, pointmap.shape[1] // step * step
    far = step // 2
    four = np.stack([pointmap[i:rows:step, j:columns:step] for i in (0, far) for j in (0, far)])
    depth = four[..., 2]
    order = np.argsort(depth, axis=0)  # NaN last
    count = np.isfinite(depth).sum(axis=0)
    middle = np.take_along_axis(order, (np.maximum(count - 1, 0) // 2)[None], axis=0)
    return np.take_along_axis(four, middle[..., None], axis=0)[0]


def _levels(
    points: Float32Array, sigma: Float32Array, area: Float32Array
) -> tuple[float | None, tuple[float, ...], BoolArray]:
    """Return the floor's height, those of tables, and which cells lie on either."""
    height = points[..., 2]
    blurred, weight = _smoothed(points)
    slope = np.full((2, *height.shape), np.inf, np.float32)
    for axis, (ahead, behind) in enumerate(
        ((np.s_[4:, :], np.s_[:-4, :]), (np.s_[:, 4:], np.s_[:, :-4]))
    ):
        step = blurred[ahead] - blurred[behind]
        inner = np.s_[2:-2, :] if axis == 0 else np.s_[:, 2:-2]
        run = np.sqrt(np.square(step[..., 0]) + np.square(step[..., 1]))
        slope[axis][inner] = np.abs(step[..., 2]) / np.maximum(run, np.float32(1e-4))
    is_level = (slope.max(axis=0) < LEVEL_SLOPE) & (weight > 0.4) & (height < HIGHEST_LEVEL_M)
    tolerance = np.float32(0.025) + np.float32(1.5) * sigma
    is_level &= np.abs(height - blurred[..., 2]) < tolerance  # no step between two levels
    # A rim of a body may lie level by chance, a few cells of it.
    is_level &= cv2.blur(is_level.astype(np.float32), (5, 5)) > 0.7
    none = np.zeros(height.shape, bool)
    if not is_level.any():
        return None, (), none
    # Ground, not solid angle: cells that look along a surface cover more of it.
    distance = np.sqrt(np.square(points).sum(axis=-1))
    covered = area / np.maximum(np.abs(height) / np.maximum(distance, 1e-3), 0.1)
    bins = np.floor(height[is_level] / LEVEL_BIN_M).astype(int)
    first = bins.min()
    histogram = np.bincount(bins - first, covered[is_level])
    nearby = cv2.dilate(is_level.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    found: list[float] = []
    level = none
    while histogram.max(initial=0.0) > 0:
        two = histogram + np.append(histogram[1:], 0)
        k = int(np.argmax(two))
        if two[k] < LEVEL_AREA_M2:
            break
        near = np.abs(height - (first + k + 1) * LEVEL_BIN_M) < 1.5 * LEVEL_BIN_M
        at = float(np.median(height[near & is_level]))
        level = level | (nearby & (np.abs(height - at) < tolerance))
        found.append(at)
        histogram[max(0, k - 1) : k + 4] = 0
    if not found:
        return None, (), none
    floor = min(found)
    # Of a floor far away, hardly a cell looks level.
    level = level | (height < floor + tolerance)
    return floor, tuple(sorted(item for item in found if item > floor + 0.1)), level


def _smoothed(points: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return the mean of the points of 5 x 5 cells, and the share of them that there are."""
    there = np.isfinite(points[..., 2]).astype(np.float32)
    weight = np.asarray(cv2.blur(there, (5, 5)), np.float32)
    total = cv2.blur(np.nan_to_num(points), (5, 5))
    return np.asarray(total / np.maximum(weight, 1e-6)[..., None], np.float32), weight


def _planes(
    points: Float32Array, reach: Float32Array, area: Float32Array, level: BoolArray
) -> BoolArray:
    """Return which cells lie on upright planes that are no bodies.

    :param reach: (h, w) how far a cell of a plane may be off it, metres.
    """
    flat = np.zeros(level.shape, bool)
    left = np.isfinite(points[..., 2]) & ~level
    ground = points[..., :2]
    for _ in range(MAX_PLANES):
        if area[left].sum() < PLANE_AREA_M2:
            break
        line = _best_line(ground[left][::4], area[left][::4])
        for _ in range(2):
            offset = ground[..., 0] * line[0] + ground[..., 1] * line[1] - line[2]
            on = left & (np.abs(offset) < reach)
            if on.sum() < 20:
                return flat
            line = _fitted(ground[on], area[on])
        joined = cv2.morphologyEx(on.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        count, labels = cv2.connectedComponents(joined, connectivity=4)
        areas = np.bincount(labels.ravel(), np.where(on, area, 0).ravel(), count)
        for k in range(1, count):
            if areas[k] > PLANE_AREA_M2 and _is_flat(
                points, line, on & (labels == k), reach, area
            ):
                grown = cv2.dilate((labels == k).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
                flat |= grown & (np.abs(offset) < 1.5 * reach) & ~level
        left = left & ~on & ~flat
    return flat


def _best_line(ground: Float32Array, area: Float32Array) -> Float32Array:
    """Return (nx, ny, offset) of the line through most of the points, seen from above."""
    angles = np.arange(0, np.pi, np.pi / 36, dtype=np.float32)
    normals = np.stack([np.cos(angles), np.sin(angles)])
    offsets = ground @ normals
    first = offsets.min()
    cells = np.floor((offsets - first) / np.float32(2 * PLAN_CELL_M)).astype(np.int64)
    width = int(cells.max()) + 1
    index = cells + width * np.arange(len(angles))
    votes = np.bincount(index.ravel(), np.repeat(area, len(angles)), width * len(angles))
    best = int(np.argmax(votes))
    k, cell = divmod(best, width)
    middle = first + (cell + 0.5) * 2 * PLAN_CELL_M
    return np.array([normals[0, k], normals[1, k], middle], np.float32)


def _fitted(ground: Float32Array, area: Float32Array) -> Float32Array:
    """Return the line of least squares of points, weighted by area."""
    middle = np.average(ground, axis=0, weights=area)
    off = (ground - middle) * np.sqrt(area)[:, None]
    _, vectors = np.linalg.eigh(off.T @ off)
    normal = vectors[:, 0]
    return np.array([*normal, middle @ normal], np.float32)


def _is_flat(
    points: Float32Array,
    line: Float32Array,
    on: BoolArray,
    reach: Float32Array,
    area: Float32Array,
) -> bool:
    """Return whether hardly a ray passes through the outline of the cells on a plane."""
    along = points[..., 1] * line[0] - points[..., 0] * line[1]
    low, high = np.quantile(along[on], [0.04, 0.96])
    bottom, top = np.quantile(points[..., 2][on], [0.04, 0.96])
    if high - low < PLANE_LENGTH_M:
        return False
    # Where the ray of every cell meets the plane.
    toward = points[..., :2] @ line[:2]
    scale = line[2] / np.where(np.abs(toward) < 1e-3, np.float32(np.nan), toward)
    meets_along, meets_height = along * scale, points[..., 2] * scale
    within = (meets_along > low) & (meets_along < high) & (scale > 0)
    within &= (meets_height > bottom) & (meets_height < top)
    beyond = within & (scale < 1) & (np.abs(toward - line[2]) > 2 * reach + 0.05)
    return bool(area[beyond].sum() < SEEN_THROUGH * (area[on].sum() + area[beyond].sum()))
