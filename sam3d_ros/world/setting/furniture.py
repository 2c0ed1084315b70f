# SPDX-License-Identifier: Apache-2.0
"""What holds the objects: bins, drawers, shelves, tables, boxes, and what lies about them.

Every function draws one piece that stands on z = 0 about the fixed frame's z axis, with the areas
on it that things may be put on. Its parts are convex, so that physics may take them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.setting.bed import Area
from sam3d_ros.world.setting.parts import TILE_M, block_of, drum, frame_of, pattern
from sam3d_ros.world.setting.surroundings import posed, slab
from sam3d_ros.world.solid import Solid

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Furniture:
    """A piece of furniture.

    :param parts: convex solids, fixed frame.
    :param areas: where things may be put, the main one first.
    """

    parts: tuple[Solid, ...]
    areas: tuple[Area, ...]

    def at(self, x_m: float, y_m: float, z_m: float, yaw_rad: float = 0.0) -> Furniture:
        """Return the piece moved; areas stay along x and y, so turn only what has none to use.

        :param x_m: along the fixed frame's x.
        :param y_m: along its y.
        :param z_m: up.
        :param yaw_rad: turn about its own z axis first.
        """
        T = np.eye(4)
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        T[:2, :2] = [[cos, -sin], [sin, cos]]
        T[:3, 3] = x_m, y_m, z_m
        areas = tuple(replace(area, middle_m=apply(T, area.middle_m)) for area in self.areas)
        return Furniture(tuple(posed(part, T) for part in self.parts), areas)


def bin_(rng: Rng) -> Furniture:
    """Return a bin, tote or crate: a floor and four walls, often leaning outward, or slatted."""
    half, depth = rng.uniform([0.15, 0.12], [0.32, 0.24]), rng.uniform(0.07, 0.32)
    wall = rng.uniform(0.002, 0.006) if rng.random() < 0.6 else rng.uniform(0.008, 0.025)
    lean = rng.uniform(0.0, 0.25) if rng.random() < 0.6 else 0.0
    image = pattern(rng)
    slats = int(rng.integers(2, 5)) if rng.random() < 0.15 else 1
    parts = _walls('bin', half, depth, wall, image, slats)
    if rng.random() < 0.5:
        lip = rng.uniform(0.008, 0.03)
        outer = half + wall + lip
        parts += frame_of('rim', half + wall, outer, depth - 0.012, depth, image)
    parts = [_leaning(part, half, lean) for part in parts]
    return Furniture(tuple(parts), (_area(0, 0, wall, half),))


def drawer(rng: Rng) -> Furniture:
    """Return a drawer pulled out of a cabinet's front, which faces -y."""
    half, depth = rng.uniform([0.15, 0.15], [0.35, 0.25]), rng.uniform(0.06, 0.2)
    wall, front = rng.uniform(0.006, 0.016), rng.uniform(0.012, 0.02)
    inner, outer = pattern(rng), pattern(rng)
    over = rng.uniform(0.005, 0.06)
    low = np.array([-half[0] - wall - 0.01, -half[1] - wall - front, -0.01])
    high = np.array([half[0] + wall + 0.01, -half[1] - wall, depth + over])
    face = slab('front', low, high, outer, TILE_M)
    bar = np.array([rng.uniform(0.04, 0.1), 0.012, 0.008])
    grip_at = np.array([0.0, low[1] - 0.02, 0.6 * depth])
    grip = slab('grip', grip_at - bar, grip_at + bar, inner, TILE_M)
    back_m = half[1] * rng.uniform(0.2, 1.0)
    wide = half[0] + rng.uniform(0.03, 0.4)
    top = depth + over + 0.005
    cabinet = [
        slab(
            'cabinet',
            np.array([-wide, back_m, top]),
            np.array([wide, back_m + 0.5, top + rng.uniform(0.02, 0.4)]),
            outer,
            TILE_M,
        )
    ]
    for side in (-1, 1):
        x = np.sort([side * (half[0] + wall + 0.012), side * max(wide, half[0] + wall + 0.03)])
        low, high = np.array([x[0], back_m, -0.1]), np.array([x[1], back_m + 0.5, top])
        cabinet.append(slab('cabinet', low, high, outer, TILE_M))
    parts = [*_walls('drawer', half, depth, wall, inner), face, grip, *cabinet]
    free = (half[0], (half[1] + back_m) / 2)
    area = _area(0.0, (back_m - half[1]) / 2, wall, np.array(free))
    return Furniture(tuple(parts), (area,))


