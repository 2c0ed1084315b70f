# SPDX-License-Identifier: Apache-2.0
"""Layouts: furniture and the things on it, as people leave them.

Every function draws one, or None when too little found a place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.setting import furniture
from sam3d_ros.world.setting.bed import Area, Bed
from sam3d_ros.world.setting.putting import (
    alike,
    fits_hand,
    heap,
    is_small,
    is_thin,
    leant,
    put,
    row,
    things,
    top_of,
    tumbled,
)
from sam3d_ros.world.setting.rooms import on_floor, on_table, room, some_furniture
from sam3d_ros.world.sources import ObjectSource, ProceduralSource, Resized

Rng = np.random.Generator
FOOD = (
    'apple', 'banana', 'burger', 'cube', 'cube', 'doughnut', 'floret', 'leaf', 'nugget', 'nugget',
    'slice', 'slice',
)  # fmt: skip
DISHES = ('platter', 'platter', 'plate', 'bowl', 'serving_tray', 'board')
THIN = ('cutlery', 'cutlery', 'pen', 'pen', 'card', 'phone', 'book', 'cloth', 'flat', 'wrench')
BROAD = ('book', 'book', 'cloth', 'board', 'platter', 'serving_tray', 'phone', 'flat', 'card')
TALL = ('can', 'bottle', 'cup', 'mug', 'tumbler', 'wine_glass', 'box', 'jug', 'vase')
BOOKS = ('book', 'book', 'flat', 'box', 'phone')
TOOLS = ('hammer', 'hammer', 'mug', 'mug', 'jug', 'pan', 'screwdriver', 'spatula', 'wrench', 'pot')
PACKAGES = ('book', 'book', 'book', 'box', 'flat')
PLATFORMS = ('box', 'book', 'flat', 'tray', 'serving_tray', 'board', 'open_box')


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Furniture with things on it.

    :param target_m: (3,) what the camera looks at, about.
    """

    bed: Bed
    support_z_m: float
    target_m: FloatArray


def within(area: Area, half_m: float) -> Area:
    """Return the middle of an area, no more than this from its middle to its sides.

    :param half_m: largest distance from the middle to a side.
    """
    half = min(area.half_m[0], half_m), min(area.half_m[1], half_m)
    return replace(area, half_m=half)


def in_bin(source: ObjectSource, rng: Rng, count: int | None = None) -> Layout | None:
    """Return things on the floor of a bin, tote or drawer, some against its walls.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    :param count: how many things; drawn when not given.
    """
    piece = furniture.drawer(rng) if rng.random() < 0.25 else furniture.bin_(rng)
    solids, area = (
        on_floor(rng) if rng.random() < 0.4 else on_table(rng, rng.uniform(0.45, 0.8, 2))
    )
    z = float(area.middle_m[2])
    piece = piece.at(0, 0, z)
    solids += piece.parts
    inside = piece.areas[0]
    if rng.random() < 0.3:
        side = rng.choice([-1, 1]) * (inside.half_m[0] * 2 + 0.12 + rng.uniform(0, 0.1))
        solids += furniture.bin_(rng).at(side, rng.normal(0, 0.05), z).parts
    bed = Bed(solids)
    wanted = int(rng.integers(2, 13)) if count is None else count
    bodies = things(source, rng, wanted, (*THIN, *TALL, *FOOD), fits_hand, 0.75)
    if bodies and rng.random() < 0.4:
        thrown = min(len(bodies), int(rng.integers(3, 8)))
        heap(bed, inside, bodies[:thrown], rng, tumbled, hug=0.4)
        bodies = bodies[thrown:]
    put(bed, inside, bodies, rng, hug=0.35, tidy=0.4)
    target = inside.middle_m + [0, 0, 0.03]
    is_done = bool(bed.bodies) or not wanted
    return Layout(bed, float(inside.middle_m[2]), target) if is_done else None


