# SPDX-License-Identifier: Apache-2.0
"""What stands around the objects: floor, table, wall and distractors on the floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.appearance.patterns import random_pattern
from sam3d_ros.world.solid import Solid, Texture

Rng = np.random.Generator
TABLE_THICKNESS_M = 0.03
FLOOR_SPAN_M = 8.0
_BOX_FACES = np.array(
    [
        [0, 3, 1], [0, 2, 3], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4],
        [2, 7, 3], [2, 6, 7], [0, 4, 6], [0, 6, 2], [1, 3, 7], [1, 7, 5],
    ],
    np.int32,
)  # fmt: skip


def table(rng: Rng, size_m: tuple[float, float], top_z_m: float) -> Solid:
    """Return a table top, centred on the fixed frame's z axis, its upper side at ``top_z_m``.

    :param rng: draws all that is left to chance.
    :param size_m: length and width of the top.
    """
    low = np.array([-size_m[0] / 2, -size_m[1] / 2, top_z_m - TABLE_THICKNESS_M])
    high = np.array([size_m[0] / 2, size_m[1] / 2, top_z_m])
    return slab('table', low, high, random_pattern(rng), tile_m=1.0)


def floor(rng: Rng, z_m: float) -> Solid:
    """Return a floor at height ``z_m``.

    :param rng: draws all that is left to chance.
    """
    half = FLOOR_SPAN_M / 2
    low, high = np.array([-half, -half, z_m - 0.05]), np.array([half, half, z_m])
    return slab('floor', low, high, random_pattern(rng), tile_m=1.5)


def wall(rng: Rng, azimuth_rad: float, distance_m: float, z_m: float) -> Solid:
    """Return a wall of 2.5 m height that stands on ``z_m`` in this direction.

    :param rng: draws all that is left to chance.
    :param azimuth_rad: direction from the middle to the wall, about z.
    :param distance_m: from the middle to the wall.
    """
    half = FLOOR_SPAN_M / 2
    low = np.array([distance_m, -half, z_m])
    upright = slab(
        'wall', low, np.array([distance_m + 0.1, half, z_m + 2.5]), random_pattern(rng), 2.0
    )
    T = np.eye(4)
    T[:2, :2] = [
        [np.cos(azimuth_rad), -np.sin(azimuth_rad)],
        [np.sin(azimuth_rad), np.cos(azimuth_rad)],
    ]
    return posed(upright, T)


def distractors(rng: Rng, solids: Sequence[Solid], near_m: float, z_m: float) -> list[Solid]:
    """Return things that stand on the floor, ``near_m`` or more away: seen, but no objects.

    :param rng: draws all that is left to chance.
    :param solids: each is enlarged and put somewhere.
    :param z_m: height of the floor.
    """
    placed = []
    for number, solid in enumerate(solids):
        azimuth, scale = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 3.0)
        distance = near_m + scale * solid.radius_m + rng.uniform(0.0, 1.0)
        bigger = replace(
            solid,
            name=f'distractor_{number}',
            vertices_m=solid.vertices_m * np.float32(scale),
        )
        T = np.eye(4)
        T[:3, 3] = [
            distance * np.cos(azimuth),
            distance * np.sin(azimuth),
            z_m - float(bigger.vertices_m[:, 2].min()),
        ]
        placed.append(posed(bigger, T))
    return placed


def posed(solid: Solid, T_fixed_solid: FloatArray) -> Solid:
    """Return a solid with its vertices moved into the fixed frame.

    :param T_fixed_solid: (4, 4) its pose.
    """
    return replace(solid, vertices_m=apply(T_fixed_solid, solid.vertices_m))


def slab(
    name: str, low_m: FloatArray, high_m: FloatArray, image: ByteArray, tile_m: float
) -> Solid:
    """Return an axis-aligned box between two corners, its sides covered with tiles of an image.

    :param name: of the solid.
    :param low_m: (3,) the lower corner.
    :param high_m: (3,) the upper corner.
    :param tile_m: side of a tile.
    """
    steps = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing='ij'), -1).reshape(8, 3)
    steps = steps[:, ::-1]
    vertices = (low_m + steps * (high_m - low_m)).astype(np.float32)
    corners = vertices[_BOX_FACES]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across = np.argmax(np.abs(normal), axis=1)
    first = np.where(across == 0, 1, 0)
    second = np.where(across == 2, 1, 2)
    pick = np.arange(len(corners))
    uv: Float32Array = np.stack(
        [corners[pick, :, first], corners[pick, :, second]], axis=-1
    ) / np.float32(tile_m)
    mean = image.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    colors = np.tile(mean, (8, 1))
    return Solid(name, vertices, _BOX_FACES, colors, 'surroundings', Texture(image, uv))
