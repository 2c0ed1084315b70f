# SPDX-License-Identifier: Apache-2.0
"""Textures seen from afar: a pyramid of ever smaller pictures (Williams 1983), so that fine print
and far tiles blur into their mean instead of flickering."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, IndexArray
from sam3d_ros.world.solid import Texture

SMALLEST_PX = 4


class Pyramid:
    """A texture in levels of halved size.

    :param texture: its picture and where the faces are in it.
    :param corners_m: (F, 3, 3) float32 corners of the faces.
    """

    def __init__(self, texture: Texture, corners_m: Float32Array) -> None:
        levels = [texture.image]
        while min(levels[-1].shape[:2]) >= 2 * SMALLEST_PX:
            rows, columns = levels[-1].shape[:2]
            half = cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(half, np.uint8))
        self._texels = np.concatenate([level.reshape(-1, 3) for level in levels])
        sizes = np.array([level.shape[:2] for level in levels])
        self._rows, self._columns = sizes.T.astype(np.float32)
        self._first = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))[:-1]]).astype(np.int32)
        self._density = _texels_per_metre(texture, corners_m)

    def colors(
        self, at: Float32Array, face: IndexArray, footprint_m: Float32Array
    ) -> Float32Array:
        """Return (N, 3) float32 colours, 0..255, that pixels of some size on the surface see.

        :param at: (N, 2) float32 places in the picture, 0..1 and repeated beyond.
        :param face: (N,) int32 faces that the pixels show.
        :param footprint_m: (N,) float32 sides of the pixels, metres on the surface.
        """
        texels = np.take(self._density, face) * footprint_m
        # Rounded: a level serves from 0.7 to 1.4 of its own texels a pixel.
        level = np.log2(np.maximum(texels, 1)) + np.float32(0.5)
        level = np.minimum(level.astype(np.int32), len(self._first) - 1)
        rows, columns = np.take(self._rows, level), np.take(self._columns, level)
        u, v = at[:, 0], 1 - at[:, 1]
        u, v = u - np.floor(u), v - np.floor(v)
        # A place just below 0 is rounded up to the far border.
        column = np.minimum(u * columns, columns - 1).astype(np.int32)
        row = np.minimum(v * rows, rows - 1).astype(np.int32)
        index = np.take(self._first, level) + row * columns.astype(np.int32) + column
        return np.take(self._texels, index, axis=0).astype(np.float32)


def _texels_per_metre(texture: Texture, corners_m: Float32Array) -> Float32Array:
    """Return (F,) float32 of the finest level, the geometric mean over directions."""
    rows, columns = texture.image.shape[:2]
    u, v = np.moveaxis(texture.uv[:, 1:] - texture.uv[:, :1], 2, 0)
    in_texture = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) * rows * columns
    sides = corners_m[:, 1:] - corners_m[:, :1]
    in_space = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    density: Float32Array = np.sqrt(in_texture / np.maximum(in_space, 1e-12)).astype(np.float32)
    return density