def shelf(rng: Rng) -> Furniture:
    """Return a shelf unit, open towards -y: boards, mostly with sides, back and partitions."""
    half, boards = rng.uniform([0.2, 0.1], [0.5, 0.22]), int(rng.integers(2, 5))
    pitch, thick = rng.uniform(0.18, 0.42), rng.uniform(0.008, 0.025)
    first = rng.uniform(0.02, TILE_M)
    image, other = pattern(rng), pattern(rng)
    heights = first + pitch * np.arange(boards)
    top = heights[-1] + (pitch if rng.random() < 0.6 else 0.0)
    levels = [*heights, top] if top > heights[-1] else list(heights)
    parts = [block_of('board', 0, 0, z, half, -thick, image) for z in levels]
    if rng.random() < 0.85:
        for side in (-1, 1):
            low = np.array([side * half[0] - thick / 2, -half[1], 0])
            high = np.array([side * half[0] + thick / 2, half[1], top + 0.001])
            parts.append(slab('side', low, high, image, TILE_M))
    has_back = rng.random() < 0.75
    if has_back:
        low, high = np.array([-half[0], half[1], 0]), np.array([half[0], half[1] + 0.01, top])
        parts.append(slab('back', low, high, other, TILE_M))
    split = rng.uniform(-0.3, 0.3) * half[0] if rng.random() < 0.4 else None
    if split is not None:
        low = np.array([split - thick / 2, -half[1], heights[0]])
        high = np.array([split + thick / 2, half[1], top])
        parts.append(slab('partition', low, high, image, TILE_M))
    ends = [-half[0], half[0]] if split is None else [-half[0], split, half[0]]
    areas = []
    for z in heights:
        room = pitch - thick if z < top else np.inf
        for left, right in pairwise(ends):
            wide = (right - left) / 2 - thick / 2
            areas.append(_area((left + right) / 2, 0, z, np.array([wide, half[1]]), room))
    return Furniture(tuple(parts), tuple(areas))


def open_case(rng: Rng) -> Furniture:
    """Return a carton, crate or display box on its side, open towards -y, maybe with a lip."""
    half, height = rng.uniform([0.13, 0.07], [0.32, 0.18]), rng.uniform(0.16, 0.4)
    wall = rng.uniform(0.002, 0.006) if rng.random() < 0.6 else rng.uniform(0.008, 0.018)
    image = pattern(rng)
    other = image if rng.random() < 0.7 else pattern(rng)
    outer = half + wall
    parts = [block_of('floor', 0, 0, 0, outer, wall, image)]
    if rng.random() < 0.85:
        parts.append(block_of('top', 0, 0, height, outer, wall, image))
    low, high = np.array([-outer[0], half[1], 0]), np.array([outer[0], outer[1], height])
    parts.append(slab('back', low, high, other, TILE_M))
    for x in (-outer[0], half[0]):
        low = np.array([x, -outer[1], 0])
        parts.append(slab('side', low, np.array([x + wall, outer[1], height]), image, TILE_M))
    if rng.random() < 0.6:
        low = np.array([-outer[0], -outer[1], 0])
        lip = min(rng.uniform(0.01, 0.09), 0.4 * height)
        parts.append(slab('lip', low, np.array([outer[0], -half[1], lip]), other, TILE_M))
    return Furniture(tuple(parts), (_area(0, 0, wall, half, height - wall),))


def block(rng: Rng, half_m: FloatArray, height_m: float) -> Furniture:
    """Return a cabinet, chest, step or other box with a flat top, maybe with an edge over it.

    :param rng: draws all that is left to chance.
    :param half_m: (2,) half of the length and the width, metres.
    :param height_m: of the box, without the edge.
    """
    image = pattern(rng)
    parts = [block_of('box', 0, 0, 0, half_m, height_m, image)]
    if rng.random() < 0.4:
        thick, over = rng.uniform(0.01, 0.03), rng.uniform(0.005, 0.02)
        parts.append(block_of('top', 0, 0, height_m, half_m + over, thick, pattern(rng)))
        height_m += thick
    return Furniture(tuple(parts), (_area(0, 0, height_m, half_m),))


