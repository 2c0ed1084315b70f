# SPDX-License-Identifier: Apache-2.0
"""What the network sees of a frame: colour, points, normals and height over the support."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, Frame
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes
from sam3d_ros.segmentation.partition.supports import Structure

COLORS = ('r', 'g', 'b')
CHANNELS = (
    *COLORS, 'x', 'y', 'z', 'nx', 'ny', 'nz', 'height', 'known height', 'valid', 'rise', 'spread',
)  # fmt: skip
POINT_SCALE_M = 0.4
HEIGHT_SCALE_M = 0.1
LIMIT = 2.5
RISE_SIGMAS = 5.0
AVERAGED_CELLS = 7
"""Side of the window whose mean the sensor's spread is given for, cells of the grid."""
BELOW_M = 0.02  # points this far under a support still belong to it


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A frame on the working grid.

    :param rgb: (h, w, 3) uint8.
    :param points: (h, w, 3) float32, metres, optical axes, zero = no return.
    :param normal: (h, w, 3) float32 unit, zero = unknown.
    :param height: (h, w) float32 over the support below, metres; zero = unknown.
    :param spread: (h, w) float32 what noise leaves in the mean of a small window, one sigma,
        metres.
    """

    rgb: ByteArray
    points: Float32Array
    normal: Float32Array
    height: Float32Array
    spread: Float32Array

    @property
    def valid(self) -> BoolArray:
        """(h, w) bool, where there is depth."""
        valid: BoolArray = self.points[..., 2] > 0
        return valid


def observe(frame: Frame, grid: Grid, local: LocalPlanes, structure: Structure) -> Observation:
    """Return a frame as the network sees it."""
    rows, columns = grid.valid.shape
    rgb = cv2.resize(frame.rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    height = _height(grid, structure)
    window = AVERAGED_CELLS * grid.step
    spread = frame.sensor.averaged_sigma(grid.points[..., 2], window, grid.step)
    return Observation(np.asarray(rgb, np.uint8), grid.points, local.normal, height, spread)


def _height(grid: Grid, structure: Structure) -> Float32Array:
    """Height over the nearest support below each point, or over the largest one."""
    if not structure.supports:
        return np.zeros(grid.valid.shape, np.float32)
    height = structure.supports[0].height(grid.points)
    nearest = np.full(grid.valid.shape, np.inf, np.float32)
    for support in structure.supports:
        over = support.height(grid.points)
        below = support.covers(grid.points) & (over > -BELOW_M) & (over < nearest)
        np.copyto(nearest, over, where=below)
    return np.where(np.isfinite(nearest), nearest, height) * grid.valid


def channels(seen: Observation) -> Float32Array:
    """Return the (14, h, w) float32 input, each channel about -1..1.

    Points are relative to the median depth, heights in tenths of a metre and, once more, in
    multiples of what noise may be; the spread of the noise is on a logarithmic scale about 1 mm.
    """
    valid = seen.valid
    z = seen.points[..., 2][valid]
    middle = float(np.median(z[::7])) if z.size else 0.0
    out = np.empty((len(CHANNELS), *valid.shape), np.float32)
    np.multiply(np.moveaxis(seen.rgb, 2, 0), np.float32(1 / 127.5), out=out[0:3])
    out[0:3] -= 1
    np.multiply(np.moveaxis(seen.points, 2, 0), np.float32(1 / POINT_SCALE_M), out=out[3:6])
    out[5] -= np.float32(middle / POINT_SCALE_M) * valid
    np.clip(out[3:6], -LIMIT, LIMIT, out=out[3:6])
    out[6:9] = np.moveaxis(seen.normal, 2, 0)
    np.clip(seen.height * np.float32(1 / HEIGHT_SCALE_M), -1, LIMIT, out=out[9])
    out[10] = seen.height.any()
    out[11] = valid
    spread = np.maximum(seen.spread, np.float32(1e-5))
    np.clip(seen.height / (np.float32(RISE_SIGMAS) * spread), -1, LIMIT, out=out[12])
    np.clip(np.log10(spread) + 3, -1, 1, out=out[13])
    out[13] *= valid
    return out
