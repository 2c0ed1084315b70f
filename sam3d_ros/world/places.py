# SPDX-License-Identifier: Apache-2.0
"""Suites of places: bins, shelves, plates, floors, small and crowded tables, and empty ones.

A place draws furniture, lets things down onto it (:mod:`sam3d_ros.world.bed`) and looks at them
from near or far, aslant or from straight above, not always at their middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world import cameras, furniture
from sam3d_ros.world.bed import Area, Bed, box_of
from sam3d_ros.world.episode import Setting
from sam3d_ros.world.furniture import Furniture
from sam3d_ros.world.placing import Body, Stance, stable, upright
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.sources import ObjectSource, ProceduralSource
from sam3d_ros.world.surroundings import distractors, floor, wall

Rng = np.random.Generator
ATTEMPTS = 20
VIEWS = 12
"""Views drawn of a place before it is drawn anew."""
SPOTS = 8
"""Spots tried for a body before it is left out."""
SEEN_SHARE = 0.1
"""A body is seen when this share of its probes is; none shows more than about half."""
SEEN_BODIES = 0.55
"""Share of the bodies that a view must show."""
SIGHT_M = 0.2
"""Nothing of the surroundings is nearer to the camera than this along its axis."""
REACH_CHANCE = 0.15
FOOD = (
    'apple', 'banana', 'burger', 'cube', 'cube', 'doughnut', 'floret', 'leaf', 'nugget', 'nugget',
    'slice', 'slice',
)  # fmt: skip
DISHES = ('platter', 'platter', 'plate', 'bowl', 'serving_tray', 'board')
THIN = ('cutlery', 'cutlery', 'pen', 'pen', 'card', 'phone', 'book', 'cloth', 'flat', 'wrench')
BROAD = ('book', 'book', 'cloth', 'board', 'platter', 'serving_tray', 'phone', 'flat', 'card')
TALL = ('can', 'bottle', 'cup', 'mug', 'tumbler', 'wine_glass', 'box', 'jug', 'vase')
PLATFORMS = ('box', 'book', 'flat', 'tray', 'serving_tray', 'board', 'open_box')
UPRIGHT = {
    'board', 'book', 'bowl', 'card', 'cloth', 'flat', 'phone', 'plate', 'platter', 'pot',
    'serving_tray', 'tray', 'tumbler', 'wine_glass',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """Where the camera may be.

    :param azimuth_deg: range of the camera's direction from the place; 270 is in front.
    :param aim_m: how far the camera looks past things (one sigma).
    """

    distance_m: tuple[float, float] = (0.4, 1.3)
    elevation_deg: tuple[float, float] = (18, 78)
    azimuth_deg: tuple[float, float] = (0, 360)
    aim_m: float = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Furniture with things on it.

    :param target_m: (3,) what the camera looks at, about.
    """

    bed: Bed
    support_z_m: float
    target_m: FloatArray


@dataclass(frozen=True, slots=True)
class Place:
    """A suite of a kind of place.

    :param build: draws a place, or None when the things did not fit.
    :param frames: frames of a recording.
    :param sweep_deg: arc of the orbit that the recording covers.
    """

    description: str
    build: Callable[[ObjectSource, Rng], Scene | None]
    look: Look
    frames: int = 5
    sweep_deg: float = 14.0
    lidar: bool = False

    def draw(self, source: ObjectSource, rng: Rng) -> Setting:
        """Return what an episode shows.

        :raises ConfigurationError: when the objects cannot be placed.
        """
        for _ in range(ATTEMPTS):
            scene = self.build(source, rng)
            arc = None if scene is None else self._arc(scene, rng)
            if scene is None or arc is None:
                continue
            around = list(scene.bed.surroundings)
            if rng.random() < REACH_CHANCE:
                around += _reaching(scene.bed, arc, rng)
            objects = _named([body.solid for body in scene.bed.bodies])
            return Setting(objects, scene.bed.poses, tuple(around), scene.support_z_m, arc)
        raise ConfigurationError(
            f'{source.description} could not be arranged in {ATTEMPTS} attempts: '
            f'{self.description}',
            wanted='smaller objects, or more to choose from',
        )

    def _arc(self, scene: Scene, rng: Rng) -> cameras.Arc | None:
        look = self.look
        for _ in range(VIEWS):
            target = scene.target_m
            if len(scene.bed.bodies) and rng.random() < 0.5:
                target = scene.bed.poses[rng.integers(len(scene.bed.bodies)), :3, 3]
            arc = cameras.Arc(
                target + look.aim_m * rng.normal(size=3) * [1, 1, 0.3],
                rng.uniform(*look.distance_m),
                np.radians(rng.uniform(*look.elevation_deg)),
                np.radians(rng.uniform(*look.azimuth_deg)),
                np.radians(self.sweep_deg) * rng.choice([-1, 1]),
                rng.normal(0, 0.05 if rng.random() < 0.8 else 0.4),
            )
            if _shows(scene.bed, arc):
                return arc
        return None