def legged(rng: Rng, half_m: FloatArray, height_m: float, is_round: bool = False) -> Furniture:
    """Return a table or stool: a rectangular or round top on legs or on a column.

    :param rng: draws all that is left to chance.
    :param half_m: (2,) half of the length and the width, metres.
    :param height_m: of its top above the floor.
    :param is_round: the top is a disc.
    """
    image, thick = pattern(rng), rng.uniform(0.012, 0.04)
    under = height_m - thick
    if is_round:
        radius = float(half_m.min())
        half_m = np.array([radius, radius])
        parts = [drum('top', radius, under, height_m, image)]
    else:
        parts = [block_of('top', 0, 0, under, half_m, thick, image)]
    other = pattern(rng)
    if is_round and rng.random() < 0.5:
        parts.append(drum('column', rng.uniform(0.03, 0.06), 0.0, under, other))
        parts.append(drum('foot', 0.6 * float(half_m[0]), 0.0, 0.03, other))
    else:
        inset, leg = (0.65 if is_round else 0.92), rng.uniform(0.012, 0.03)
        for x in (-1, 1):
            for y in (-1, 1):
                at = inset * (half_m - leg) * [x, y]
                parts.append(block_of('leg', at[0], at[1], 0, np.array([leg, leg]), under, other))
    return Furniture(tuple(parts), (_area(0, 0, height_m, half_m, is_round=is_round),))


def chair(rng: Rng) -> Furniture:
    """Return a chair, armchair or sofa made of boxes: a seat, a back, legs or arms."""
    half, seat = rng.uniform([0.2, 0.2], [0.32, 0.3]), rng.uniform(0.38, 0.48)
    if rng.random() < 0.4:
        half[0] *= rng.uniform(1.0, 3.0)
        base = block(rng, half, seat)
    else:
        base = legged(rng, half, seat)
    seat = float(base.areas[0].middle_m[2])
    back = rng.uniform(0.25, 0.5)
    low = np.array([-half[0], half[1] - 0.05, seat])
    rest = slab('back', low, low + [2 * half[0], 0.06, back], pattern(rng), TILE_M)
    return Furniture((*base.parts, rest), (_area(0, -0.04, seat, half - 0.04),))


def sheet(rng: Rng, half_m: FloatArray) -> Furniture:
    """Return a placemat, a sheet of paper or a table cloth: too thin to be an object.

    :param rng: draws all that is left to chance.
    :param half_m: (2,) half of the length and the width, metres.
    """
    thick = rng.uniform(0.0003, 0.0014)
    if rng.random() < 0.2:
        part = drum('mat', float(half_m.min()), 0.0, thick, pattern(rng))
    else:
        part = block_of('sheet', 0, 0, 0, half_m, thick, pattern(rng))
    return Furniture((part,), (_area(0, 0, thick, half_m),))


def _walls(
    name: str,
    half_m: FloatArray,
    depth_m: float,
    wall_m: float,
    image: ByteArray,
    slats: int = 1,
) -> list[Solid]:
    """Return a floor and four walls about a free middle of this half size.

    :param slats: where more than one, the walls are that many bands with gaps between them.
    """
    outer = half_m + wall_m
    parts = [block_of(name, 0, 0, 0, outer, wall_m, image)]
    pitch, share = depth_m / slats, 1.0 if slats == 1 else 0.65
    for top in pitch * (np.arange(slats) + 1):
        parts += frame_of(name, half_m, outer, float(top - share * pitch), float(top), image)
    return parts


def _leaning(part: Solid, half_m: FloatArray, lean: float) -> Solid:
    """Return a part of an open box pushed outward by ``lean`` times its height over the floor."""
    vertices = part.vertices_m.copy()
    vertices[:, :2] += lean * vertices[:, 2:] * np.sign(vertices[:, :2])
    return replace(part, vertices_m=vertices)


def _area(
    x_m: float,
    y_m: float,
    z_m: float,
    half_m: FloatArray,
    ceiling_m: float = np.inf,
    is_round: bool = False,
) -> Area:
    half = float(half_m[0]), float(half_m[1])
    return Area(np.array([x_m, y_m, z_m]), half, is_round, ceiling_m)
