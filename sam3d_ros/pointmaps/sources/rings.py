# SPDX-License-Identifier: Apache-2.0
"""Between the rings of a LiDAR: a range goes with those of the rings above and below.

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
# A surface may lean so much between dense rings, and where edges tell, as a share of its range; so
# near to a ring, in steps of two pixels, it is met.
_SLOPE, _SLOPE_JOINED, _REACH = 0.09, 0.05, 1


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """Where returns lie in an image: (N,) row and column, px, and inverse depth, 1/m."""

    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    inverse: FloatArray


def drop_parted(inverse: Float32Array, met: Met, flat: BoolArray, rgb: ByteArray | None) -> None:
    """Make NaN of pixels between rings that do not go with the returns above and below.

    A range lies between those of both rings, or leans a little beyond. Where rings are far apart,
    edges of the image tell which of both count: what the colours change by is summed up along a
    column; a pixel that is parted from both rings shows a thing that neither met. Where one plane
    explains all returns around, edges are its pattern. Every second pixel is looked at.

    :param inverse: (H, W) inverse depth, 1/m, NaN = not known; written to.
    :param met: the returns.
    :param flat: (H, W) bool, one plane explains all returns around.
    :param rgb: (H, W, 3) uint8 the image; None = rings are dense, edges are not looked at.
    """
    height, width = inverse.shape
    ring: Float32Array = np.zeros((height, width), np.float32)
    ring[met.row, met.column] = met.inverse
    wide = np.ones((2, _RING_PX), np.uint8)
    ring = np.asarray(cv2.dilate(ring, wide, anchor=(-1, 0))[::2, ::2], np.float32)
    last = len(ring) - 1
    row, column = np.arange(last + 1)[:, None], np.arange(ring.shape[1])[None]
    above = np.maximum.accumulate(np.where(ring > 0, row, -last), axis=0)
    below = np.minimum.accumulate(np.where(ring > 0, row, 2 * last + 1)[::-1], axis=0)[::-1]
    passed = None if rgb is None else _passed(rgb)
    farthest, nearest = np.full(ring.shape, np.inf, np.float32), np.zeros(ring.shape, np.float32)
    for at in (above, below):
        inside = np.clip(at, 0, last)
        joined = inside == at
        if passed is not None:
            joined &= np.abs(passed - passed[inside, column]) < _PARTED
        there = ring[inside, column]
        farthest = np.where(joined, np.minimum(farthest, there), farthest)
        nearest = np.where(joined, np.maximum(nearest, there), nearest)
    few = inverse[::2, ::2]
    slope = _SLOPE if passed is None else _SLOPE_JOINED
    is_wrong = ~((few > (1 - slope) * farthest) & (few < (1 + slope) * nearest))
    if passed is None:
        is_wrong &= nearest > 0
    else:
        is_away = (row - above > _REACH) & (below - row > _REACH)
        is_wrong &= (nearest > 0) | is_away
    is_wrong = is_wrong.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    inverse[is_wrong & ~flat] = np.nan


def _passed(rgb: ByteArray) -> npt.NDArray[np.int32]:
    """Return what the colours of every second pixel have changed by from the top on."""
    smooth = np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), 1.0)[:, ::2])
    change = np.zeros(smooth.shape[:2], np.int32)
    change[1:] = cv2.absdiff(smooth[1:], smooth[:-1]).sum(axis=2, dtype=np.int32)
    return np.cumsum(np.maximum(change - _GRAIN, 0), axis=0, dtype=np.int32)[::2]
