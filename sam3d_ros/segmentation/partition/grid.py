# SPDX-License-Identifier: Apache-2.0
"""The working grid: a frame at about 320 columns, in disparity.

With rays (x, y, 1) and disparity d = 1/z, every plane is linear in the image: d = m . (x, y, 1)
for its dual vector m (the plane m . X = 1). Range sensors that triangulate have noise of the
same size everywhere in d (so growing with z^2 in z), which makes one threshold fit all depths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, Frame

WORKING_WIDTH = 320
RIM_CELLS = 12.0
"""A band without returns, up to so wide, runs around what is near to a stereo camera."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A frame on the working grid.

    :param step: pixels of the frame per pixel of the grid, both directions.
    :param x: (h, w) float32 ray x at z = 1.
    :param y: (h, w) float32 ray y at z = 1.
    :param disparity: (h, w) float32, 1/m, 0 = no return.
    :param points: (h, w, 3) float32, metres, zero = no return.
    :param valid: (h, w) bool.
    :param lab: (h, w, 3) float32 CIE L*a*b*.
    :param pitch: ray units per pixel of the grid along x and along y.
    """

    step: int
    x: Float32Array
    y: Float32Array
    disparity: Float32Array
    points: Float32Array
    valid: BoolArray
    lab: Float32Array
    pitch: tuple[float, float]


def make_grid(frame: Frame) -> Grid:
    """Return ``frame`` at the working resolution: every ``step``-th pixel, colour averaged."""
    step = max(1, round(frame.camera.width / WORKING_WIDTH))
    sampled = np.ascontiguousarray(frame.pointmap[::step, ::step])
    valid = sampled[..., 2] > 0
    points = np.asarray(cv2.copyTo(sampled, valid.view(np.uint8)), np.float32)
    z = points[..., 2]
    disparity = np.divide(1, z, out=np.zeros_like(z), where=valid)
    h, w = valid.shape
    camera = frame.camera
    x = np.broadcast_to(((np.arange(w) * step - camera.cx) / camera.fx).astype(np.float32), (h, w))
    rows = ((np.arange(h) * step - camera.cy) / camera.fy).astype(np.float32)
    y = np.broadcast_to(rows[:, None], (h, w))
    small = cv2.resize(frame.rgb, (w, h), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2Lab)
    pitch = (step / camera.fx, step / camera.fy)
    return Grid(step, x, y, disparity, points, valid, np.asarray(lab, np.float32), pitch)


def with_returns(grid: Grid, cells: BoolArray) -> Grid:
    """Return the grid with disparities made up in cells without a return, from those around.

    The made-up values are smooth (holes are filled from coarser and coarser means, Gortler et al.,
    "The Lumigraph", SIGGRAPH 1996, section 3.2.3): enough to tell what such cells lie beside, not
    a measurement.

    :param cells: (h, w) bool, cells to fill; those with a return keep it.
    """
    filled = _pulled(grid.disparity, grid.valid.astype(np.float32))
    disparity = np.where(cells & ~grid.valid, filled, grid.disparity)
    z = np.divide(1, disparity, out=np.zeros_like(disparity), where=disparity > 0)
    points = np.stack([grid.x * z, grid.y * z, z], axis=-1)
    return replace(grid, disparity=disparity, points=points, valid=disparity > 0)


def near_returns(holes: BoolArray, valid: BoolArray) -> BoolArray:
    """Return those cells of holes that are near a return: how far the others are nothing says.

    :param holes: (h, w) bool; of each connected part all cells stay, or none.
    :param valid: (h, w) bool, cells with a return.
    """
    if not holes.any():
        return holes
    away = cv2.distanceTransform((~valid).astype(np.uint8), cv2.DIST_L2, 3)
    count, labels = cv2.connectedComponents(holes.astype(np.uint8), connectivity=4)
    parts = np.asarray(labels, np.int32)
    least = np.full(count, np.inf)
    np.minimum.at(least, parts[holes], away[holes])
    kept: BoolArray = (least < RIM_CELLS)[parts] & holes
    return kept


def _pulled(values: Float32Array, weight: Float32Array) -> Float32Array:
    """Return values where the weight is 1, and means of coarser levels where it is 0."""
    h, w = values.shape
    if min(h, w) < 2 or weight.min() > 0:
        return values
    size = (-(-w // 2), -(-h // 2))
    mean = cv2.resize(values * weight, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    known = (share > 0).astype(np.float32)
    coarse = _pulled(np.asarray(mean / np.maximum(share, 1e-6), np.float32), known)
    smooth = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(weight > 0, values, smooth), np.float32)
