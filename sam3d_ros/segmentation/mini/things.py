# SPDX-License-Identifier: Apache-2.0
"""Is a patch part of a thing, or of a support, a wall, the noise on one?

A small network (evaluated in numpy) weighs what the encoder sees in the patch against how surely
the patch rises over its support, given the spread and the grain of the sensor.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.affinity import Network, read_network
from sam3d_ros.segmentation.cues import Cues
from sam3d_ros.segmentation.mini.inputs import AVERAGED_CELLS, Observation
from sam3d_ros.segmentation.partition import Cut
from sam3d_ros.segmentation.significance import left_after

LIMIT = 4.0


def part_features(
    cut: Cut, labels: IndexArray, seen: Observation, cues: Cues, sensor: SensorModel
) -> Float32Array:
    """Return (n + 1, F) float32 features of labels 0..n, each about -1..1; row 0 means nothing.

    :param labels: (h, w) int32, patches of ``cut`` or sets of them.
    :param sensor: errors of the frame's ranges.
    """
    count = int(labels.max()) + 1
    at = np.nonzero(labels)
    of = labels[at]
    area = np.maximum(np.bincount(of, minlength=count), 1).astype(np.float64)

    def mean(values: np.ndarray) -> FloatArray:
        return np.bincount(of, values, count) / area

    thing = np.clip(cues.thing[at], -8, 8)
    share = 1 / (1 + np.exp(-thing))
    valid = seen.valid[at]
    known = np.maximum(mean(valid), 1e-6)
    height = mean(seen.height[at] * valid) / known
    spread = np.maximum(mean(seen.spread[at] * valid) / known, 1e-5)
    left = left_after(sensor, area * known, cut.grid.step)
    window = AVERAGED_CELLS * cut.grid.step
    unit = np.maximum(sensor.left_after(window, cut.grid.step), 1e-6)
    surely = height / (spread / unit * left)
    middle = mean(thing)
    deviation = np.sqrt(np.maximum(mean(thing * thing) - middle**2, 0))
    rows, columns = labels.shape
    edge = (at[0] == 0) | (at[0] == rows - 1) | (at[1] == 0) | (at[1] == columns - 1)
    square = np.ones((3, 3), np.uint8)
    value = labels.astype(np.float32)
    rim = (cv2.erode(value, square) != cv2.dilate(value, square))[at]
    z = mean(seen.points[..., 2][at] * valid) / known
    columns_of = [
        middle / 3,
        deviation / 2,
        2 * mean(share) - 1,
        2 * mean(cut.inside[at]) - 1,
        mean(cut.covered[at]),
        np.log1p(area) / 4 - 1,
        np.arcsinh(height / spread) / 2,
        np.arcsinh(surely) / 3,
        height * 10,
        np.log10(spread) + 3,
        mean(edge) * 3,
        2 * mean(rim) - 1,
        np.where(known > 1e-3, z - 1, 0),
        np.full(count, float(seen.height.any())),
    ]
    return np.clip(np.stack(columns_of, axis=1), -LIMIT, LIMIT).astype(np.float32)


@lru_cache(maxsize=1)
def thing_network() -> Network:
    """Return the network that comes with this package: log-odds of being part of a thing."""
    return read_network(files(__package__) / 'things.npz')
