# SPDX-License-Identifier: Apache-2.0
"""Which pixels belong to things: over a support, and part of neither a support nor a wall."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.segmentation.config import GeometricConfig
from sam3d_ros.segmentation.grid import Grid
from sam3d_ros.segmentation.normals import LocalPlanes
from sam3d_ros.segmentation.supports import Structure, Support

NOISE_SIGMAS = 4.0
SIDE_COSINE = float(np.cos(0.6))  # a pixel tilted this much against its support is a side face
SIDE_HEIGHT_M = 0.002


def find_foreground(
    grid: Grid, local: LocalPlanes, structure: Structure, config: GeometricConfig
) -> BoolArray:
    """Return the (h, w) bool mask of things; without any support, all that is no wall."""
    background = np.zeros(grid.valid.shape, bool)
    for wall in structure.walls:
        background |= _behind(grid, wall, NOISE_SIGMAS * local.sigma)
    if not structure.supports:
        return grid.valid & ~background
    above = np.zeros(grid.valid.shape, bool)
    for support in structure.supports:
        over, on = _above(grid, local, support, config)
        above |= over
        background |= on
    return above & ~background


def _above(
    grid: Grid, local: LocalPlanes, support: Support, config: GeometricConfig
) -> tuple[BoolArray, BoolArray]:
    """Pixels of things over one support, and pixels of the support itself.

    The height threshold alone would eat the lowest rows of every thing, so pixels that are
    tilted against the support count as things almost from the ground up.
    """
    height = support.height(grid.points)
    sigma_height = grid.points[..., 2] * np.float32(local.sigma * support.plane.offset_m)
    low = np.maximum(np.float32(config.min_height_m), NOISE_SIGMAS * sigma_height)
    cosine: Float32Array = local.normal @ support.plane.normal.astype(np.float32)
    side = local.known & (cosine < SIDE_COSINE) & (height > SIDE_HEIGHT_M)
    over = grid.valid & ((height > low) | side) & (height < config.max_size_m)
    on = grid.valid & (np.abs(height) < low) & ~side
    return over & support.covers(grid.points), on


def _behind(grid: Grid, dual: FloatArray, tolerance: float) -> BoolArray:
    """Pixels on a wall or behind it."""
    a, b, c = (np.float32(value) for value in dual)
    behind: BoolArray = grid.valid & (grid.disparity < a * grid.x + b * grid.y + (c + tolerance))
    return behind
