# SPDX-License-Identifier: Apache-2.0
"""Between the rings of a LiDAR that has few: what edges of the image say about who met what.

Rings that are as far apart as things are high meet some of these and miss others. A plane through
the returns then bridges things that no return is of; colours change where it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray

# Along a column: how wide a return is, px; changes of colour that are noise, and those that part.
_RING_PX, _GRAIN, _PARTED = 5, 3, 40
# A surface may lean so much between rings, as a share of its range; nearer to one it is met, px.
_SLOPE, _REACH_PX = 0.05, 2


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """Where returns lie in an image: (N,) row and column, px, and inverse depth, 1/m."""

    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    inverse: FloatArray


def drop_parted(inverse: Float32Array, met: Met, flat: BoolArray, rgb: ByteArray) -> None:
    """Make NaN of pixels between rings that edges of the image part from the returns around.

    Along a column, what the colours change by is summed up. A pixel that is parted from the rings
    above and below shows a thing that no ring met; one that is joined to some has a range between
    theirs. Where one plane explains all returns around, edges are its pattern. Every second column
    is looked at.

    :param inverse: (H, W) inverse depth, 1/m, NaN = not known; written to.
    :param met: the returns.
    :param flat: (H, W) bool, one plane explains all returns around.
    :param rgb: (H, W, 3) uint8 the image.
    """
    height, width = inverse.shape
    ring: Float32Array = np.zeros((height, width), np.float32)
    np.maximum.at(ring, (met.row, met.column), met.inverse.astype(np.float32))
    wide = np.ones((1, _RING_PX), np.uint8)
    ring = np.asarray(cv2.dilate(ring, wide)[:, ::2], np.float32)
    smooth = np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), 1.0)[:, ::2])
    change = np.zeros(ring.shape, np.int32)
    change[1:] = cv2.absdiff(smooth[1:], smooth[:-1]).sum(axis=2, dtype=np.int32)
    passed = np.cumsum(np.maximum(change - _GRAIN, 0), axis=0, dtype=np.int32)
    row, column = np.arange(height, dtype=np.int32)[:, None], np.arange(ring.shape[1])[None]
    above = np.maximum.accumulate(np.where(ring > 0, row, -height), axis=0)
    below = np.minimum.accumulate(np.where(ring > 0, row, 2 * height)[::-1], axis=0)[::-1]
    farthest, nearest = np.full(ring.shape, np.inf, np.float32), np.zeros(ring.shape, np.float32)
    for at in (above, below):
        inside = np.clip(at, 0, height - 1)
        joined = (np.abs(passed - passed[inside, column]) < _PARTED) & (inside == at)
        there = ring[inside, column]
        farthest = np.where(joined, np.minimum(farthest, there), farthest)
        nearest = np.where(joined, np.maximum(nearest, there), nearest)
    few = inverse[:, ::2]
    is_between = (few > (1 - _SLOPE) * farthest) & (few < (1 + _SLOPE) * nearest)
    is_away = (row - above > _REACH_PX) & (below - row > _REACH_PX)
    is_wrong = np.where(nearest == 0, is_away, ~is_between)
    inverse[is_wrong.repeat(2, axis=1)[:, :width] & ~flat] = np.nan