def _shows(bed: Bed, arc: cameras.Arc) -> bool:
    """Return whether the first view of an arc shows most bodies, and nothing blocks it."""
    T = arc.path(1)[0]
    ahead = bed.cast(T[:3, 3], T[:3, 2:3].T)
    if ahead[0] < SIGHT_M or T[2, 3] < 0.05:
        return False
    if not bed.bodies:
        return True
    probes = [apply(pose, b.probes_m) for pose, b in zip(bed.poses, bed.bodies, strict=True)]
    owner = np.repeat(np.arange(len(probes)), [len(p) for p in probes])
    points = np.concatenate(probes).astype(np.float64)
    camera = cameras.pinhole(640, 480)
    pixel = project(apply(inverse(T), points), camera)
    inside = ((pixel >= 0) & (pixel < [640, 480])).all(axis=1)
    t = bed.cast(T[:3, 3], points - T[:3, 3])
    seen = np.bincount(owner, inside & (t > 0.995)) / np.bincount(owner)
    return bool((seen >= SEEN_SHARE).mean() >= SEEN_BODIES)


def _reaching(bed: Bed, arc: cameras.Arc, rng: Rng) -> list[Solid]:
    """Return a gripper or cable at the picture's edge, or nothing where it would meet things."""
    parts = furniture.reach(rng, arc.path(1)[0], arc.distance_m)
    boxes = [box_of(body, T) for body, T in zip(bed.bodies, bed.poses, strict=True)]
    for part in parts:
        low, high = part.vertices_m.min(axis=0), part.vertices_m.max(axis=0)
        if any((low < box[1]).all() and (high > box[0]).all() for box in boxes):
            return []
    return parts


def _named(solids: Sequence[Solid]) -> tuple[Solid, ...]:
    """Return the solids, each with a name of its own."""
    named: dict[str, Solid] = {}
    for solid in solids:
        name, number = solid.name, 1
        while name in named:
            number += 1
            name = f'{solid.name}_{number}'
        named[name] = solid.renamed(name)
    return tuple(named.values())


def things(
    source: ObjectSource,
    rng: Rng,
    count: int,
    families: Sequence[str],
    fits: Callable[[Body], bool],
    share: float = 0.5,
) -> list[Body]:
    """Return bodies: of the source about a ``share``, where they fit, else of the families."""
    wanted = int(rng.binomial(count, share))
    drawn = source.draw(min(2 * wanted, 8), rng) if wanted else []
    kept = [body for body in drawn if fits(body)][:wanted]
    return kept + ProceduralSource(families).draw(count - len(kept), rng)


def is_small(body: Body) -> bool:
    """Return whether a body may lie on a plate."""
    return bool(body.solid.extents_m.max() < 0.11)


def is_thin(body: Body) -> bool:
    """Return whether a body lies flat."""
    return bool(np.sort(body.solid.extents_m)[0] < 0.03)


def fits_hand(body: Body) -> bool:
    """Return whether a body is of the size that one hand takes."""
    return bool(np.sort(body.solid.extents_m)[1] < 0.16)


def stance_of(body: Body, rng: Rng) -> Stance:
    """Return the body as people leave it: dishes and flat things on their base, others at will."""
    if body.solid.family in UPRIGHT:
        return upright(body, rng)
    return lying(body, rng) if is_thin(body) else stable(body, rng)


