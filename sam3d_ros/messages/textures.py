# SPDX-License-Identifier: Apache-2.0
"""Textures as bytes: the image as PNG, the places of face corners as a flat array."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Texture


def encode_png(image: ByteArray) -> bytes:
    """Return an (h, w, 3) uint8 RGB image as PNG; equal images give equal bytes."""
    _, png = cv2.imencode('.png', image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return png.tobytes()


def texture_from(message: Any, faces: int) -> Texture:
    """Return the texture in a GetTexture response for a mesh of so many faces.

    :raises InputError: when it does not fit the mesh or the image cannot be read.
    """
    uv = np.array(message.uv, np.float32)
    if len(uv) != 6 * faces:
        raise InputError(f'a texture of {len(uv) / 6:g} faces', wanted=f'one of {faces}')
    image = cv2.imdecode(np.array(message.png, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError('a texture whose image cannot be read', wanted='a PNG')
    return Texture(np.ascontiguousarray(image[..., ::-1], np.uint8), uv.reshape(-1, 3, 2))
