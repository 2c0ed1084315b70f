# SPDX-License-Identifier: Apache-2.0
"""Is a thing more than noise could make of its support, by extent, height and grain together?"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.supports import Structure

SURE_SIGMAS = 6.0
"""A ripple that was picked for being high is often four sigmas high; a frame has thousands."""
BELOW_M = 0.02
SIDES = np.geomspace(1, 256, 17)


def left_after(sensor: SensorModel, cells: FloatArray, step: int) -> FloatArray:
    """Return (N,) the share of the spread left in means over compact sets of cells of the grid.

    :param cells: (N,) how many cells each set has; counted as a square.
    :param step: pixels of the frame per cell.
    """
    table = [sensor.left_after(side * step, step) for side in SIDES]
    sides = np.sqrt(np.maximum(cells, 1))
    return np.interp(np.log(sides), np.log(SIDES), table)


def rises_surely(
    labels: IndexArray, grid: Grid, structure: Structure, sensor: SensorModel
) -> BoolArray:
    """Return (n + 1,) bool: which labels' mean height over their support noise cannot explain.

    The mean of a patch is off by the sensor's spread, times what its grain leaves after averaging
    over the patch, and by the slow warp of planes. Without a support all labels count as sure.

    :param labels: (h, w) int32.
    :param sensor: errors of the frame's ranges.
    """
    count = int(labels.max()) + 1
    if not structure.supports:
        return np.ones(count, bool)
    at = labels > 0
    of, points = labels[at], grid.points[at]
    height = np.full(len(points), np.inf, np.float32)
    for support in structure.supports:
        over = support.height(points)
        np.minimum(height, over, out=height, where=over > -BELOW_M)
    height[~np.isfinite(height)] = 0
    cells = np.bincount(of, minlength=count).astype(np.float64)
    share = 1 / np.maximum(cells, 1)
    mean = np.bincount(of, height, count) * share
    z = np.bincount(of, points[:, 2], count) * share
    noise = sensor.axial_sigma(z) * left_after(sensor, cells, grid.step)
    sure: BoolArray = mean > SURE_SIGMAS * noise + 2 * sensor.warp * np.square(z)
    return sure