def on_shelf(source: ObjectSource, rng: Rng, count: int | None = None) -> Layout | None:
    """Return things that stand and lie on boards of a shelf, or in a box on its side.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    :param count: how many things; drawn when not given.
    """
    if rng.random() < 0.35:
        solids, table = on_table(rng, rng.uniform(0.45, 0.8, 2))
        piece = furniture.open_case(rng).at(0, 0, float(table.middle_m[2]))
    else:
        solids, piece = room(rng), furniture.shelf(rng)
    bed = Bed([*solids, *piece.parts])
    order = rng.permutation(len(piece.areas))
    chosen = order[: int(rng.integers(1, 4))]
    for index in chosen:
        wanted = int(rng.integers(1, 6)) if count is None else count
        if wanted and rng.random() < 0.35:
            books = things(source, rng, int(rng.integers(1, 5)), BOOKS, lambda b: False, 0.0)
            heap(bed, piece.areas[index], books, rng, leant, hug=0.7)
        bodies = things(source, rng, wanted, (*TALL, *PLATFORMS), fits_hand, 0.7)
        put(bed, piece.areas[index], bodies, rng, hug=0.2, tidy=0.7)
    main = piece.areas[int(chosen[0])].middle_m
    if count is None and len(bed.bodies) < 2:
        return None
    return Layout(bed, float(main[2]), main + [0, -0.05, 0.08])


