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
from sam3d_ros.segmentation.mini.inputs import AVERAGED_CELLS, Observation
from sam3d_ros.segmentation.partition.affinity import Network, read_network
from sam3d_ros.segmentation.partition.cues import Cues
from sam3d_ros.segmentation.partition.partition import Cut
from sam3d_ros.segmentation.partition.significance import left_after

LIMIT = 4.0


def part_features(
    cut: Cut, labels: IndexArray, seen: Observation, cues: Cues, sensor: SensorModel
) -> Float32Array:
    """Return (n + 1, F) float32 features of labels 0..n, each about -1..1; row 0 means nothing.

    :param labels: (h, w) int32, patches of ``cut`` or sets of them.
    :param sensor: errors of the frame's ranges.
    """
    sums = part_sums(cut, labels, seen, cues)
    has_support = bool(seen.height.any())
    return features_of(sums, rim_share(labels), has_support, sensor, cut.grid.step)


def part_sums(cut: Cut, labels: IndexArray, seen: Observation, cues: Cues) -> FloatArray:
    """Return (n + 1, 11) sums over the cells of each label; those of a set of labels add up.

    Cells; log-odds of a thing, their squares, the odds as probability; cells inside and covered;
    cells with a return, their height, spread and range; cells at the picture's edge.

    :param labels: (h, w) int32 labels 0..n; row 0 is of the rest and means nothing.
    """
    count = int(labels.max()) + 1
    at = np.nonzero(labels)
    thing, valid = np.clip(cues.thing[at], -8, 8), seen.valid[at]
    rows, columns = labels.shape
    edge = (at[0] == 0) | (at[0] == rows - 1) | (at[1] == 0) | (at[1] == columns - 1)
    values = (
        np.ones(len(thing)),
        thing,
        thing * thing,
        1 / (1 + np.exp(-thing)),
        cut.inside[at],
        cut.covered[at],
        valid,
        seen.height[at] * valid,
        seen.spread[at] * valid,
        seen.points[..., 2][at] * valid,
        edge,
    )
    of = labels[at]
    return np.stack([np.bincount(of, value, count) for value in values], axis=1)


def rim_share(labels: IndexArray) -> FloatArray:
    """Return (n + 1,) the share of each label's cells that touch another label."""
    value, square = labels.astype(np.float32), np.ones((3, 3), np.uint8)
    rim = labels[cv2.erode(value, square) != cv2.dilate(value, square)]
    count = int(labels.max()) + 1
    cells = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    share: FloatArray = np.bincount(rim, minlength=count) / cells
    return share


def features_of(
    sums: FloatArray, rim: FloatArray, has_support: bool, sensor: SensorModel, step: int
) -> Float32Array:
    """Return (n + 1, F) float32 features of parts, see :func:`part_features`.

    :param sums: (n + 1, 11) of :func:`part_sums`.
    :param rim: (n + 1,) of :func:`rim_share`.
    :param has_support: whether heights are known.
    :param step: pixels of the frame per cell.
    """
    area = np.maximum(sums[:, 0], 1)
    middle, square, share, inside, covered, known = (sums[:, 1:7] / area[:, None]).T
    known = np.maximum(known, 1e-6)
    height, spread, z = (sums[:, 7:10] / (area * known)[:, None]).T
    edge = sums[:, 10] / area
    spread = np.maximum(spread, 1e-5)
    left = left_after(sensor, area * known, step)
    unit = np.maximum(sensor.left_after(AVERAGED_CELLS * step, step), 1e-6)
    surely = height / (spread / unit * left)
    deviation = np.sqrt(np.maximum(square - middle**2, 0))
    columns = [
        middle / 3,
        deviation / 2,
        2 * share - 1,
        2 * inside - 1,
        covered,
        np.log1p(area) / 4 - 1,
        np.arcsinh(height / spread) / 2,
        np.arcsinh(surely) / 3,
        height * 10,
        np.log10(spread) + 3,
        edge * 3,
        2 * rim - 1,
        np.where(known > 1e-3, z - 1, 0),
        np.full(len(sums), float(has_support)),
    ]
    return np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)


@lru_cache(maxsize=1)
def thing_network() -> Network:
    """Return the network that comes with this package: log-odds of being part of a thing."""
    return read_network(files(__package__) / 'things.npz')
