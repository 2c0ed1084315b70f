# SPDX-License-Identifier: Apache-2.0
"""Simple solids that surroundings are made of: boxes, frames of boxes, drums, tubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.world.setting.surroundings import random_pattern, slab
from sam3d_ros.world.solid import Solid, Texture

Rng = np.random.Generator
PATTERN_PX = 256
TILE_M = 0.7
"""Length that one tile of a pattern covers."""
SIDES = 40
"""Corners of a drum."""
RING = 10
"""Corners of a tube."""


def pattern(rng: Rng) -> ByteArray:
    """Return a (256, 256, 3) uint8 picture to cover parts with."""
    return random_pattern(rng, PATTERN_PX)


def block_of(
    name: str,
    x_m: float,
    y_m: float,
    z_m: float,
    half_m: FloatArray,
    height_m: float,
    image: ByteArray,
) -> Solid:
    """Return a slab with this middle; a negative height hangs below ``z_m``.

    :param name: of the solid.
    :param x_m: of the middle.
    :param y_m: of the middle.
    :param half_m: (2,) half of the length and the width, metres.
    :param height_m: of the slab above ``z_m``.
    :param image: (h, w, 3) uint8, tiles its sides.
    """
    z = sorted((z_m, z_m + height_m))
    low = np.array([x_m - half_m[0], y_m - half_m[1], z[0]])
    return slab(name, low, np.array([x_m + half_m[0], y_m + half_m[1], z[1]]), image, TILE_M)


def frame_of(
    name: str,
    inner_m: FloatArray,
    outer_m: FloatArray,
    low_z_m: float,
    high_z_m: float,
    image: ByteArray,
) -> list[Solid]:
    """Return four slabs that fill the space between two rectangles of these (2,) half sizes.

    :param name: of the solids.
    :param inner_m: (2,) half size of the inner rectangle.
    :param outer_m: (2,) half size of the outer one.
    :param low_z_m: height of the lower side.
    :param high_z_m: height of the upper side.
    :param image: (h, w, 3) uint8, tiles their sides.
    """
    (x, y), (far_x, far_y) = inner_m, outer_m
    spans = [
        (-far_x, -far_y, far_x, -y),
        (-far_x, y, far_x, far_y),
        (-far_x, -y, -x, y),
        (x, -y, far_x, y),
    ]
    return [
        slab(name, np.array([a, b, low_z_m]), np.array([c, d, high_z_m]), image, TILE_M)
        for a, b, c, d in spans
    ]


def joined(solids: Sequence[Solid]) -> list[Solid]:
    """Return the solids, those that are covered with the very same picture made into one."""
    groups: dict[int, list[Solid]] = {}
    for solid in solids:
        groups.setdefault(id(solid.texture.image if solid.texture else solid), []).append(solid)
    return [group[0] if len(group) == 1 else _merged(group) for group in groups.values()]


def _merged(group: Sequence[Solid]) -> Solid:
    first = np.cumsum([0] + [len(solid.vertices_m) for solid in group[:-1]])
    faces = [solid.faces + at for solid, at in zip(group, first, strict=True)]
    uv = [solid.texture.uv for solid in group if solid.texture]
    texture = group[0].texture and replace(group[0].texture, uv=np.concatenate(uv))
    return replace(
        group[0],
        vertices_m=np.concatenate([solid.vertices_m for solid in group]),
        faces=np.concatenate(faces).astype(np.int32),
        colors=np.concatenate([solid.colors for solid in group]),
        texture=texture,
    )


def drum(name: str, radius_m: float, low_z_m: float, high_z_m: float, image: ByteArray) -> Solid:
    """Return an upright cylinder about the z axis, covered with tiles of an image.

    :param name: of the solid.
    :param radius_m: of the cylinder.
    :param low_z_m: height of the lower end.
    :param high_z_m: height of the upper end.
    """
    angle = np.arange(SIDES) * 2 * np.pi / SIDES
    ring = radius_m * np.column_stack([np.cos(angle), np.sin(angle)])
    levels = [np.column_stack([ring, np.full(SIDES, z)]) for z in (low_z_m, high_z_m)]
    vertices = np.vstack([*levels, [[0, 0, low_z_m], [0, 0, high_z_m]]]).astype(np.float32)
    k, after = np.arange(SIDES), (np.arange(SIDES) + 1) % SIDES
    low, high = np.full(SIDES, 2 * SIDES), np.full(SIDES, 2 * SIDES + 1)
    faces: IndexArray = np.concatenate(
        [
            np.column_stack([k, after, after + SIDES]),
            np.column_stack([k, after + SIDES, k + SIDES]),
            np.column_stack([low, after, k]),
            np.column_stack([high, k + SIDES, after + SIDES]),
        ]
    ).astype(np.int32)
    corners = vertices[faces]
    uv: Float32Array = corners[..., :2] / np.float32(TILE_M)
    about = np.concatenate([k[:, None] + [0, 1, 1], k[:, None] + [0, 1, 0]])
    uv[: 2 * SIDES, :, 0] = about * (radius_m * 2 * np.pi / SIDES / TILE_M)
    uv[: 2 * SIDES, :, 1] = corners[: 2 * SIDES, :, 2] / np.float32(TILE_M)
    mean = image.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    colors = np.tile(mean, (len(vertices), 1))
    return Solid(name, vertices, faces, colors, 'surroundings', Texture(image, uv))


def tube(name: str, path_m: FloatArray, radius_m: float, color: FloatArray) -> Solid:
    """Return a cable or finger along a (P, 3) path: a closed tube of one colour.

    :param name: of the solid.
    :param path_m: (P, 3) its middle line.
    :param radius_m: of its section.
    """
    along = np.gradient(path_m, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside = np.cross(along, [0.21, 0.34, 0.92])
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    across = np.cross(along, aside)
    angle = np.arange(RING) * 2 * np.pi / RING
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    rings = (path_m + radius_m * (cos * aside + sin * across)).transpose(1, 0, 2).reshape(-1, 3)
    vertices = np.vstack([rings, path_m[[0, -1]]]).astype(np.float32)
    k = (RING * np.arange(len(path_m) - 1)[:, None] + np.arange(RING)).reshape(-1)
    after = k - k % RING + (k + 1) % RING
    last, tips = RING * (len(path_m) - 1), len(rings)
    first = np.arange(RING)
    ahead = (first + 1) % RING
    faces = np.concatenate(
        [
            np.column_stack([k, after, after + RING]),
            np.column_stack([k, after + RING, k + RING]),
            np.column_stack([np.full(RING, tips), ahead, first]),
            np.column_stack([np.full(RING, tips + 1), last + first, last + ahead]),
        ]
    ).astype(np.int32)
    colors = np.tile(color.astype(np.uint8), (len(vertices), 1))
    return Solid(name, vertices, faces, colors, 'surroundings')