def plates(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return dishes, boards and trays with food on them, and things beside them.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    is_round = rng.random() < 0.2
    solids, top = on_table(rng, rng.uniform(0.3, 0.7, 2), is_round)
    bed, area = Bed(solids), within(top, 0.32)
    dishes = things(source, rng, int(rng.integers(1, 4)), DISHES, lambda body: False, 0.0)
    for index in put(bed, area, dishes, rng, is_flat=True):
        pieces = things(source, rng, int(rng.integers(1, 7)), FOOD, is_small, 0.35)
        put(bed, top_of(bed, index, 0.85), pieces, rng)
    beside = things(source, rng, int(rng.integers(0, 4)), (*THIN, *TALL), fits_hand, 0.3)
    put(bed, area, beside, rng, is_flat=True)
    middle = area.middle_m + [0, 0, 0.02]
    return Layout(bed, float(area.middle_m[2]), middle) if len(bed.bodies) > 1 else None


def produce(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return pieces of one kind and colour heaped on a dish, in a bowl or on the table.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_table(rng, rng.uniform(0.3, 0.7, 2))
    bed, area = Bed(solids), within(top, 0.25)
    dishes = things(source, rng, int(rng.integers(0, 3)), DISHES, lambda body: False, 0.0)
    places = [top_of(bed, k, 0.8) for k in put(bed, area, dishes, rng, is_flat=True)]
    for place in places or [within(area, float(rng.uniform(0.06, 0.12)))]:
        for _ in range(int(rng.integers(1, 3))):
            kind = str(rng.choice(FOOD))
            pieces = ProceduralSource((kind,)).draw(int(rng.integers(2, 7)), rng)
            put(bed, place, alike(pieces, rng), rng)
    return Layout(bed, float(top.middle_m[2]), area.middle_m) if len(bed.bodies) > 2 else None


def near(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return a mug, a tool, a package or two, for a camera so near that they fill its picture.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_floor(rng) if rng.random() < 0.3 else on_table(rng, rng.uniform(0.3, 0.8, 2))
    bed, area = Bed(solids), within(top, float(rng.uniform(0.05, 0.2)))
    larger = Resized(ProceduralSource((*TOOLS, *TALL, *PACKAGES)), (0.9, 1.6), (0.06, 0.4))
    bodies = things(source, rng, int(rng.integers(1, 4)), TOOLS, lambda body: True, 0.4)
    put(bed, area, bodies + larger.draw(int(rng.integers(0, 3)), rng), rng, tidy=0.2)
    target = area.middle_m + [0, 0, 0.04]
    return Layout(bed, float(top.middle_m[2]), target) if bed.bodies else None


def on_edge(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return books and packages that stand on edge, in a row or alone, some things beside them.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    kind = rng.random()
    if kind < 0.35:
        solids, table = on_table(rng, rng.uniform(0.45, 0.8, 2))
        piece = furniture.open_case(rng).at(0, 0, float(table.middle_m[2]))
        bed, area = Bed([*solids, *piece.parts]), piece.areas[0]
    elif kind < 0.75:
        piece = furniture.shelf(rng)
        bed = Bed([*room(rng), *piece.parts])
        area = piece.areas[int(rng.integers(len(piece.areas)))]
    else:
        solids, top = on_table(rng, rng.uniform(0.3, 0.8, 2))
        bed, area = Bed(solids), within(top, 0.25)
    row(bed, area, ProceduralSource(PACKAGES).draw(int(rng.integers(1, 8)), rng), rng)
    leaning = ProceduralSource(PACKAGES).draw(int(rng.integers(0, 3)), rng)
    heap(bed, area, leaning, rng, leant, hug=0.8)
    beside = things(source, rng, int(rng.integers(1, 4)), (*TALL, *PLATFORMS), fits_hand, 0.6)
    put(bed, area, beside, rng, tidy=0.6)
    target = area.middle_m + [0, -0.04, 0.1]
    return Layout(bed, float(area.middle_m[2]), target) if len(bed.bodies) > 1 else None


def ground(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return things on the floor, furniture around them.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, area = on_floor(rng)
    tops: list[Area] = []
    for _ in range(int(rng.integers(1, 4))):
        azimuth, piece = rng.uniform(0, 2 * np.pi), some_furniture(rng)
        far = area.half_m[0] + rng.uniform(0.35, 0.7)
        turn = 0.0 if rng.random() < 0.5 else azimuth + rng.choice([0.0, np.pi / 2])
        piece = piece.at(far * np.cos(azimuth), far * np.sin(azimuth), 0, turn)
        solids += piece.parts
        if turn == 0.0:
            tops.append(within(piece.areas[0], 0.3))
    if rng.random() < 0.3:
        x, y = rng.normal(0, 0.3, 2)
        solids += furniture.sheet(rng, rng.uniform(0.2, 0.8, 2)).at(x, y, 0).parts
    bed = Bed(solids)
    bodies = things(source, rng, int(rng.integers(2, 9)), (*TALL, 'book', 'cloth'), lambda b: True)
    put(bed, area, bodies, rng, tidy=0.2)
    for top in tops:
        more = things(source, rng, int(rng.integers(0, 4)), (*TALL, *THIN), fits_hand)
        put(bed, top, more, rng)
    return Layout(bed, 0.0, np.array([0, 0, 0.05])) if len(bed.bodies) > 1 else None


def low_table(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return a few things on a small table, stool or chest.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    kind, around = int(rng.integers(3)), room(rng)
    if kind == 0:
        piece = furniture.legged(rng, rng.uniform(0.14, 0.28, 2), rng.uniform(0.3, 0.7), True)
    elif kind == 1:
        piece = furniture.legged(rng, rng.uniform(0.16, 0.32, 2), rng.uniform(0.3, 0.7))
    else:
        piece = furniture.block(rng, rng.uniform(0.15, 0.3, 2), rng.uniform(0.2, 0.7))
    bed, top = Bed([*around, *piece.parts]), replace(piece.areas[0], overhang=0.2)
    bodies = things(source, rng, int(rng.integers(2, 7)), (*TALL, *THIN), fits_hand, 0.7)
    put(bed, top, bodies, rng)
    edge = top.middle_m + np.array([*rng.uniform(-0.35, 0.35, 2), 0.0])
    return Layout(bed, float(top.middle_m[2]), edge) if bed.bodies else None


def covered(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return a small table almost covered by broad flat things, small ones on top.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_table(rng, rng.uniform(0.22, 0.36, 2))
    bed, area = Bed(solids), replace(top, overhang=0.15)
    tidy = 0.9 if rng.random() < 0.6 else 0.2
    broad = things(source, rng, int(rng.integers(8, 14)), BROAD, is_thin, 0.2)
    broad.sort(key=lambda body: -float(np.prod(np.sort(body.solid.extents_m)[1:])))
    put(bed, area, broad, rng, hug=0.6, tidy=tidy, is_flat=bool(rng.random() < 0.3))
    small = things(source, rng, int(rng.integers(2, 7)), (*THIN, *FOOD, *TALL), fits_hand)
    put(bed, area, small, rng, tidy=tidy)
    return Layout(bed, float(top.middle_m[2]), top.middle_m) if len(bed.bodies) > 4 else None


def flat(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return thin things that lie flat, and a tall one or two.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_floor(rng) if rng.random() < 0.2 else on_table(rng, rng.uniform(0.3, 0.8, 2))
    bed, area = Bed(solids), within(top, float(rng.uniform(0.16, 0.35)))
    thin = things(source, rng, int(rng.integers(4, 12)), (*THIN, 'platter'), is_thin, 0.3)
    put(bed, area, thin, rng, tidy=0.3, is_flat=bool(rng.random() < 0.6))
    tall = things(source, rng, int(rng.integers(0, 3)), TALL, fits_hand)
    put(bed, area, tall, rng, is_flat=True)
    return Layout(bed, float(top.middle_m[2]), area.middle_m) if len(bed.bodies) > 2 else None


def levels(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return things on boxes, books and steps, and more of them below.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_floor(rng) if rng.random() < 0.4 else on_table(rng, rng.uniform(0.4, 0.8, 2))
    areas, z = [within(top, 0.3)], float(top.middle_m[2])
    for _ in range(int(rng.integers(0, 3))):
        half, high = rng.uniform(0.1, 0.22, 2), rng.uniform(0.03, 0.3)
        spot = rng.choice([-1, 1]) * (half[0] + rng.uniform(0.05, 0.15)), rng.uniform(-0.2, 0.2)
        step = furniture.block(rng, half, high).at(*spot, z)
        if len(areas) == 1 or np.sign(spot[0]) != np.sign(areas[1].middle_m[0]):
            solids += step.parts
            areas += step.areas
    bed = Bed(solids)
    carriers: list[int] = []
    for area in areas:
        boxes = things(source, rng, int(rng.integers(1, 3)), PLATFORMS, lambda b: False, 0.0)
        carriers += put(bed, area, boxes, rng, tidy=0.3)
    for index in carriers:
        loads = things(source, rng, int(rng.integers(1, 4)), (*TALL, *THIN, *FOOD), fits_hand, 0.7)
        put(bed, top_of(bed, index, 0.9), loads, rng)
    rest = things(source, rng, int(rng.integers(1, 5)), TALL, fits_hand, 0.8)
    put(bed, areas[int(rng.integers(len(areas)))], rest, rng)
    return Layout(bed, z, areas[0].middle_m + [0, 0, 0.08]) if len(bed.bodies) > 2 else None


def overhead(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return one of the layouts that are worth a look from above.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    builders = (tabletop, tabletop, flat, plates, levels, in_bin)
    return builders[int(rng.integers(len(builders)))](source, rng)


def tabletop(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return things of all kinds close together.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_floor(rng) if rng.random() < 0.3 else on_table(rng, rng.uniform(0.3, 0.8, 2))
    bed, area = Bed(solids), within(top, float(rng.uniform(0.15, 0.4)))
    bodies = things(source, rng, int(rng.integers(3, 11)), TALL, lambda b: True, 0.8)
    put(bed, area, bodies, rng)
    return Layout(bed, float(top.middle_m[2]), area.middle_m) if len(bed.bodies) > 1 else None


def empty_table(source: ObjectSource, rng: Rng) -> Layout:
    """Return a table with nothing on it; it looks at any part of the top.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, top = on_table(rng, rng.uniform(0.25, 0.8, 2), bool(rng.random() < 0.3))
    spot = rng.uniform(-1, 1, 2) * top.half_m
    return Layout(Bed(solids), float(top.middle_m[2]), top.middle_m + [*spot, 0])


def empty_floor(source: ObjectSource, rng: Rng) -> Layout:
    """Return a floor with nothing on it, maybe furniture.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    solids, _ = on_floor(rng)
    if rng.random() < 0.6:
        azimuth = rng.uniform(0, 2 * np.pi)
        spot = 1.1 * np.cos(azimuth), 1.1 * np.sin(azimuth)
        solids += some_furniture(rng).at(*spot, 0, rng.uniform(0, 6)).parts
    return Layout(Bed(solids), 0.0, np.array([*rng.normal(0, 0.3, 2), 0]))


def empty_shelf(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return a shelf, or a box on its side, with nothing in it.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    return on_shelf(source, rng, 0)


def empty_bin(source: ObjectSource, rng: Rng) -> Layout | None:
    """Return a bin or drawer with nothing in it.

    :param source: where the objects come from.
    :param rng: draws all that is left to chance.
    """
    return in_bin(source, rng, 0)
