# SPDX-License-Identifier: Apache-2.0
"""Limbs: what stands off a thing and is thinner than it, as handles, necks, legs and stems do."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array


def limb_at(things: BoolArray, row: int, column: int, margin_px: float) -> BoolArray:
    """Return the limb of a thing that a pixel is on, empty where there is none.

    The silhouette is opened by a disc that is larger than the thing is thick at that pixel (Serra,
    "Image Analysis and Mathematical Morphology", 1982, chapter 2); the limb is the piece of the
    remainder that the pixel is in.

    :param things: (H, W) bool, the pixels of all things.
    :param row: of the pixel, one of them.
    :param column: of the pixel.
    :param margin_px: by how much the disc's radius is larger than half the thickness.
    """
    limb = np.zeros_like(things)
    own = _connected(things, row, column)
    left, top, width, height = cv2.boundingRect(own.view(np.uint8))
    near = np.pad(own[top : top + height, left : left + width], 1)
    row, column = row - top + 1, column - left + 1
    inner = _distance(near)
    # A click beside the middle of a limb means all of its thickness.
    reach = max(1, round(float(inner[row, column]))) + 1
    around = inner[
        max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
    ]
    disc = max(float(around.max()), 1.0) + margin_px
    if (inner > disc).any():
        rest = near & (_distance(inner <= disc) > disc)
        found = _connected(rest, row, column)[1:-1, 1:-1]
        limb[top : top + height, left : left + width] = found
    return limb


def _distance(mask: BoolArray) -> Float32Array:
    """Return (H, W) float32 pixels from each pixel of a mask to the nearest one off it."""
    distance: Float32Array = np.asarray(
        cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5), np.float32
    )
    return distance


def _connected(mask: BoolArray, row: int, column: int) -> BoolArray:
    """Return the piece of a mask that a pixel is in, empty where it is in none."""
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    found: BoolArray = (labels == labels[row, column]) & mask & mask[row, column]
    return found
