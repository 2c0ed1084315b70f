# SPDX-License-Identifier: Apache-2.0
"""Rooms about the objects: a floor, walls, furniture far away, and a table in the middle."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.setting import furniture
from sam3d_ros.world.setting.bed import Area
from sam3d_ros.world.setting.furniture import Furniture
from sam3d_ros.world.setting.parts import TILE_M, pattern
from sam3d_ros.world.setting.surroundings import FLOOR_SPAN_M, distractors, floor, posed, slab
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.solid import Solid

Rng = np.random.Generator
WALL_M = 2.5


def room(rng: Rng, near_m: float = 1.3) -> list[Solid]:
    """Return a floor at z = 0, walls, and things and furniture farther away.

    :param rng: draws all that is left to chance.
    :param near_m: no wall or thing is nearer to the middle.
    """
    around = [floor(rng, 0.0), *walls(rng, near_m)]
    others = [random_solid(rng) for _ in range(int(rng.integers(0, 3)))]
    around += distractors(rng, others, near_m, 0.0)
    for _ in range(int(rng.integers(0, 3))):
        azimuth, distance = rng.uniform(0, 2 * np.pi), rng.uniform(near_m + 0.5, 2.6)
        x, y = distance * np.cos(azimuth), distance * np.sin(azimuth)
        around += some_furniture(rng).at(x, y, 0, rng.uniform(0, 2 * np.pi)).parts
    return around


def walls(rng: Rng, near_m: float) -> list[Solid]:
    """Return the four walls of a room, all alike, or only some of them.

    :param rng: draws all that is left to chance.
    :param near_m: no wall is nearer to the middle.
    """
    count = 4 if rng.random() < 0.7 else int(rng.integers(0, 4))
    image, first = pattern(rng), rng.uniform(0, 2 * np.pi)
    built = []
    for k in range(count):
        x, half = rng.uniform(near_m + 0.5, 0.45 * FLOOR_SPAN_M), FLOOR_SPAN_M / 2
        low, high = np.array([x, -half, 0.0]), np.array([x + 0.1, half, WALL_M])
        azimuth = first + k * np.pi / 2
        T = np.eye(4)
        T[:2, :2] = [
            [np.cos(azimuth), -np.sin(azimuth)],
            [np.sin(azimuth), np.cos(azimuth)],
        ]
        built.append(posed(slab('wall', low, high, image, 2 * TILE_M), T))
    return built


def some_furniture(rng: Rng) -> Furniture:
    """Return a chair, cabinet, table, stool, shelf or bin."""
    kind = int(rng.integers(6))
    if kind == 0:
        return furniture.chair(rng)
    if kind == 1:
        return furniture.block(rng, rng.uniform(0.15, 0.45, 2), rng.uniform(0.2, 0.9))
    if kind == 2:
        return furniture.legged(rng, rng.uniform(0.3, 0.6, 2), rng.uniform(0.4, 0.78))
    if kind == 3:
        return furniture.legged(rng, rng.uniform(0.14, 0.2, 2), rng.uniform(0.35, 0.65), True)
    return furniture.shelf(rng) if kind == 4 else furniture.bin_(rng)


def on_table(rng: Rng, half_m: FloatArray, is_round: bool = False) -> tuple[list[Solid], Area]:
    """Return a table in a room, sometimes with a cloth or sheets on it, and its top.

    :param rng: draws all that is left to chance.
    :param half_m: (2,) half of the length and the width, metres.
    :param is_round: the top is a disc.
    """
    height = rng.uniform(0.4, 0.8)
    table = furniture.legged(rng, half_m, height, is_round)
    solids, top = [*room(rng), *table.parts], table.areas[0]
    if rng.random() < 0.35:
        half = rng.uniform(0.08, 0.25, 2) if rng.random() < 0.7 else 0.95 * half_m
        x, y = rng.uniform(-1, 1, 2) * np.maximum(half_m - half, 0)
        solids += furniture.sheet(rng, np.minimum(half, half_m)).at(x, y, height).parts
    return solids, top


def on_floor(rng: Rng) -> tuple[list[Solid], Area]:
    """Return a floor and a part of it."""
    half = float(rng.uniform(0.25, 0.6))
    return room(rng, 1.1), Area(np.zeros(3), (half, half))
