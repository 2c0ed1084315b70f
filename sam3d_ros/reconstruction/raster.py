# SPDX-License-Identifier: Apache-2.0
"""A small z-buffer: the depth of a mesh as a camera would see it, vectorised over faces.

Each face is tested against the pixels of its bounding box with barycentric coordinates; depth is
interpolated perspective-correctly (1/z is linear in the image).
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Camera, Float32Array, IndexArray

NEAREST_M = 0.02


def render_depth(vertices_cam: Float32Array, faces: IndexArray, camera: Camera) -> Float32Array:
    """Return (H, W) float32 z-depth of a mesh in the optical frame, inf where it is not.

    Faces that reach nearer than 2 cm to the camera's plane are left out.
    """
    depth = np.full(camera.height * camera.width, np.inf, np.float32)
    z = vertices_cam[:, 2].astype(np.float64)
    safe = np.maximum(z, NEAREST_M)
    u = vertices_cam[:, 0] / safe * camera.fx + camera.cx
    v = vertices_cam[:, 1] / safe * camera.fy + camera.cy
    faces = faces[(z[faces] > NEAREST_M).all(axis=1)]
    fu, fv, inverse_z = u[faces], v[faces], 1.0 / safe[faces]
    left = np.clip(np.ceil(fu.min(axis=1)), 0, camera.width).astype(np.int64)
    right = np.clip(np.floor(fu.max(axis=1)) + 1, 0, camera.width).astype(np.int64)
    top = np.clip(np.ceil(fv.min(axis=1)), 0, camera.height).astype(np.int64)
    bottom = np.clip(np.floor(fv.max(axis=1)) + 1, 0, camera.height).astype(np.int64)
    wide, high = np.maximum(right - left, 0), np.maximum(bottom - top, 0)
    count = wide * high
    face = np.repeat(np.arange(len(faces)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    column = left[face] + within % np.maximum(wide[face], 1)
    row = top[face] + within // np.maximum(wide[face], 1)
    weights = _barycentric(fu[face], fv[face], column, row)
    hit = np.flatnonzero(weights.min(axis=0) >= -1e-9)
    z_hit = 1.0 / np.einsum('cm,mc->m', weights[:, hit], inverse_z[face[hit]])
    np.minimum.at(depth, row[hit] * camera.width + column[hit], z_hit.astype(np.float32))
    return depth.reshape(camera.height, camera.width)


def _barycentric(u: np.ndarray, v: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(3, M) barycentric coordinates of pixels in (M, 3)-cornered faces; -1 when degenerate."""
    ax, ay = u[:, 0] - column, v[:, 0] - row
    bx, by = u[:, 1] - column, v[:, 1] - row
    cx, cy = u[:, 2] - column, v[:, 2] - row
    weights = np.stack([bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx])
    area = weights.sum(axis=0)
    fine = np.abs(area) > 1e-12
    return np.where(fine, weights / np.where(fine, area, 1.0), -1.0)
