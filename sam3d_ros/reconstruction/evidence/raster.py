# SPDX-License-Identifier: Apache-2.0
"""A small z-buffer: the depth of a mesh as a camera would see it, vectorised over faces.

Each face is tested against the pixels of its bounding box with barycentric coordinates; depth is
interpolated perspective-correctly (1/z is linear in the image).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import Camera, Float32Array, FloatArray, IndexArray

NEAREST_M = 0.02

Indices = npt.NDArray[np.int64]


def render_depth(vertices_cam: Float32Array, faces: IndexArray, camera: Camera) -> Float32Array:
    """Return (H, W) float32 z-depth of a mesh in the optical frame, inf where it is not.

    Faces that reach nearer than 2 cm to the camera's plane, or show their back, are left out.

    :param vertices_cam: (V, 3) float32, optical frame, metres.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    depth = np.full(camera.height * camera.width, np.inf, np.float32)
    z = vertices_cam[:, 2].astype(np.float64)
    safe = np.maximum(z, NEAREST_M)
    u = vertices_cam[:, 0] / safe * camera.fx + camera.cx
    v = vertices_cam[:, 1] / safe * camera.fy + camera.cy
    ahead = (z > NEAREST_M).take(faces)
    faces = faces[ahead[:, 0] & ahead[:, 1] & ahead[:, 2]]
    corners_px = np.stack([u, v], axis=1).take(faces, axis=0)
    front = turned(corners_px) < 0
    covered = cover(corners_px[front], camera.width, camera.height)
    inverse_z = (1.0 / safe)[faces[front][covered.face]]
    z_hit = 1.0 / np.einsum('mc,mc->m', covered.weights, inverse_z)
    np.minimum.at(depth, covered.pixel, z_hit.astype(np.float32))
    return depth.reshape(camera.height, camera.width)


def turned(corners_px: FloatArray) -> FloatArray:
    """Return (F,) twice the signed areas of (F, 3, 2) triangles, > 0 from columns to rows."""
    first, second = (corners_px[:, k] - corners_px[:, 0] for k in (1, 2))
    area: FloatArray = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return area


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Which pixels which triangles cover, M pairs.

    :param face: (M,) index of the triangle.
    :param pixel: (M,) flat index of the pixel, row by row.
    :param weights: (M, 3) float64 barycentric coordinates of the pixel's centre.
    """

    face: Indices
    pixel: Indices
    weights: FloatArray


def cover(corners_px: FloatArray, width: int, height: int) -> Cover:
    """Return the pixels (centres at whole numbers) of a width x height image in each triangle.

    :param corners_px: (F, 3, 2) float64 column and row of the corners.
    """
    u, v = corners_px[..., 0].T, corners_px[..., 1].T
    left, right = _span(u, width)
    top, bottom = _span(v, height)
    wide, high = np.maximum(right - left, 0), np.maximum(bottom - top, 0)
    count = wide * high
    face = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    down, across = np.divmod(within, np.maximum(wide, 1)[face])
    column, row = left[face] + across, top[face] + down
    a, b, c = _barycentric(u.take(face, axis=1), v.take(face, axis=1), column, row)
    hit = np.flatnonzero(np.minimum(np.minimum(a, b), c) >= -1e-9)
    weights = np.stack([a[hit], b[hit], c[hit]], axis=1)
    return Cover(face[hit], row[hit] * width + column[hit], weights)


def _span(corners: FloatArray, size: int) -> tuple[Indices, Indices]:
    """First pixel and one after the last between the (3, F) corners, of ``size`` pixels."""
    a, b, c = corners
    first = np.ceil(np.minimum(np.minimum(a, b), c))
    last = np.floor(np.maximum(np.maximum(a, b), c)) + 1
    return np.clip(first, 0, size).astype(np.int64), np.clip(last, 0, size).astype(np.int64)


def _barycentric(u: FloatArray, v: FloatArray, column: Indices, row: Indices) -> FloatArray:
    """(3, M) barycentric coordinates of M pixels in faces of (3, M) corners; -1 if degenerate."""
    (ax, bx, cx), (ay, by, cy) = u - column, v - row
    weights = np.stack([bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx])
    area = weights[0] + weights[1] + weights[2]
    fine = np.abs(area) > 1e-12
    return np.where(fine, weights / np.where(fine, area, 1.0), -1.0)
