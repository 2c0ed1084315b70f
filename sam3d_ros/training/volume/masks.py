# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between an object's true mask and the one that a segmenter gives."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array

MISSED = 0.05
"""Share of the objects that are not found at all."""
LEAK_M = 0.02
"""How far before or behind an object its mask may leak."""


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