def lying(body: Body, rng: Rng) -> Stance:
    """Return the lowest of three random stable poses."""
    return min((stable(body, rng) for _ in range(3)), key=lambda s: s.T_support_obj[2, 3])


def squared(stance: Stance) -> Stance:
    """Return a stance turned so that its box along x and y is the smallest."""
    points = apply(stance.T_support_obj, stance.body.hull_m)[:, :2]
    angle = np.radians(np.arange(0, 90, 3))
    turned = np.stack([np.cos(angle), -np.sin(angle)]), np.stack([np.sin(angle), np.cos(angle)])
    size = [np.ptp(points @ turn, axis=0) for turn in turned]
    best = angle[int(np.argmin(size[0] * size[1]))]
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(best), -np.sin(best)], [np.sin(best), np.cos(best)]]
    T = turn @ stance.T_support_obj
    moved = apply(T, stance.body.hull_m)[:, :2]
    T[:2, 3] -= (moved.min(axis=0) + moved.max(axis=0)) / 2
    return Stance(stance.body, T, stance.radius_m)


def put(
    bed: Bed,
    area: Area,
    bodies: Sequence[Body],
    rng: Rng,
    hug: float = 0.0,
    tidy: float = 0.0,
    heap: bool = True,
) -> list[int]:
    """Let bodies down at random spots of an area and return their indices in the bed.

    :param hug: chance that one lies against a side of the area.
    :param tidy: chance that one lies along the sides.
    :param heap: bodies may rest on others of the area.
    """
    placed = []
    for body in bodies:
        for _ in range(SPOTS):
            stance = stance_of(body, rng)
            if rng.random() < tidy:
                stance = squared(stance)
            half = np.ptp(box_of(body, stance.T_support_obj), axis=0)[:2] / 2
            spot = area.spot(rng, half, hug)
            if spot is None:
                continue
            T = bed.slid(stance, spot, area, rng)
            bottom = np.inf if T is None else T[2, 3] - stance.T_support_obj[2, 3]
            if T is None or (not heap and bottom > area.middle_m[2] + 0.004):
                continue
            placed.append(len(bed.bodies))
            bed.add(body, T)
            break
    return placed


def top_of(bed: Bed, index: int, share: float) -> Area:
    """Return the area on top of a body of the bed: a disc of this share of its half width."""
    body, T = bed.bodies[index], bed.poses[index]
    low, high = box_of(body, T)
    radius = share * float((high - low)[:2].min()) / 2
    middle = np.array([*(low + high)[:2] / 2, low[2]])
    return Area(middle, (radius, radius), is_round=True, overhang=0.7)


def room(rng: Rng, near_m: float = 1.3) -> list[Solid]:
    """Return a floor at z = 0, a wall or two, and things and furniture farther away."""
    around = [floor(rng, 0.0)]
    azimuth = rng.uniform(0, 2 * np.pi)
    for k in range(int(rng.integers(0, 3))):
        around.append(wall(rng, azimuth + k * np.pi / 2, rng.uniform(near_m + 0.3, 3.2), 0.0))
    others = [random_solid(rng) for _ in range(int(rng.integers(0, 3)))]
    around += distractors(rng, others, near_m, 0.0)
    for _ in range(int(rng.integers(0, 3))):
        azimuth, distance = rng.uniform(0, 2 * np.pi), rng.uniform(near_m + 0.5, 2.6)
        x, y = distance * np.cos(azimuth), distance * np.sin(azimuth)
        around += some_furniture(rng).at(x, y, 0, rng.uniform(0, 2 * np.pi)).parts
    return around


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
    """Return a table in a room, sometimes with a cloth or sheets on it, and its top."""
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


def within(area: Area, half_m: float) -> Area:
    """Return the middle of an area, no more than this from its middle to its sides."""
    half = min(area.half_m[0], half_m), min(area.half_m[1], half_m)
    return replace(area, half_m=half)


def _bin(source: ObjectSource, rng: Rng, count: int | None = None) -> Scene | None:
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
    placed = put(bed, inside, bodies, rng, hug=0.35, tidy=0.4) if wanted else []
    target = inside.middle_m + [0, 0, 0.03]
    return Scene(bed, float(inside.middle_m[2]), target) if placed or not wanted else None


