# SPDX-License-Identifier: Apache-2.0
"""The one representation of a thing in the world: a coloured triangle mesh in its own frame.

Procedural solids are built as manifolds (manifold3d) and become a :class:`Solid` at the end;
scans are loaded into the same type, with their texture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from manifold3d import Error, Manifold

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray, IndexArray

EDGE_M = 0.005
"""Longest edge of a procedural solid: fine enough for vertex colours to look printed."""

Paint = Callable[[FloatArray], ByteArray]
"""Colours (N, 3) uint8 of (N, 3) surface points in the object frame, metres."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A colour image laid over a mesh.

    :param image: (h, w, 3) uint8 RGB, row 0 on top.
    :param uv: (F, 3, 2) float32 per face corner, 0..1, v = 0 at the bottom row.
    """

    image: ByteArray
    uv: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A thing with a surface.

    :param name: unique among the sources of one world, e.g. ``mug_0`` or ``ycb_mug``.
    :param vertices_m: (V, 3) float32, metres, object frame (centre of the box at the origin).
    :param faces: (F, 3) int32, counter-clockwise seen from outside.
    :param colors: (V, 3) uint8 RGB.
    :param family: procedural family, or the category of a scan.
    :param texture: where given, colours come from it instead of from ``colors``.
    """

    name: str
    vertices_m: Float32Array
    faces: IndexArray
    colors: ByteArray
    family: str
    texture: Texture | None = None

    def renamed(self, name: str) -> Solid:
        """Return the same solid under another name."""
        return replace(self, name=name)

    @property
    def extents_m(self) -> FloatArray:
        """(3,) float64 size of the box along the object axes."""
        extents: FloatArray = np.ptp(self.vertices_m, axis=0).astype(np.float64)
        return extents

    @property
    def radius_m(self) -> float:
        """Radius of the sphere about the object's origin that holds it."""
        return float(np.linalg.norm(self.vertices_m, axis=1).max())


def solid_from_manifold(
    manifold: Manifold, name: str, family: str, paint: Paint, edge_m: float = EDGE_M
) -> Solid:
    """Return the solid of a manifold: centred on its box, refined to ``edge_m`` and painted.

    :raises InputError: when the manifold is empty or was made from broken input.
    """
    if manifold.status() is not Error.NoError or manifold.is_empty():
        raise InputError(f'{family} "{name}" is {manifold.status()}', wanted='a closed surface')
    low, high = np.split(np.array(manifold.bounding_box()), 2)
    centred = manifold.translate(tuple(-(low + high) / 2)).refine_to_length(edge_m)
    mesh = centred.to_mesh()
    vertices = np.array(mesh.vert_properties[:, :3], np.float32, order='C')
    faces = np.array(mesh.tri_verts, np.int32, order='C')
    return Solid(name, vertices, faces, paint(vertices.astype(np.float64)), family)
