# SPDX-License-Identifier: Apache-2.0
"""Pictures laid around things: as paper around a box, or as a label around a can.

Both wraps cut one atlas of six panels, :data:`COLUMNS` x :data:`ROWS`, out of which each face
takes its part.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.world.solid import Texture

PANEL_PX = 256
COLUMNS, ROWS = 3, 2
UPRIGHT_COS = 0.75
"""Faces that look up or down more steeply than this belong to a can's ends."""


def box_wrapped(
    vertices_m: Float32Array, faces: IndexArray, panels: Sequence[ByteArray]
) -> Texture:
    """Return the texture of six panels, each projected along one axis.

    :param vertices_m: (V, 3) float32, metres.
    :param faces: (F, 3) indices of vertices.
    :param panels: (h, w, 3) uint8 pictures of the sides +x, -x, +y, -y, +z, -z.
    """
    normals = _face_normals(vertices_m, faces)
    axis = np.argmax(np.abs(normals), axis=1)
    is_back = np.take_along_axis(normals, axis[:, None], axis=1)[:, 0] < 0
    share = _shares(vertices_m)[faces]
    pick = np.arange(len(faces))
    u = share[pick, :, np.where(axis == 0, 1, 0)]
    v = share[pick, :, np.where(axis == 2, 1, 2)]
    # Seen from outside, a picture runs from left to right.
    is_mirrored = np.where(axis == 1, ~is_back, is_back)
    u = np.where(is_mirrored[:, None], 1 - u, u)
    return _atlas(2 * axis + is_back, np.stack([u, v], axis=-1), panels)


def tube_wrapped(
    vertices_m: Float32Array, faces: IndexArray, label: ByteArray, ends: Sequence[ByteArray]
) -> Texture:
    """Return the texture of a label around the z axis and two ends.

    :param vertices_m: (V, 3) float32, metres.
    :param faces: (F, 3) indices of vertices.
    :param label: (h, w, 3) uint8; it goes round once, its top is up.
    :param ends: (h, w, 3) uint8 pictures of the upper and the lower end.
    """
    normals = _face_normals(vertices_m, faces)
    corners = vertices_m[faces]
    turn = np.arctan2(corners[..., 1], corners[..., 0]) / (2 * np.pi) + 0.5
    turn = np.where(turn - turn[:, :1] > 0.5, turn - 1, turn)
    turn = np.where(turn - turn[:, :1] < -0.5, turn + 1, turn)
    share = _shares(vertices_m)[faces]
    # The label is cut into four panels; a face takes the one that its middle is in.
    quarter = np.clip((turn.mean(axis=1) % 1.0 * 4).astype(int), 0, 3)
    start = np.floor(turn.mean(axis=1) * 4) / 4
    is_end = np.abs(normals[:, 2]) > UPRIGHT_COS
    across = np.where(is_end[:, None], share[..., 0], (turn - start[:, None]) * 4)
    along = np.where(is_end[:, None], share[..., 1], share[..., 2])
    panel = np.where(is_end, np.where(normals[:, 2] > 0, 4, 5), quarter)
    parts = np.array_split(label, 4, axis=1)
    return _atlas(panel, np.stack([across, along], axis=-1), [*parts, *ends])


def vertex_colors(faces: IndexArray, count: int, texture: Texture) -> ByteArray:
    """Return (count, 3) uint8 colours of the texture at the vertices of (F, 3) faces."""
    rows, columns = texture.image.shape[:2]
    at = texture.uv.reshape(-1, 2)
    column = np.clip((at[:, 0] * columns).astype(int), 0, columns - 1)
    row = np.clip(((1 - at[:, 1]) * rows).astype(int), 0, rows - 1)
    colors = np.zeros((count, 3), np.uint8)
    colors[faces.reshape(-1)] = texture.image[row, column]
    return colors


def _atlas(panel: IndexArray, at: FloatArray, panels: Sequence[ByteArray]) -> Texture:
    """Return the texture whose faces show (F, 3, 2) places, 0..1, of the (F,) panels."""
    size = (PANEL_PX, PANEL_PX)
    scaled = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in panels]
    rows = [np.hstack(scaled[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(ROWS)]
    inset = 1.0 / PANEL_PX
    within = np.clip(at, inset, 1 - inset)
    column, row = panel % COLUMNS, panel // COLUMNS
    u = (column[:, None] + within[..., 0]) / COLUMNS
    v = (ROWS - 1 - row[:, None] + within[..., 1]) / ROWS
    image = np.ascontiguousarray(np.vstack(rows), np.uint8)
    return Texture(image, np.stack([u, v], axis=-1).astype(np.float32), is_filtered=True)


def _shares(vertices_m: Float32Array) -> FloatArray:
    """Return (V, 3) places of vertices within their box, 0..1."""
    low, high = vertices_m.min(axis=0), vertices_m.max(axis=0)
    shares: FloatArray = (vertices_m - low) / np.maximum(high - low, 1e-6)
    return shares


def _face_normals(vertices_m: Float32Array, faces: IndexArray) -> FloatArray:
    corners = vertices_m[faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: FloatArray = normals / np.maximum(length, 1e-15)
    return unit
