# SPDX-License-Identifier: Apache-2.0
"""What is derived from an object's mesh and kept while the mesh stays: hash, hulls, drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam3d_ros.core.types import ConvexPart, Float32Array, FloatArray, Mesh, Scene
from sam3d_ros.geometry.shapes.convex import convex_parts
from sam3d_ros.geometry.shapes.decimate import decimated
from sam3d_ros.messages.results.meshes import mesh_hash

_LIGHT = np.array([0.35, 0.2, 0.9]) / np.linalg.norm([0.35, 0.2, 0.9])

HULL_TOLERANCE_M = 0.002
"""Convex parts are kept as long as the mesh's extent changed by no more than this."""


class MeshProducts:
    """What is derived from one mesh, each part made when it is first asked for.

    :param mesh: the object's mesh.
    :param marker_faces: most triangles of :attr:`drawn`.
    :param before: products of the object's mesh before; its convex parts are kept if they fit.
    """

    def __init__(self, mesh: Mesh, marker_faces: int, before: MeshProducts | None = None) -> None:
        self.mesh = mesh
        self._marker_faces = marker_faces
        self._fitting = before.hulls if before is not None and before.has_hulls else None

    @cached_property
    def hash(self) -> str:
        """The sha256 of the mesh's content, hexadecimal."""
        return mesh_hash(self.mesh)

    @cached_property
    def drawn(self) -> Mesh:
        """The mesh with few enough triangles to send in a marker."""
        return decimated(self.mesh, self._marker_faces)

    @cached_property
    def triangles(self) -> FloatArray:
        """(F, 3, 3) float64 corners of :attr:`drawn`, object frame."""
        return self.drawn.vertices_m[self.drawn.faces].astype(np.float64)

    @cached_property
    def shaded(self) -> Float32Array:
        """(3 F, 4) colours of these corners with light baked in: RViz lights none of its own."""
        corners = self.triangles
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        light = 0.75 + 0.25 * (normals @ _LIGHT)
        colors = np.ones((len(corners), 3, 4), np.float32)
        colors[..., :3] = self.drawn.colors[self.drawn.faces] * (light[:, None, None] / 255.0)
        return colors.reshape(-1, 4)

    @cached_property
    def hulls(self) -> Hulls:
        """Convex parts that cover the mesh; the same object as before while they still fit."""
        if self._fitting is not None and self._fitting.fit(self.mesh):
            return self._fitting
        return Hulls.of(self.mesh)

    @property
    def has_hulls(self) -> bool:
        """Whether the convex parts were asked for."""
        return 'hulls' in self.__dict__


@dataclass(frozen=True, slots=True, eq=False)
class Hulls:
    """Convex parts of a mesh and how far it reached in fixed directions."""

    parts: tuple[ConvexPart, ...]
    reach_m: FloatArray

    @classmethod
    def of(cls, mesh: Mesh) -> Hulls:
        """Return the convex parts of a mesh, those that it came with if it has any."""
        parts = mesh.parts if mesh.parts is not None else convex_parts(mesh.vertices_m, mesh.faces)
        return cls(tuple(parts), _reach(mesh))

    def fit(self, mesh: Mesh) -> bool:
        """Return whether these parts still serve for ``mesh``."""
        change = np.abs(_reach(mesh) - self.reach_m).max(initial=0.0)
        return bool(change <= HULL_TOLERANCE_M) and self._cover(mesh)

    def _cover(self, mesh: Mesh) -> bool:
        """Return whether every vertex lies in one of the parts, to the tolerance."""
        outside = np.full(len(mesh.vertices_m), np.inf)
        for part in self.parts:
            triangles = part.corners_m[part.faces]
            normals = np.cross(
                triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
            )
            normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
            offsets = np.einsum('ij,ij->i', normals, triangles[:, 0])
            beyond = mesh.vertices_m.astype(np.float64) @ normals.T - offsets
            outside = np.minimum(outside, beyond.max(axis=1))
        return bool(outside.max(initial=-np.inf) <= HULL_TOLERANCE_M)


def _reach(mesh: Mesh) -> FloatArray:
    """Return how far a mesh reaches along the 26 directions to a cube's faces, edges, corners."""
    grid = np.indices((3, 3, 3)).reshape(3, -1).T - 1.0
    directions = grid[np.abs(grid).max(axis=1) == 1]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    if not len(mesh.vertices_m):
        return np.zeros(len(directions))
    reach: FloatArray = (mesh.vertices_m.astype(np.float64) @ directions.T).max(axis=0)
    return reach


class MeshLibrary:
    """Products of all objects of a scene; those of an unchanged mesh are kept.

    :param marker_faces: most triangles of a drawn mesh.
    """

    def __init__(self, marker_faces: int) -> None:
        self._marker_faces = marker_faces
        self._products: dict[int, MeshProducts] = {}

    def update(self, scene: Scene) -> Mapping[int, MeshProducts]:
        """Return the products of every object in ``scene`` by its id."""
        self._products = {item.id: self._product(item.id, item.mesh) for item in scene.objects}
        return self._products

    def _product(self, object_id: int, mesh: Mesh) -> MeshProducts:
        known = self._products.get(object_id)
        if known is not None and known.mesh is mesh:
            return known
        return MeshProducts(mesh, self._marker_faces, known)
