# SPDX-License-Identifier: Apache-2.0
"""The object frame: centre of the upright oriented box around what was seen of an object and
the ground it stands on, z up, x along the longest side.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray, Mesh
from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.reconstruction.evidence.grid import SUPPORT_REACH, Grid, support_plane
from sam3d_ros.reconstruction.views import View

ALIKE = 0.05
"""Horizontal extents that differ by less than this share do not give x its direction."""

SEEN_POINTS = 1000
"""Points that say as well as all what was seen of an object."""


def seen_points(views: Sequence[View]) -> Mesh:
    """Return what views show of an object as a mesh of coloured points, without faces.

    :param views: at least one, all with the same ref, which the points are in.
    """
    most = max(SEEN_POINTS // len(views), 1)
    points, colors = [], []
    for view in views:
        pixels = np.flatnonzero(view.own)
        pixels = pixels[np.linspace(0, len(pixels) - 1, min(most, len(pixels))).astype(np.intp)]
        points.append(apply(view.T_ref_cam, view.pointmap.reshape(-1, 3)[pixels]))
        colors.append(view.rgb.reshape(-1, 3)[pixels])
    return Mesh(
        vertices_m=np.concatenate(points),
        faces=np.zeros((0, 3), np.int32),
        colors=np.concatenate(colors),
        face_labels=np.zeros(0, np.uint8),
        face_confidence=np.zeros(0, np.float32),
    )


def standing(points: Float32Array, views: Sequence[View], up: FloatArray) -> Float32Array:
    """Return points and, where their object stands on the support, their feet on it.

    :param points: (N, 3) what was seen of the object, in the views' ref.
    :param views: all with the same ref.
    :param up: (3,) unit vector, ref.
    """
    plane = support_plane(views, Grid(1, 1.0, np.eye(4)))
    if plane is None or plane[:3] @ up <= 0:
        return points
    heights = (points @ plane[:3] + plane[3]) / (plane[:3] @ up)
    if not 0 < heights.min() < SUPPORT_REACH * np.ptp(points @ up):
        return points
    return np.concatenate([points, points - heights[:, None] * up]).astype(np.float32)


def object_frame(vertices: Float32Array, up: FloatArray, forward: FloatArray) -> FloatArray:
    """Return the (4, 4) transform from the object frame to the frame of the vertices.

    :param vertices: (V, 3) points on the object.
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