def _shelf(source: ObjectSource, rng: Rng, count: int | None = None) -> Scene | None:
    piece = furniture.shelf(rng)
    bed = Bed([*room(rng), *piece.parts])
    order = rng.permutation(len(piece.areas))
    chosen = order[: int(rng.integers(1, 4))]
    for index in chosen:
        wanted = int(rng.integers(1, 6)) if count is None else count
        bodies = things(source, rng, wanted, (*TALL, *PLATFORMS), fits_hand, 0.7)
        put(bed, piece.areas[index], bodies, rng, hug=0.2, tidy=0.7)
    main = piece.areas[int(chosen[0])].middle_m
    if count is None and len(bed.bodies) < 2:
        return None
    return Scene(bed, float(main[2]), main + [0, -0.05, 0.08])


def _plates(source: ObjectSource, rng: Rng) -> Scene | None:
    is_round = rng.random() < 0.2
    solids, top = on_table(rng, rng.uniform(0.3, 0.7, 2), is_round)
    bed, area = Bed(solids), within(top, 0.32)
    dishes = things(source, rng, int(rng.integers(1, 4)), DISHES, lambda body: False, 0.0)
    for index in put(bed, area, dishes, rng, heap=False):
        pieces = things(source, rng, int(rng.integers(1, 7)), FOOD, is_small, 0.35)
        put(bed, top_of(bed, index, 0.85), pieces, rng)
    beside = things(source, rng, int(rng.integers(0, 4)), (*THIN, *TALL), fits_hand, 0.3)
    put(bed, area, beside, rng, heap=False)
    middle = area.middle_m + [0, 0, 0.02]
    return Scene(bed, float(area.middle_m[2]), middle) if len(bed.bodies) > 1 else None


def _ground(source: ObjectSource, rng: Rng) -> Scene | None:
    solids, area = on_floor(rng)
    for _ in range(int(rng.integers(1, 4))):
        azimuth, piece = rng.uniform(0, 2 * np.pi), some_furniture(rng)
        far = area.half_m[0] + rng.uniform(0.35, 0.7)
        turn = azimuth + rng.choice([0.0, np.pi / 2, 0.3])
        solids += piece.at(far * np.cos(azimuth), far * np.sin(azimuth), 0, turn).parts
    if rng.random() < 0.3:
        x, y = rng.normal(0, 0.3, 2)
        solids += furniture.sheet(rng, rng.uniform(0.2, 0.8, 2)).at(x, y, 0).parts
    bed = Bed(solids)
    bodies = things(source, rng, int(rng.integers(2, 9)), (*TALL, 'book', 'cloth'), lambda b: True)
    put(bed, area, bodies, rng, tidy=0.2)
    return Scene(bed, 0.0, np.array([0, 0, 0.05])) if len(bed.bodies) > 1 else None


def _low_table(source: ObjectSource, rng: Rng) -> Scene | None:
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
    return Scene(bed, float(top.middle_m[2]), edge) if bed.bodies else None


def _covered(source: ObjectSource, rng: Rng) -> Scene | None:
    solids, top = on_table(rng, rng.uniform(0.22, 0.36, 2))
    bed, area = Bed(solids), replace(top, overhang=0.15)
    tidy = 0.9 if rng.random() < 0.6 else 0.2
    broad = things(source, rng, int(rng.integers(8, 14)), BROAD, is_thin, 0.2)
    broad.sort(key=lambda body: -float(np.prod(np.sort(body.solid.extents_m)[1:])))
    put(bed, area, broad, rng, hug=0.6, tidy=tidy, heap=bool(rng.random() < 0.7))
    small = things(source, rng, int(rng.integers(2, 7)), (*THIN, *FOOD, *TALL), fits_hand)
    put(bed, area, small, rng, tidy=tidy)
    return Scene(bed, float(top.middle_m[2]), top.middle_m) if len(bed.bodies) > 4 else None


