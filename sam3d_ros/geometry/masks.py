# SPDX-License-Identifier: Apache-2.0
"""Masks and boxes in the image, and how far two of them agree."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray


def mask_box(mask: BoolArray) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom (px, half open) of an (H, W) mask, or None when empty."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (left, top, left + width, top + height) if width else None


def mask_iou(a: BoolArray, b: BoolArray) -> float:
    """Return the IoU of two masks, 0..1; 0 when both are empty.

    :param a: (H, W) bool.
    :param b: (H, W) bool.
    """
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def box_iou(a: FloatArray, b: FloatArray) -> float:
    """Return the IoU of two boxes, 0..1; 1 when both are empty.

    :param a: (4,) left, top, right, bottom, px.
    :param b: (4,) the same.
    """
    sides = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), a[2:] - a[:2], b[2:] - b[:2])
    shared, own, other = (float(np.prod(np.maximum(side, 0))) for side in sides)
    union = own + other - shared
    return shared / union if union > 0 else 1.0
