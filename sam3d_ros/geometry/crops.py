# SPDX-License-Identifier: Apache-2.0
"""What an encoder of pictures sees of an object: a square around its mask, the rest faded."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray

SIDE_PX = 160
MARGIN = 0.12
"""Share of the longer side of its box that is left around an object."""
FADED = 0.75
"""How far what is not the object goes towards grey."""
GREY = 118
CLOSED = 9.0
"""Gaps of a mask that are narrower belong to the object, pixels of the crop."""


def crop(rgb: ByteArray, mask: BoolArray, box_px: tuple[int, int, int, int]) -> ByteArray:
    """Return the picture of :func:`crop_with_mask` alone; its arguments are the same."""
    return crop_with_mask(rgb, mask, box_px)[0]


def crop_with_mask(
    rgb: ByteArray, mask: BoolArray, box_px: tuple[int, int, int, int]
) -> tuple[ByteArray, BoolArray]:
    """Return a (SIDE, SIDE, 3) uint8 RGB picture of an object, and which of its pixels it shows.

    :param rgb: (H, W, 3) uint8.
    :param mask: (H, W) bool, its visible pixels.
    :param box_px: left, top, right, bottom of the mask, half open.
    """
    left, top, right, bottom = box_px
    side = (1 + 2 * MARGIN) * max(right - left, bottom - top)
    scale = SIDE_PX / side
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    T = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
    # Far things are enlarged smoothly; near ones are averaged, or their texture would alias.
    if scale < 1:
        rows = slice(max(0, top - 2), bottom + 2)
        blur = cv2.blur(rgb[rows], (round(1 / scale),) * 2)
        rgb = rgb.copy()
        rgb[rows] = blur
    size = (SIDE_PX, SIDE_PX)
    colors = cv2.warpAffine(rgb, T, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(GREY,) * 3)
    around = np.ones((max(3, round(CLOSED / scale)) | 1,) * 2, np.uint8)
    whole = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, around)
    own = cv2.warpAffine(whole.astype(np.float32), T, size)[..., None]
    shown = own + (1 - own) * (1 - FADED)
    picture = np.rint(GREY + shown * (colors.astype(np.float32) - GREY)).astype(np.uint8)
    return picture, own[..., 0] > 0.5