def _flat(source: ObjectSource, rng: Rng) -> Scene | None:
    solids, top = on_floor(rng) if rng.random() < 0.2 else on_table(rng, rng.uniform(0.3, 0.8, 2))
    bed, area = Bed(solids), within(top, float(rng.uniform(0.16, 0.35)))
    thin = things(source, rng, int(rng.integers(4, 12)), (*THIN, 'platter'), is_thin, 0.3)
    put(bed, area, thin, rng, tidy=0.3, heap=bool(rng.random() < 0.4))
    tall = things(source, rng, int(rng.integers(0, 3)), TALL, fits_hand)
    put(bed, area, tall, rng, heap=False)
    return Scene(bed, float(top.middle_m[2]), area.middle_m) if len(bed.bodies) > 2 else None


def _levels(source: ObjectSource, rng: Rng) -> Scene | None:
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
    return Scene(bed, z, areas[0].middle_m + [0, 0, 0.08]) if len(bed.bodies) > 2 else None


def _overhead(source: ObjectSource, rng: Rng) -> Scene | None:
    builders = (_tabletop, _tabletop, _flat, _plates, _levels, _bin)
    return builders[int(rng.integers(len(builders)))](source, rng)


def _tabletop(source: ObjectSource, rng: Rng) -> Scene | None:
    solids, top = on_floor(rng) if rng.random() < 0.3 else on_table(rng, rng.uniform(0.3, 0.8, 2))
    bed, area = Bed(solids), within(top, float(rng.uniform(0.15, 0.4)))
    bodies = things(source, rng, int(rng.integers(3, 11)), TALL, lambda b: True, 0.8)
    put(bed, area, bodies, rng)
    return Scene(bed, float(top.middle_m[2]), area.middle_m) if len(bed.bodies) > 1 else None


def _empty_table(source: ObjectSource, rng: Rng) -> Scene:
    solids, top = on_table(rng, rng.uniform(0.25, 0.8, 2), bool(rng.random() < 0.3))
    spot = rng.uniform(-1, 1, 2) * top.half_m
    return Scene(Bed(solids), float(top.middle_m[2]), top.middle_m + [*spot, 0])


def _empty_floor(source: ObjectSource, rng: Rng) -> Scene:
    solids, _ = on_floor(rng)
    if rng.random() < 0.6:
        azimuth = rng.uniform(0, 2 * np.pi)
        spot = 1.1 * np.cos(azimuth), 1.1 * np.sin(azimuth)
        solids += some_furniture(rng).at(*spot, 0, rng.uniform(0, 6)).parts
    return Scene(Bed(solids), 0.0, np.array([*rng.normal(0, 0.3, 2), 0]))


def _empty_shelf(source: ObjectSource, rng: Rng) -> Scene | None:
    return _shelf(source, rng, 0)


def _empty_bin(source: ObjectSource, rng: Rng) -> Scene | None:
    return _bin(source, rng, 0)


FRONT = Look((0.5, 1.4), (-5, 30), (235, 305), 0.1)
ABOVE = Look((0.45, 1.3), (45, 85), aim_m=0.06)
PLACES: dict[str, Place] = {
    'bin': Place('things in a bin, tote or drawer, seen from above', _bin, ABOVE),
    'shelf': Place('things on the boards of a shelf, seen from its front', _shelf, FRONT),
    'plates': Place(
        'dishes, boards and trays that carry food', _plates, Look((0.35, 1.0), (25, 85))
    ),
    'ground': Place('things on the floor among furniture', _ground, Look((0.6, 1.6), (20, 75))),
    'low_table': Place(
        'a small table or stool with things, more floor than table',
        _low_table,
        Look((0.8, 1.6), (20, 70), aim_m=0.12),
    ),
    'covered': Place('a table almost covered by flat and touching things', _covered, Look()),
    'flat': Place('thin things that lie flat, few tall ones', _flat, Look((0.35, 1.1))),
    'levels': Place('things at two or three heights', _levels, Look((0.45, 1.4), (18, 70))),
    'overhead': Place('seen from straight above', _overhead, Look((0.5, 1.4), (82, 89.5))),
    'empty_table': Place('a table with nothing on it', _empty_table, Look((0.5, 1.6))),
    'empty_floor': Place('a floor with nothing on it', _empty_floor, Look((0.6, 1.6))),
    'empty_shelf': Place('a shelf with nothing on it', _empty_shelf, FRONT),
    'empty_bin': Place('a bin or drawer with nothing in it', _empty_bin, ABOVE),
}
"""The suites of places by name."""
