# SPDX-License-Identifier: Apache-2.0
"""The object frame: centre of the upright oriented box, z up, x along the longest side."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import transform

ALIKE = 0.05
"""Horizontal extents that differ by less than this share do not give x its direction."""


def object_frame(vertices: Float32Array, up: FloatArray, forward: FloatArray) -> FloatArray:
    """Return the (4, 4) transform from the object frame to the frame of the vertices.

    :param vertices: (V, 3) surface of the object.
    :param up: (3,) unit vector, becomes z.
    :param forward: (3,) the camera's optical axis; gives x its sign, and its direction when the
        box is square from above.
    """
    x, y = _horizontal_axes(up, forward)
    flat = vertices.astype(np.float64) @ np.stack([x, y], axis=1)
    along, extents = _rectangle(flat)
    if extents.max() < (1.0 + ALIKE) * extents.min():
        along = np.array([1.0, 0.0])
    elif along[0] < 0 or (along[0] == 0 and along[1] < 0):
        along = -along
    axis_x = along[0] * x + along[1] * y
    R = np.stack([axis_x, np.cross(up, axis_x), up], axis=1)
    local = vertices.astype(np.float64) @ R
    return transform(R, R @ (0.5 * (local.min(axis=0) + local.max(axis=0))))


def _horizontal_axes(up: FloatArray, forward: FloatArray) -> tuple[FloatArray, FloatArray]:
    level = forward - up * (up @ forward)
    if np.linalg.norm(level) < 1e-6:
        level = np.eye(3)[np.argmin(np.abs(up))]
        level = level - up * (up @ level)
    x = level / np.linalg.norm(level)
    return x, np.cross(up, x)


def _rectangle(flat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction of the longer side of the smallest rectangle around 2D points, and its sides."""
    corners = cv2.boxPoints(cv2.minAreaRect(flat.astype(np.float32))).astype(np.float64)
    sides = np.stack([corners[1] - corners[0], corners[2] - corners[1]])
    extents = np.linalg.norm(sides, axis=1)
    longest = int(np.argmax(extents))
    return sides[longest] / max(extents[longest], 1e-12), extents
