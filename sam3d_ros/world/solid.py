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
    :param is_filtered: from afar its mean is seen; else the texel in the middle of the pixel.
    """

    image: ByteArray
    uv: Float32Array
    is_filtered: bool = False


@dataclass(frozen=True, slots=True)
class Material:
    """What a surface does with light, beside its colour.

    :param reflectance: 0..1, how much of a range sensor's infrared light comes back diffusely
        where the surface is white; black print swallows about half of it, see
        :func:`infrared`.
    :param gloss: 0 matt .. 1 like a mirror.
    :param clear: 0 opaque .. 0.95 glass, the share of light that goes through.
    :param metal: 0..1, how far reflections take the surface's own colour, as those of metals do.
    """

    reflectance: float = 0.9
    gloss: float = 0.0
    clear: float = 0.0
    metal: float = 0.0


def infrared(reflectance: Float32Array, albedo: Float32Array) -> Float32Array:
    """Return the share of infrared light that surfaces send back diffusely.

    Inks and dyes are far less dark in the near infrared than to the eye, so the visible
    brightness counts for half: ``reflectance * (0.5 + 0.5 * brightness)``.

    :param reflectance: (...) float32 of the materials, 0..1.
    :param albedo: (..., 3) float32 visible colours, 0..255.
    :return: (...) float32, 0..1.
    """
    brightness = albedo @ np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255)
    back: Float32Array = reflectance * (np.float32(0.5) + np.float32(0.5) * brightness)
    return back


MATT = Material()
"""Paper, cloth, unpolished wood: what things are made of when nothing else is said."""


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A thing with a surface.

    :param name: unique among the sources of one world, e.g. ``mug_0`` or ``ycb_mug``.
    :param vertices_m: (V, 3) float32, metres, object frame (centre of the box at the origin).
    :param faces: (F, 3) int32, counter-clockwise seen from outside.
    :param colors: (V, 3) uint8 RGB.
    :param family: procedural family, or the category of a scan.
    :param texture: where given, colours come from it instead of from ``colors``.
    :param material: what it is made of, the same all over.
    :param piece_of: (F,) uint8 which of the pieces that a procedural solid was put together from
        each face belongs to; None = not known.
    """

    name: str
    vertices_m: Float32Array
    faces: IndexArray
    colors: ByteArray
    family: str
    texture: Texture | None = None
    material: Material = MATT
    piece_of: ByteArray | None = None

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

    :param name: of the solid.
    :param family: that it belongs to.
    :param paint: colours of its vertices.
    :raises InputError: when the manifold is empty or was made from broken input.
    """
    if manifold.status() is not Error.NoError or manifold.is_empty():
        raise InputError(f'{family} "{name}" is {manifold.status()}', wanted='a closed surface')
    low, high = np.split(np.array(manifold.bounding_box()), 2)
    centred = manifold.translate(tuple(-(low + high) / 2)).refine_to_length(edge_m)
    mesh = centred.to_mesh()
    vertices = np.array(mesh.vert_properties[:, :3], np.float32, order='C')
    faces = np.array(mesh.tri_verts, np.int32, order='C')
    pieces = np.diff(np.array(mesh.run_index)) // 3
    piece_of = np.repeat(np.arange(len(pieces), dtype=np.uint8), pieces)
    colors = paint(vertices.astype(np.float64))
    return Solid(name, vertices, faces, colors, family, piece_of=piece_of)
