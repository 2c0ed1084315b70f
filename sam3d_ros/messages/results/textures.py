# SPDX-License-Identifier: Apache-2.0
"""Textures as bytes."""

from __future__ import annotations

import cv2

from sam3d_ros.core.types import ByteArray


def encode_png(image: ByteArray) -> bytes:
    """Return an (h, w, 3) uint8 RGB image as PNG; equal images give equal bytes."""
    _, png = cv2.imencode('.png', image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return png.tobytes()
