# SPDX-License-Identifier: Apache-2.0
"""Depth that was splatted onto a larger image: a lattice of holes one or two pixels wide.

Some drivers register a small depth image to a large colour image by moving every pixel forward;
what lies between two moved pixels stays empty although the sensor has seen it. Isolated holes of
a dense sensor are left as they are: there the sensor saw nothing.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array

LATTICE_SHARE = 0.1
"""Share of the pixels that closing must fill for the holes to be a lattice, not dropouts."""

GAPS = ((1, 1), (1, 2), (2, 1))
"""Distances to the returns on both sides of a hole, px."""

SAMPLE_STEP = 16
"""One row and one column in so many tells whether there is a lattice."""

SAME_SURFACE = 0.015
"""Both sides belong to one surface when their depths differ by less than this share."""


def close_lattice(depth_m: Float32Array) -> Float32Array:
    """Return (H, W) depth with the holes of a lattice closed; the input itself when there is none.

    A hole takes the value between the returns on both sides, along the row, then along the column,
    linear in inverse depth (a plane stays a plane), and only where both lie on one surface.

    :param depth_m: (H, W) float32 metres, NaN = no return.
    """
    if not _is_lattice(depth_m):
        return depth_m
    return _between(_between(depth_m, axis=1), axis=0)


def _is_lattice(depth_m: Float32Array) -> bool:
    """Return whether many pixels of a few rows and columns lie between two near returns."""
    few = (depth_m[SAMPLE_STEP // 2 :: SAMPLE_STEP], depth_m[:, SAMPLE_STEP // 2 :: SAMPLE_STEP].T)
    open_before = sum(int(np.isnan(lines).sum()) for lines in few)
    open_after = sum(int(np.isnan(_between(lines, axis=1)).sum()) for lines in few)
    return open_before - open_after >= LATTICE_SHARE * sum(lines.size for lines in few)


def _between(depth_m: Float32Array, axis: int) -> Float32Array:
    inverse = np.reciprocal(depth_m)
    reach = max(max(gap) for gap in GAPS)
    width = [(0, 0), (0, 0)]
    width[axis] = (reach, reach)
    padded = np.pad(inverse, width, constant_values=np.nan)
    size = depth_m.shape[axis]

    def shifted(by: int) -> Float32Array:
        start = reach + by
        return padded[:, start : start + size] if axis == 1 else padded[start : start + size]

    result = inverse.copy()
    for before, after in GAPS:
        low, high = shifted(-before), shifted(after)
        with np.errstate(invalid='ignore'):
            one_surface = np.abs(low - high) < SAME_SURFACE * np.maximum(low, high)
        hole = one_surface & ~np.isfinite(result)
        value = (after * low + before * high) / np.float32(before + after)
        result[hole] = value[hole]
    return np.reciprocal(result)
