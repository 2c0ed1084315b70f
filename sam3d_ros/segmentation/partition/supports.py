# SPDX-License-Identifier: Apache-2.0
"""Planes that things stand on, and the large planes that are background.

Hypotheses are the local planes of a regular set of pixels (no chance involved); each is scored
by the visible area that agrees with it, the best is refined by least squares, its pixels are
taken out and the next one is sought. A plane is a support when it is level and large enough not
to be the top of a thing; a large plane that is not level is a wall.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Float32Array,
    FloatArray,
    IndexArray,
    Plane,
)
from sam3d_ros.segmentation.config import SupportConfig
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes

SEED_STEP = 18
SAMPLE_STEP = 6
WARPS = 4.0  # sigmas of slow bending by which a support may leave its plane
FIRST_AREA_M2 = 0.02  # the only plane in sight is a support even if little of it is seen
FOOTPRINT_CELL_M = 0.01
LEVEL_GAP_M = 0.03
PARALLEL_COSINE = float(np.cos(0.06))


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """A support plane with the ground that it covers.

    :param dual: (3,) float64 m with m . X = 1 on the plane.
    :param footprint: (cells, cells) uint8 mask of the covered ground, margin included.
    :param axes: (2, 3) float64 directions of the footprint's columns and rows.
    :param origin_m: (2,) float64 position of the footprint's first cell along ``axes``.
    """

    plane: Plane
    dual: FloatArray
    footprint: ByteArray
    axes: FloatArray
    origin_m: FloatArray

    def height(self, points: Float32Array) -> Float32Array:
        """Return the (...,) float32 height of (..., 3) points over the plane, metres."""
        a, b, c = (np.float32(value) for value in self.plane.normal)
        height = points[..., 0] * a + points[..., 1] * b + points[..., 2] * c
        return np.asarray(height + np.float32(self.plane.offset_m), np.float32)

    def covers(self, points: Float32Array) -> BoolArray:
        """Return which of the (..., 3) points are straight over (or under) the footprint."""
        column, row = (
            self._cell(points, axis, start)
            for axis, start in zip(self.axes, self.origin_m, strict=True)
        )
        rows, columns = self.footprint.shape
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        column[~inside] = 0
        row[~inside] = 0
        covered: BoolArray = inside & (self.footprint[row, column] > 0)
        return covered

    @staticmethod
    def _cell(points: Float32Array, axis: FloatArray, start: float) -> IndexArray:
        """Footprint index of points along one axis (floats are not left to BLAS: it threads)."""
        a, b, c = (np.float32(value / FOOTPRINT_CELL_M) for value in axis)
        along = points[..., 0] * a + points[..., 1] * b + points[..., 2] * c
        return np.floor(along - np.float32(start / FOOTPRINT_CELL_M)).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The large planes of one frame: supports in order of area, and walls (dual vectors)."""

    supports: tuple[Support, ...] = ()
    walls: tuple[FloatArray, ...] = ()


def find_structure(
    grid: Grid,
    local: LocalPlanes,
    sensor: SensorModel,
    up_cam: FloatArray | None,
    config: SupportConfig,
) -> Structure:
    """Return supports and walls.

    :param sensor: errors of the frame's ranges.

    :param up_cam: (3,) float64 unit vector against gravity, or None: up is then the normal of
        the plane that most of the image shows, planes that face the image's top preferred.
    """
    search = _Search.start(grid, local, sensor)
    if search is None:
        return Structure()
    supports: list[Support] = []
    walls: list[FloatArray] = []
    while len(supports) < config.max_count:
        first = not supports
        facing = search.normals @ up_cam if up_cam is not None else None
        found = search.best(
            _preference(search.normals, facing, first, config), by_image=up_cam is None
        )
        if found is None:
            break
        dual, members, area_m2 = found
        normal = -dual / np.linalg.norm(dual)
        level = up_cam is None or float(normal @ up_cam) > np.cos(config.max_tilt_rad)
        if area_m2 < min(config.min_area_m2, config.min_wall_area_m2) and not (first and level):
            break
        apart = all(_apart(support, normal, search.points[members]) for support in supports)
        if level and apart and area_m2 >= (FIRST_AREA_M2 if first else config.min_area_m2):
            supports.append(_support(dual, search.points[members], config.margin_m))
            up_cam = normal if up_cam is None else up_cam
        elif not level and area_m2 >= config.min_wall_area_m2:
            walls.append(dual)
        search = search.without(dual, members)
    return Structure(tuple(supports), tuple(walls))


def _apart(support: Support, normal: FloatArray, points: Float32Array) -> bool:
    """Whether a plane is another level, not a bent or noisy part of a known support."""
    if float(normal @ support.plane.normal) < PARALLEL_COSINE:
        return False
    return float(np.quantile(np.abs(support.height(points)), 0.1)) > LEVEL_GAP_M


