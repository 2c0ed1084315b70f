# SPDX-License-Identifier: Apache-2.0
"""One solid made ready for ray casting: hits, smooth normals and colours in its own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from sam3d_ros.core.types import BoolArray, Float32Array, IndexArray
from sam3d_ros.world.solid import Solid

CREASE_COS = 0.8
"""Faces that differ from the smooth normal by more than 37 degrees keep their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """First hits of rays with a surface.

    :param t: (N,) float32 ray parameter, inf = no hit.
    :param face: (N,) int32 face index, meaningless without a hit.
    :param uv: (N, 2) float32 barycentric weights of the face's second and third corner.
    """

    t: Float32Array
    face: IndexArray
    uv: Float32Array


class Surface:
    """Casts rays at one solid and says what the hit points look like."""

    def __init__(self, solid: Solid) -> None:
        self.solid = solid
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(solid.vertices_m, solid.faces.astype(np.uint32))
        self._normals = corner_normals(solid)
        low, high = solid.vertices_m.min(axis=0), solid.vertices_m.max(axis=0)
        steps = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing='ij'), -1).reshape(8, 3)
        self.corners_m: Float32Array = low + steps * (high - low)

    def cast(self, origins: Float32Array, directions: Float32Array) -> Hits:
        """Return the first hits of rays given by (3,) or (N, 3) origins and (N, 3) directions."""
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3] = origins
        rays[:, 3:] = directions
        result = self._scene.cast_rays(o3d.core.Tensor.from_numpy(rays))
        return Hits(
            result['t_hit'].numpy(),
            result['primitive_ids'].numpy().view(np.int32),
            result['primitive_uvs'].numpy(),
        )

    def contains(self, points_m: Float32Array) -> BoolArray:
        """Return (N,) bool, whether (N, 3) points lie inside the solid."""
        query = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points_m, np.float32))
        inside: BoolArray = self._scene.compute_occupancy(query).numpy() > 0.5
        return inside

    def normals(self, face: IndexArray, uv: Float32Array) -> Float32Array:
        """Return (N, 3) float32 unit normals, object frame, at hits."""
        smooth = _blend(self._normals[face], uv)
        return smooth / np.linalg.norm(smooth, axis=1, keepdims=True)

    def colors(self, face: IndexArray, uv: Float32Array) -> Float32Array:
        """Return (N, 3) float32 colours, 0..255, at hits."""
        texture = self.solid.texture
        if texture is None:
            return _blend(self.solid.colors[self.solid.faces[face]].astype(np.float32), uv)
        at = _blend(texture.uv[face], uv)
        rows, columns = texture.image.shape[:2]
        u = np.minimum((at[:, 0] % 1.0 * columns).astype(np.int32), columns - 1)
        v = np.minimum(((1.0 - at[:, 1]) % 1.0 * rows).astype(np.int32), rows - 1)
        return texture.image[v, u].astype(np.float32)


def corner_normals(solid: Solid) -> Float32Array:
    """Return (F, 3, 3) float32 unit normals per face corner: smooth, but creased at edges."""
    corners = solid.vertices_m[solid.faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(solid.vertices_m)
    for k in range(3):
        for axis in range(3):
            index = solid.faces[:, k]
            summed[:, axis] += np.bincount(index, area[:, axis], len(summed)).astype(np.float32)
    smooth = _unit(summed)[solid.faces]
    flat = np.broadcast_to(_unit(area)[:, None], smooth.shape)
    is_smooth = (smooth * flat).sum(axis=2, keepdims=True) > CREASE_COS
    normals: Float32Array = np.where(is_smooth, smooth, flat).astype(np.float32)
    return normals


def _unit(vectors: Float32Array) -> Float32Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-20)


def _blend(corners: Float32Array, uv: Float32Array) -> Float32Array:
    """Return (N, C) values at barycentric (N, 2) of (N, 3, C) corner values."""
    first = 1.0 - uv[:, :1] - uv[:, 1:]
    blended: Float32Array = (
        first * corners[:, 0] + uv[:, :1] * corners[:, 1] + uv[:, 1:] * corners[:, 2]
    )
    return blended
