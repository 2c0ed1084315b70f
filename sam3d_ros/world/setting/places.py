# SPDX-License-Identifier: Apache-2.0
"""Suites of places: bins, shelves, plates, floors, small and crowded tables, and empty ones.

A place draws a layout (:mod:`sam3d_ros.world.setting.layouts`) and looks at it from near or far,
aslant or from straight above, not always at its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world import cameras
from sam3d_ros.world.episode import Setting
from sam3d_ros.world.setting import layouts
from sam3d_ros.world.setting.bed import Bed, box_of
from sam3d_ros.world.setting.layouts import Layout
from sam3d_ros.world.setting.parts import joined
from sam3d_ros.world.setting.reach import reach
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.sources import ObjectSource

Rng = np.random.Generator
ATTEMPTS = 20
VIEWS = 12
"""Views drawn of a place before it is drawn anew."""
SEEN_SHARE = 0.1
"""A body is seen when this share of its probes is; none shows more than about half."""
SEEN_BODIES = 0.55
"""Share of the bodies that a view must show."""
SIGHT_M = 0.2
"""Nothing of the surroundings is nearer to the camera than this along its axis."""
EYE_M = 0.12
"""Nor is a gripper or cable nearer than this to any."""
REACH_CHANCE = 0.2


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


@dataclass(frozen=True, slots=True)
class Place:
    """A suite of a kind of place.

    :param build: draws a place, or None when the things did not fit.
    :param frames: frames of a recording.
    :param sweep_deg: arc of the orbit that the recording covers.
    """

    description: str
    build: Callable[[ObjectSource, Rng], Layout | None]
    look: Look
    frames: int = 5
    sweep_deg: float = 14.0
    lidar: bool = False

    def draw(self, source: ObjectSource, rng: Rng, views: int = 1) -> Setting:
        """Return what an episode shows.

        :param source: where the objects come from.
        :param rng: draws all that is left to chance.
        :param views: cameras that look at it.
        :raises ConfigurationError: when the objects cannot be placed.
        """
        for _ in range(ATTEMPTS):
            layout = self.build(source, rng)
            first = None if layout is None else self._arc(layout, rng)
            if layout is None or first is None:
                continue
            arcs = [first]
            for _ in range(views - 1):
                arcs.append(self._arc(layout, rng) or arcs[-1])
            around = joined(layout.bed.surroundings)
            if rng.random() < REACH_CHANCE:
                around += _reaching(layout.bed, arcs, rng)
            objects = _named([body.solid for body in layout.bed.bodies])
            poses = layout.bed.poses
            return Setting(objects, poses, tuple(around), layout.support_z_m, tuple(arcs))
        raise ConfigurationError(
            f'{source.description} could not be arranged in {ATTEMPTS} attempts: '
            f'{self.description}',
            wanted='smaller objects, or more to choose from',
        )

    def _arc(self, layout: Layout, rng: Rng) -> cameras.Arc | None:
        look = self.look
        for _ in range(VIEWS):
            target = layout.target_m
            if len(layout.bed.bodies) and rng.random() < 0.5:
                target = layout.bed.poses[rng.integers(len(layout.bed.bodies)), :3, 3]
            arc = cameras.Arc(
                target + look.aim_m * rng.normal(size=3) * [1, 1, 0.3],
                rng.uniform(*look.distance_m),
                np.radians(rng.uniform(*look.elevation_deg)),
                np.radians(rng.uniform(*look.azimuth_deg)),
                np.radians(self.sweep_deg) * rng.choice([-1, 1]),
                rng.normal(0, 0.05 if rng.random() < 0.8 else 0.4),
            )
            if all(_shows(layout.bed, T) for T in arc.path(2)):
                return arc
        return None


def _shows(bed: Bed, T: FloatArray) -> bool:
    """Return whether the camera at T_fixed_cam sees most bodies, and nothing blocks it."""
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


def _reaching(bed: Bed, arcs: Sequence[cameras.Arc], rng: Rng) -> list[Solid]:
    """Return a gripper or cable at the first picture's edge, or nothing where it is in the way."""
    parts = reach(rng, arcs[0].path(1)[0], arcs[0].distance_m)
    eyes = np.concatenate([arc.path(2)[:, :3, 3] for arc in arcs])
    boxes = [box_of(body, T) for body, T in zip(bed.bodies, bed.poses, strict=True)]
    for part in parts:
        points = part.vertices_m
        low, high = points.min(axis=0), points.max(axis=0)
        if any((low < box[1]).all() and (high > box[0]).all() for box in boxes):
            return []
        if np.linalg.norm(points[:, None] - eyes, axis=2).min() < EYE_M:
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


FRONT = Look((0.5, 1.4), (-5, 30), (235, 305), 0.1)
ABOVE = Look((0.45, 1.3), (45, 85), aim_m=0.06)
PLACES: dict[str, Place] = {
    'bin': Place('things in a bin, tote or drawer, seen from above', layouts.in_bin, ABOVE),
    'shelf': Place(
        'things on the boards of a shelf or in a box on its side, seen from the front',
        layouts.on_shelf,
        FRONT,
    ),
    'plates': Place(
        'dishes, boards and trays that carry food', layouts.plates, Look((0.35, 1.0), (25, 85))
    ),
    'produce': Place(
        'pieces of one kind heaped on dishes', layouts.produce, Look((0.25, 0.65), (20, 85))
    ),
    'near': Place(
        'few things that fill the picture', layouts.near, Look((0.24, 0.55), (5, 60), aim_m=0.03)
    ),
    'on_edge': Place(
        'books and packages on edge, in rows and leaning, from the front',
        layouts.on_edge,
        Look((0.4, 1.0), (-5, 35), (225, 315), 0.08),
    ),
    'ground': Place(
        'things on the floor among furniture', layouts.ground, Look((0.6, 1.6), (20, 75))
    ),
    'low_table': Place(
        'a small table or stool with things, more floor than table',
        layouts.low_table,
        Look((0.8, 1.6), (20, 70), aim_m=0.12),
    ),
    'covered': Place(
        'a table almost covered by flat and touching things', layouts.covered, Look()
    ),
    'flat': Place('thin things that lie flat, few tall ones', layouts.flat, Look((0.35, 1.1))),
    'levels': Place('things at two or three heights', layouts.levels, Look((0.45, 1.4), (18, 70))),
    'overhead': Place('seen from straight above', layouts.overhead, Look((0.5, 1.4), (82, 89.5))),
    'empty_table': Place('a table with nothing on it', layouts.empty_table, Look((0.5, 1.6))),
    'empty_floor': Place('a floor with nothing on it', layouts.empty_floor, Look((0.6, 1.6))),
    'empty_shelf': Place(
        'a shelf or a box on its side with nothing in it', layouts.empty_shelf, FRONT
    ),
    'empty_bin': Place('a bin or drawer with nothing in it', layouts.empty_bin, ABOVE),
}
"""The suites of places by name."""