def _preference(
    normals: FloatArray, facing: FloatArray | None, first: bool, config: SupportConfig
) -> FloatArray:
    """Weight of every hypothesis: level ones first; without gravity, those that face up."""
    if facing is None:
        return 0.1 + np.maximum(0, -normals[:, 1])
    if first:
        return np.where(facing > np.cos(config.max_tilt_rad), 1.0, 0.05)
    return np.ones(len(normals))


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Sampled pixels not yet explained by a plane, and the hypotheses."""

    points: Float32Array
    rays: Float32Array
    disparity: Float32Array
    solid_angle: float
    tolerance: Float32Array
    spread: Float32Array
    duals: Float32Array
    normals: FloatArray
    agrees: BoolArray
    free: BoolArray

    @classmethod
    def start(cls, grid: Grid, local: LocalPlanes, sensor: SensorModel) -> _Search | None:
        s = slice(None, None, SAMPLE_STEP)
        valid = grid.valid[s, s]
        points, disparity = grid.points[s, s][valid], grid.disparity[s, s][valid]
        t = slice(SEED_STEP // 2, None, SEED_STEP)
        seeds = local.known[t, t] & (local.residual[t, t] < 2 * local.sigma)
        duals = local.dual[t, t][seeds]
        if not len(duals):
            return None
        rays = points * disparity[:, None]
        noise = sensor.axial_sigma(1 / disparity) * np.square(disparity)
        spread = np.sqrt(local.sigma**2 + noise**2 + sensor.warp**2).astype(np.float32)
        tolerance = np.maximum(3 * spread, WARPS * np.float32(sensor.warp))
        return cls(
            points,
            rays,
            disparity,
            grid.pitch[0] * grid.pitch[1] * SAMPLE_STEP**2,
            tolerance,
            spread,
            duals,
            local.normal[t, t][seeds].astype(np.float64),
            _agreement(duals, rays, disparity, tolerance),
            np.ones(len(points), bool),
        )

    def best(
        self, preference: FloatArray, by_image: bool
    ) -> tuple[FloatArray, BoolArray, float] | None:
        """Dual vector, member pixels and area of the best plane left.

        :param by_image: the best is the one that covers most of the image, not most square metres.
        """
        if not self.free.any():
            return None
        weight = np.where(self.free, 1.0 if by_image else self.disparity**-2, 0)
        weight = weight.astype(np.float32)
        slant = np.linalg.norm(self.duals, axis=1)
        area = np.where(self.agrees, weight, np.float32(0)).sum(axis=1)
        area = area if by_image else area * slant
        k = int(np.argmax(area * preference))
        members = self.agrees[k] & self.free
        dual = self.duals[k].astype(np.float64)
        for sigmas in (5, 3, 3):
            if members.sum() < 8:
                return None
            dual = _least_squares(self.rays[members], self.disparity[members])
            error = np.abs(self.rays @ dual.astype(np.float32) - self.disparity)
            members = self.free & (error < sigmas * self.spread)
        cosine = np.abs(self.rays[members] @ dual) / np.linalg.norm(dual)
        area_m2 = self.solid_angle * float(
            (self.disparity[members] ** -2 / np.maximum(cosine, 0.05)).sum()
        )
        return dual, members, area_m2

    def without(self, dual: FloatArray, members: BoolArray) -> _Search:
        """The same search with a plane's pixels, and all hypotheses like it, taken out."""
        near = np.abs(self.rays @ dual.astype(np.float32) - self.disparity) < self.tolerance
        free = self.free & ~members & ~near
        left = (self.agrees & free).any(axis=1)
        return _Search(
            self.points,
            self.rays,
            self.disparity,
            self.solid_angle,
            self.tolerance,
            self.spread,
            self.duals[left],
            self.normals[left],
            self.agrees[left],
            free if left.any() else np.zeros_like(free),
        )


def _agreement(
    duals: Float32Array, rays: Float32Array, disparity: Float32Array, tolerance: Float32Array
) -> BoolArray:
    """Which of the (N,) pixels lie on which of the (K,) planes: (K, N) bool."""
    a, b, c = (duals[:, k, None] for k in range(3))
    predicted = a * rays[:, 0] + b * rays[:, 1] + c * rays[:, 2]
    agrees: BoolArray = np.abs(predicted - disparity) < tolerance
    return agrees


def _least_squares(rays: Float32Array, disparity: Float32Array) -> FloatArray:
    a = rays.astype(np.float64)
    b = disparity.astype(np.float64)
    return np.asarray(np.linalg.solve(a.T @ a + 1e-9 * np.eye(3), a.T @ b), np.float64)


def _support(dual: FloatArray, points: Float32Array, margin_m: float) -> Support:
    length = float(np.linalg.norm(dual))
    normal = -dual / length
    side = np.cross(normal, [0.0, 0.0, 1.0] if abs(normal[2]) < 0.9 else [1.0, 0.0, 0.0])
    side = np.asarray(side / np.linalg.norm(side), np.float64)
    axes = np.asarray([side, np.cross(normal, side)], np.float64)
    flat = points @ axes.T
    origin_m = flat.min(0) - 2 * margin_m
    hull = cv2.convexHull(((flat - origin_m) / FOOTPRINT_CELL_M).astype(np.int32))
    reach = max(1, round(margin_m / FOOTPRINT_CELL_M))
    shape = hull.reshape(-1, 2).max(0) + 2 * reach
    footprint = np.zeros((int(shape[1]), int(shape[0])), np.uint8)
    cv2.fillConvexPoly(footprint, hull, 1)
    grown = cv2.dilate(footprint, np.ones((2 * reach + 1,) * 2, np.uint8))
    plane = Plane(normal, 1 / length)
    return Support(plane, dual, np.asarray(grown, np.uint8), axes, origin_m)
