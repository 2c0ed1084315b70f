# SPDX-License-Identifier: Apache-2.0
"""Which pixels belong to things: over a support, and part of neither a support nor a wall."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.config import GeometricConfig
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import WINDOW_RADIUS, LocalPlanes
from sam3d_ros.segmentation.partition.supports import WARPS, Structure, Support

NOISE_SIGMAS = 4.0
HEIGHT_SIGMAS = 3.0
SIDE_COSINE = float(np.cos(0.6))  # a pixel tilted this much against its support is a side face
SIDE_HEIGHT_M = 0.002
GOOD_RESIDUAL = 2.5  # of noise
OTHER_COLOR = 18.0  # L*a*b* distance from the support around it
COLORED_HEIGHT = 0.5  # share of the height threshold that suffices for another colour
WINDOW = 51  # pixels of the grid over which the support's surface is averaged
BOTTOM_HEIGHT_M = 0.002
MAIN_SHARE = 0.15  # of the largest piece of a support, for a piece to be part of it


def find_foreground(
    grid: Grid,
    local: LocalPlanes,
    structure: Structure,
    sensor: SensorModel,
    config: GeometricConfig,
) -> BoolArray:
    """Return the (h, w) bool mask of things; without any support, all that is no wall.

    :param sensor: errors of the frame's ranges.
    """
    background = np.zeros(grid.valid.shape, bool)
    for wall in structure.walls:
        background |= _behind(grid, wall, NOISE_SIGMAS * local.sigma)
    if not structure.supports:
        return grid.valid & ~background
    above = np.zeros(grid.valid.shape, bool)
    for support in structure.supports:
        over, on = _above(grid, local, support, sensor, config)
        above |= over
        background |= on
    return above & ~background


def _above(
    grid: Grid,
    local: LocalPlanes,
    support: Support,
    sensor: SensorModel,
    config: GeometricConfig,
) -> tuple[BoolArray, BoolArray]:
    """Pixels of things over one support, and pixels of the support itself.

    The height threshold alone would eat the lowest rows of every thing, so pixels that are
    tilted against the support count as things almost from the ground up, and pixels of another
    colour than the support from half the height up.
    """
    warped = _smooth_height(grid, local, support)
    a, b, c = (np.float32(value) for value in support.plane.normal)
    cosine = local.normal[..., 0] * a + local.normal[..., 1] * b + local.normal[..., 2] * c
    tilted = local.known & (cosine < SIDE_COSINE) & _fits(local)
    z = grid.points[..., 2]
    window = (2 * WINDOW_RADIUS + 1) * grid.step
    spread = sensor.averaged_sigma(z, window, grid.step)
    bend = np.float32(WARPS * sensor.warp) * np.square(z)
    warp = np.maximum(bend, np.float32(HEIGHT_SIGMAS) * spread)
    warp = np.maximum(warp, np.float32(config.min_height_m))
    flat = grid.valid & (np.abs(warped) < warp) & ~(tilted & (warped > SIDE_HEIGHT_M))
    labels, is_main = _pieces(flat)
    surface = _around(grid, is_main[labels], warped)
    height, difference = warped - surface.height, surface.difference
    upright = np.float32(support.plane.offset_m) / np.maximum(z, np.float32(1e-3))
    low = np.maximum(np.float32(config.min_height_m), HEIGHT_SIGMAS * upright * spread)
    lowest = np.where(difference > OTHER_COLOR, COLORED_HEIGHT * low, low)
    on = grid.valid & (height > -low) & (height < lowest) & ~(tilted & (height > SIDE_HEIGHT_M))
    on &= ~_bottoms(labels, is_main, height, difference)
    over = grid.valid & (height > -low) & ~on & (height < config.max_size_m)
    covered = support.covers(grid.points)
    return over & covered, on & covered


def _fits(local: LocalPlanes) -> BoolArray:
    """Pixels whose local plane is good: where surfaces end, planes tilt for no reason."""
    fits: BoolArray = local.known & (local.residual < GOOD_RESIDUAL * local.sigma)
    return fits


def _pieces(flat: BoolArray) -> tuple[IndexArray, BoolArray]:
    """Connected pieces of the pixels at a support's height, and which of them are large."""
    count, labels = cv2.connectedComponents(flat.astype(np.uint8), connectivity=4)
    size = np.bincount(labels.ravel(), minlength=count)
    size[0] = 0
    return np.asarray(labels, np.int32), size > MAIN_SHARE * max(1, int(size.max()))


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """What a support looks like around each pixel, zero where too little of it is around.

    :param height: (h, w) float32 mean distance from its own plane: depth cameras bend planes.
    :param difference: (h, w) float32 distance of the pixel's colour from its mean, L*a*b*.
    """

    height: Float32Array
    difference: Float32Array


def _around(grid: Grid, support: BoolArray, height: Float32Array) -> _Surface:
    """Average a support over a large window."""
    weight = support.astype(np.float32)
    count = _window_sum(weight)
    known, inverse = count > WINDOW, np.float32(1) / np.maximum(count, 1)
    square = np.zeros_like(weight)
    for part in cv2.split(grid.lab):
        square += np.square(part - _window_sum(part * weight) * inverse)
    mean_height = np.asarray(_window_sum(height * weight) * inverse * known, np.float32)
    return _Surface(mean_height, np.sqrt(square) * known)


def _window_sum(values: Float32Array) -> Float32Array:
    total = cv2.boxFilter(values, -1, (WINDOW, WINDOW), normalize=False)
    return np.asarray(total, np.float32)


def _bottoms(
    labels: IndexArray, is_main: BoolArray, height: Float32Array, difference: Float32Array
) -> BoolArray:
    """Small pieces at the support's height that are the bottom of a bowl or plate.

    They are cut off from the rest of the support, and higher than it or of another colour.
    """
    count = len(is_main)
    at = np.nonzero((labels > 0) & ~is_main[labels])
    of = labels[at]
    size = np.maximum(np.bincount(of, minlength=count), 1)
    mean_height = np.bincount(of, height[at], count) / size
    mean_difference = np.bincount(of, difference[at], count) / size
    is_bottom = (mean_height > BOTTOM_HEIGHT_M) | (mean_difference > OTHER_COLOR)
    bottoms: BoolArray = is_bottom[labels]
    return bottoms


def _smooth_height(grid: Grid, local: LocalPlanes, support: Support) -> Float32Array:
    """Height over a support, of the local plane where there is one: a third of the noise."""
    dual = local.dual
    fitted = dual[..., 0] * grid.x + dual[..., 1] * grid.y + dual[..., 2]
    disparity = np.where(_fits(local) & (fitted > 0), fitted, grid.disparity)
    a, b, c = (np.float32(value) for value in support.plane.normal)
    along = a * grid.x + b * grid.y + c
    height = along / np.maximum(disparity, np.float32(1e-3)) + np.float32(support.plane.offset_m)
    return np.asarray(height, np.float32)


def _behind(grid: Grid, dual: FloatArray, tolerance: float) -> BoolArray:
    """Pixels on a wall or behind it."""
    a, b, c = (np.float32(value) for value in dual)
    behind: BoolArray = grid.valid & (grid.disparity < a * grid.x + b * grid.y + (c + tolerance))
    return behind
