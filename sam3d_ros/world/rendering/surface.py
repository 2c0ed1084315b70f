# SPDX-License-Identifier: Apache-2.0
"""One solid made ready for ray casting: hits, smooth normals and colours in its own frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import open3d as o3d

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.world.rendering.pyramid import Pyramid
from sam3d_ros.world.solid import Material, Solid

CREASE_COS = 0.94
"""Faces that differ from the smooth normal by more than 20 degrees keep their own."""


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
    """Casts rays at one solid (or several that never move apart) and knows the look of hits."""

    def __init__(self, solids: Sequence[Solid]) -> None:
        self._solids = tuple(solids)
        self._first_face = np.cumsum([0] + [len(solid.faces) for solid in solids])
        self._solid_of_face = np.repeat(
            np.arange(len(solids), dtype=np.int32), np.diff(self._first_face)
        )
        self._first_vertex = np.cumsum([0] + [len(solid.vertices_m) for solid in solids])
        vertices = np.concatenate([solid.vertices_m for solid in solids])
        faces = [solid.faces + at for solid, at in zip(solids, self._first_vertex, strict=False)]
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(vertices, np.concatenate(faces).astype(np.uint32))
        self._normals = np.concatenate([corner_normals(solid) for solid in solids])
        self._is_curved = (self._normals != self._normals[:, :1]).any(axis=(1, 2))
        self._pyramids = [
            Pyramid(solid.texture, solid.vertices_m[solid.faces])
            if solid.texture is not None and solid.texture.is_filtered
            else None
            for solid in solids
        ]
        self.is_filtered = any(pyramid is not None for pyramid in self._pyramids)
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        steps = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing='ij'), -1).reshape(8, 3)
        self.corners_m: Float32Array = low + steps.astype(np.float32) * (high - low)
        self.radius_m = float(np.linalg.norm(vertices, axis=1).max())

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
        """Return (N, 3) float32 unit normals, object frame, at hits.

        :param face: (N,) faces that were hit.
        :param uv: (N, 2) float32 barycentric places of the hits in their faces.
        """
        normals = np.take(self._normals[:, 0], face, axis=0)
        curved = np.flatnonzero(np.take(self._is_curved, face))
        normals[curved] = _unit(_blend(np.take(self._normals, face[curved], axis=0), uv[curved]))
        return normals

    def colors(
        self, face: IndexArray, uv: Float32Array, footprint_m: Float32Array | None = None
    ) -> Float32Array:
        """Return (N, 3) float32 colours, 0..255, at hits.

        :param face: (N,) faces that were hit.
        :param uv: (N, 2) float32 barycentric places of the hits in their faces.
        :param footprint_m: (N,) float32 sides of pixels on the surface, metres; filtered textures
            show what such pixels see, or their finest detail when not given.
        """
        if len(self._solids) == 1:
            return self._colors(0, face, uv, footprint_m)
        colors = np.empty((len(face), 3), np.float32)
        owner = self.solid_of(face)
        for number in range(len(self._solids)):
            at = np.flatnonzero(owner == number)
            near = None if footprint_m is None else footprint_m[at]
            colors[at] = self._colors(number, face[at] - self._first_face[number], uv[at], near)
        return colors

    def _colors(
        self, number: int, face: IndexArray, uv: Float32Array, footprint_m: Float32Array | None
    ) -> Float32Array:
        solid, pyramid = self._solids[number], self._pyramids[number]
        if solid.texture is None:
            corners = np.take(solid.colors, np.take(solid.faces, face, axis=0), axis=0)
            return _blend(corners.astype(np.float32), uv)
        at = _blend(np.take(solid.texture.uv, face, axis=0), uv)
        if pyramid is not None and footprint_m is not None:
            return pyramid.colors(at, face, footprint_m)
        rows, columns = solid.texture.image.shape[:2]
        u = np.floor(at[:, 0] * columns).astype(np.int32) % columns
        v = np.floor((1 - at[:, 1]) * rows).astype(np.int32) % rows
        texels = solid.texture.image.reshape(-1, 3)
        return np.take(texels, v * columns + u, axis=0).astype(np.float32)

    def solid_of(self, face: IndexArray) -> IndexArray:
        """Return (N,) int32, which of the surface's solids the faces of hits belong to."""
        return np.take(self._solid_of_face, face)

    @property
    def materials(self) -> tuple[Material, ...]:
        """The materials of the surface's solids."""
        return tuple(solid.material for solid in self._solids)


def corner_normals(solid: Solid) -> Float32Array:
    """Return (F, 3, 3) float32 unit normals per face corner: smooth, but creased at edges.

    Vertex normals are weighted by angle (Thuermer, Wuethrich 1998), so that they do not depend on
    how a flat side was cut into triangles.
    """
    corners = solid.vertices_m[solid.faces]
    along = _unit(np.roll(corners, -1, axis=1) - corners)
    back = -np.roll(along, 1, axis=1)
    flat = _unit(np.cross(along[:, 0], along[:, 1]))
    angle = np.arccos(np.clip(np.einsum('ijk,ijk->ij', along, back), -1, 1))
    index, count = solid.faces.reshape(-1), len(solid.vertices_m)
    weighted = (angle[:, :, None] * flat[:, None]).reshape(-1, 3)
    summed = [np.bincount(index, weighted[:, axis], count) for axis in range(3)]
    smooth = _unit(np.column_stack(summed).astype(np.float32))[solid.faces]
    is_smooth = np.einsum('ijk,ik->ij', smooth, flat) > CREASE_COS
    normals: Float32Array = np.where(is_smooth[..., None], smooth, flat[:, None])
    return normals


def rotated(vectors: Float32Array, R: FloatArray) -> Float32Array:
    """Return (..., 3) float32 vectors turned by a (3, 3) matrix.

    cv2 does an image of them in a fraction of a millisecond; a threaded BLAS can take fifty.

    :param R: (3, 3).
    """
    if vectors.size == 0:
        return vectors
    flat = vectors.reshape(1, -1, 3)
    turned = np.asarray(cv2.transform(flat, np.asarray(R, np.float64)), np.float32)
    return turned.reshape(vectors.shape)


def looked_up(image: npt.NDArray[Any], column: Float32Array, row: Float32Array) -> Float32Array:
    """Return (N, 3) float32 colours at (N,) places of an (h, w, 3) image, between its pixels.

    :param column: (N,) float32, px.
    :param row: (N,) float32, px.
    """
    # An image of places must not be longer than 32767 pixels.
    wide = 256
    count = len(column)
    places = np.zeros((2, -(-count // wide) * wide), np.float32)
    places[0, :count], places[1, :count] = column, row
    u, v = places.reshape(2, -1, wide)
    found = cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1, 3)[:count], np.float32)


def _unit(vectors: Float32Array) -> Float32Array:
    squared = np.einsum('...i,...i->...', vectors, vectors)[..., None]
    return vectors / np.sqrt(np.maximum(squared, 1e-30))


def _blend(corners: Float32Array, uv: Float32Array) -> Float32Array:
    """Return (N, C) values at barycentric (N, 2) of (N, 3, C) corner values."""
    u, v = uv[:, :1], uv[:, 1:]
    blended: Float32Array = corners[:, 0] * (1 - u - v)
    blended += u * corners[:, 1]
    blended += v * corners[:, 2]
    return blended
