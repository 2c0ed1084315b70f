# SPDX-License-Identifier: Apache-2.0
"""From labels on the working grid to masks of the frame."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, Frame, IndexArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.segmentation.config import GeometricConfig
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes

REFERENCE_PX = 640 * 480
EXTENT_SAMPLE = 3
LOW_THING_M = 0.04


def drop_unlikely(
    labels: IndexArray, grid: Grid, high_m: FloatArray, reach_m: float, config: GeometricConfig
) -> BoolArray:
    """Return (n + 1,) bool: which labels are of a size that things have (0 never is).

    Out of reach, too small, too large, or a sliver: nowhere three pixels wide, as edges of large
    surfaces make them, and not something thin that lies on its support.

    :param high_m: (n + 1,) float64 height of each label's highest point over its support.
    :param reach_m: things whose nearest point is farther away are left out, metres.
    """
    count = int(labels.max()) + 1
    cells = np.bincount(labels.ravel(), minlength=count)
    keep = cells >= config.min_area_px * labels.size / REFERENCE_PX
    keep[0] = False
    sample = np.nonzero(labels[::EXTENT_SAMPLE, ::EXTENT_SAMPLE])
    of = labels[::EXTENT_SAMPLE, ::EXTENT_SAMPLE][sample]
    points = grid.points[::EXTENT_SAMPLE, ::EXTENT_SAMPLE][sample]
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, of, points)
    np.maximum.at(high, of, points)
    keep &= ~((high - low).max(axis=1) > config.max_size_m) & ~(low[:, 2] > reach_m)
    value = labels.astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    inner = labels[cv2.erode(value, square) == cv2.dilate(value, square)]
    is_thick = np.bincount(inner, minlength=count) > 0
    return keep & (is_thick | (high_m < LOW_THING_M))


def to_full_size(
    labels: IndexArray, grid: Grid, covered: BoolArray, local: LocalPlanes, frame: Frame
) -> IndexArray:
    """Return (H, W) int32 labels; pixels without depth get 0, unless their cell is covered.

    A pixel between samples of different labels takes the label of the sample, of the four
    around it, whose plane predicts its disparity best.
    """
    height, width = frame.camera.height, frame.camera.width
    full = np.repeat(np.repeat(labels, grid.step, axis=0), grid.step, axis=1)[:height, :width]
    if grid.step > 1:
        _refine_borders(full, labels, grid, local, frame)
    blind = ~(frame.depth_m > 0)
    if covered.any():
        over = np.repeat(np.repeat(covered, grid.step, axis=0), grid.step, axis=1)
        blind &= ~over[:height, :width]
    full[blind] = 0
    return full


def _refine_borders(
    full: IndexArray, labels: IndexArray, grid: Grid, local: LocalPlanes, frame: Frame
) -> None:
    rows, columns = _between_labels(labels, grid.step, full.shape)
    seen = frame.depth_m[rows, columns] > 0
    rows, columns = rows[seen], columns[seen]
    disparity = 1 / frame.depth_m[rows, columns]
    ray = rays(frame.camera)[rows, columns]
    h, w = labels.shape
    best: Float32Array = np.full(len(rows), np.inf, np.float32)
    for down in (0, 1):
        for right in (0, 1):
            i = np.minimum(rows // grid.step + down, h - 1)
            j = np.minimum(columns // grid.step + right, w - 1)
            error = np.abs(np.einsum('ij,ij->i', local.dual[i, j], ray) - disparity)
            better = (error < best) & local.known[i, j]
            best[better] = error[better]
            full[rows[better], columns[better]] = labels[i[better], j[better]]


def _between_labels(
    labels: IndexArray, step: int, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the frame that are no sample themselves and lie among samples that differ."""
    value = labels.astype(np.float32)
    corner = (0, 0)
    kernel = np.ones((2, 2), np.uint8)
    mixed = cv2.dilate(value, kernel, anchor=corner) != cv2.erode(value, kernel, anchor=corner)
    among = np.repeat(np.repeat(mixed, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
    among[::step, ::step] = False
    rows, columns = np.nonzero(among)
    return rows, columns
