# SPDX-License-Identifier: Apache-2.0
"""What goes wrong before an object is completed: its mask is not the true one, or it returns no
range, as glass, chrome and black plastic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, Frame, Instances
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.world.truth import FrameTruth

MISSED = 0.05
"""Share of the objects that are not found at all."""
LEAK_M = 0.02
"""How far before or behind an object its mask may leak."""
GRAIN_PX = 8.0
"""Size of the spots in which returns are lost or kept together."""
SEEN_THROUGH = 0.4
"""Share of the things through which the support is seen, instead of nothing."""
MOST_BEHIND, MOST_OWN = 0.45, 0.28
"""Largest share of their pixels with a return of the support, and of their own: with more of its
own, a thing has a depth."""


def segmented(
    masks: BoolArray,
    index: int,
    true_depth_m: Float32Array,
    depth_m: Float32Array,
    rng: np.random.Generator,
) -> BoolArray:
    """Return (H, W) bool, a wrong mask of one object, empty when it is not found.

    Pixels with a return far before or behind the object never belong to the mask, as segmenters
    that see depth ensure.

    :param masks: (N, H, W) bool true masks of all objects.
    :param true_depth_m: (H, W) float32 metres, without the sensor's errors.
    :param depth_m: (H, W) float32 metres, NaN = no return.
    """
    true = masks[index]
    if not true.any() or rng.random() < MISSED:
        return np.zeros_like(true)
    other = int(rng.integers(len(masks)))
    neighbour = masks[other] if other != index and masks[other].any() else None
    wrong = corrupt_mask(true, neighbour, rng)
    own = true_depth_m[true]
    far = (depth_m < own.min() - LEAK_M) | (depth_m > own.max() + LEAK_M)
    return wrong & ~far


def corrupt_mask(
    mask: BoolArray, neighbour: BoolArray | None, rng: np.random.Generator
) -> BoolArray:
    """Return (H, W) bool mask as a segmenter might give it: right, wobbly, cut, too large.

    :param neighbour: mask of another object that may leak in, or None.
    """
    kind = rng.random()
    if kind < 0.3:
        return mask
    if kind < 0.8:
        return _wobble(mask, rng)
    if kind < 0.9 or neighbour is None:
        return _cut(mask, rng.uniform(0.05, 0.35), rng)
    return mask | (neighbour & ~_cut(neighbour, rng.uniform(0.05, 0.3), rng))


def _wobble(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Move the outline by up to some pixels: a constant (erosion, dilation) and a smooth part."""
    size = float(np.sqrt(mask.sum()))
    inner = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outer = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    noise = cv2.GaussianBlur(rng.standard_normal(mask.shape, np.float32), (0, 0), 4.0) * 14.0
    limit = min(3.0, 0.06 * size)
    shift = rng.uniform(-limit, limit) + noise * rng.uniform(0.0, 0.5 * limit)
    moved: BoolArray = inner - outer + shift > 0.5
    return moved


def _cut(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Cut off about ``share`` of a mask along a random straight line."""
    rows, columns = np.nonzero(mask)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    kept = along >= np.quantile(along, share)
    out = np.zeros_like(mask)
    out[rows[kept], columns[kept]] = True
    return out


def without_returns(
    frame: Frame,
    truth: FrameTruth,
    instances: Instances,
    lost: Sequence[int],
    rng: np.random.Generator,
) -> Frame:
    """Return a frame in which some objects have hardly a return of their own.

    :param frame: with returns of all.
    :param truth: says which pixels are whose.
    :param instances: its masks, one for each object, with what they stand on.
    :param lost: indices of the objects that lose theirs.
    :param rng: draws how many are left, and where.
    """
    pointmap = frame.pointmap.copy()
    for index in lost:
        own = truth.instances == index + 1
        support = instances.items[index].support
        seen_through = support >= 0 and rng.random() < SEEN_THROUGH
        kept = _spots(own, rng.uniform(0.0, MOST_OWN) if rng.random() < 0.5 else 0.0, rng)
        behind = _spots(own, rng.uniform(0.0, MOST_BEHIND), rng) & ~kept
        pointmap[own & ~kept] = np.nan
        if seen_through:
            plane = instances.supports[support]
            through = rays(frame.camera)[behind].astype(np.float64)
            falls = -(through @ plane.normal)
            depth_m = np.where(falls > 1e-3, plane.offset_m / np.maximum(falls, 1e-3), np.nan)
            depth_m += frame.sensor.axial_sigma(depth_m) * rng.standard_normal(len(depth_m))
            pointmap[behind] = through * depth_m[:, None]
    return replace(frame, pointmap=pointmap)


def _spots(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """(H, W) bool: about so large a share of a mask, in spots."""
    spots = np.zeros_like(mask)
    rows, columns = np.nonzero(mask)
    if share == 0.0 or not len(rows):
        return spots
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    field = cv2.GaussianBlur(
        rng.standard_normal(mask[box].shape, np.float32), (0, 0), GRAIN_PX / 2
    )
    inside = mask[box]
    spots[box] = inside & (field >= np.quantile(field[inside], 1.0 - share))
    return spots
