# SPDX-License-Identifier: Apache-2.0
"""Boxes of masks in the image."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray


def mask_box(mask: BoolArray) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom (px, half open) of an (H, W) mask, or None when empty."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (left, top, left + width, top + height) if width else None
