# SPDX-License-Identifier: Apache-2.0
"""The standard suites: an episode by name and seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.world import cameras, events
from sam3d_ros.world.appearance.looks import with_looks
from sam3d_ros.world.appearance.materials import CLEAR_CHANCE
from sam3d_ros.world.episode import Episode, Setting, stamps
from sam3d_ros.world.rendering.lidar import Lidar
from sam3d_ros.world.rendering.light import random_light
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.rendering.sensors import RangeCamera, depth_sensor
from sam3d_ros.world.setting import arrangement
from sam3d_ros.world.setting.places import PLACES, Place
from sam3d_ros.world.setting.placing import Body, stable, upright
from sam3d_ros.world.setting.surroundings import distractors, floor, table, wall
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.sources import ObjectSource, ProceduralSource
from sam3d_ros.world.truth import occlusion

Rng = np.random.Generator
Placed = tuple[list[Body], FloatArray]

DEMO_FAMILIES = ('box', 'can', 'bottle', 'mug', 'bowl', 'ball', 'flat')
DEMO_THINNEST_M = 0.018
"""Thinner things drown in the noise of structured light at a metre."""
ATTEMPTS = 60
"""Draws of objects before a suite gives up."""
CLUTTER_DIAMETER_M = 0.4
CLUTTER_OVERLAP = 0.38
SKETCH = cameras.pinhole(160, 120)
"""Small camera that looks ahead whether objects hide each other."""


@dataclass(frozen=True, slots=True)
class Suite:
    """How a suite's episodes are drawn.

    :param arrange: objects and their poses about the fixed frame's z axis, support at z = 0.
    :param frames: frames of a recording.
    :param distance_m: range of the camera's distance to the middle of the objects.
    :param elevation_deg: range of its elevation over the support.
    :param sweep_deg: arc of the orbit that the recording covers.
    :param surface: ``table``, ``floor``, or ``any`` to draw one.
    :param lidar: the sensor is a spinning LiDAR.
    :param max_hidden: no object may be hidden by others more than this, anywhere on the orbit.
    """

    description: str
    arrange: Callable[[ObjectSource, Rng], Placed | None]
    frames: int
    distance_m: tuple[float, float]
    elevation_deg: tuple[float, float]
    sweep_deg: float
    surface: str = 'any'
    lidar: bool = False
    max_hidden: float = 1.0

    def draw(self, source: ObjectSource, rng: Rng, views: int = 1) -> Setting:
        """Return what an episode shows.

        :param source: where the objects come from.
        :param rng: draws all that is left to chance.
        :param views: cameras that look at it.
        :raises ConfigurationError: when the objects cannot be placed.
        """
        for _ in range(ATTEMPTS):
            placed = self.arrange(source, rng)
            arc = self._arc(rng)
            if placed is None:
                continue
            bodies, poses = placed
            arc = replace(arc, target_m=poses[:, :3, 3].mean(axis=0))
            if self.max_hidden >= 1.0 or _most_hidden(bodies, poses, arc) <= self.max_hidden:
                break
        else:
            raise ConfigurationError(
                f'{source.description} could not be arranged in {ATTEMPTS} attempts: '
                f'{self.description}',
                wanted='smaller objects, or more to choose from',
            )
        support_z_m, surroundings = self._surroundings(rng)
        poses[:, 2, 3] += support_z_m
        return Setting(
            tuple(body.solid for body in bodies),
            poses,
            tuple(surroundings),
            support_z_m,
            tuple(
                replace(each, target_m=poses[:, :3, 3].mean(axis=0))
                for each in (arc, *(self._arc(rng) for _ in range(views - 1)))
            ),
        )

    def _arc(self, rng: Rng) -> cameras.Arc:
        """Return an arc about the origin."""
        return cameras.Arc(
            np.zeros(3),
            rng.uniform(*self.distance_m),
            np.radians(rng.uniform(*self.elevation_deg)),
            rng.uniform(0, 2 * np.pi),
            np.radians(self.sweep_deg),
        )

    def _surroundings(self, rng: Rng) -> tuple[float, list[Solid]]:
        """Return the height of the support and all that stands around the objects."""
        on_table = self.surface == 'table' or (self.surface == 'any' and rng.random() < 0.7)
        around = [
            floor(rng, 0.0),
            wall(rng, rng.uniform(0, 2 * np.pi), rng.uniform(1.8, 3.0), 0.0),
        ]
        others = [random_solid(rng) for _ in range(int(rng.integers(1, 4)))]
        around += distractors(rng, others, 1.3, 0.0)
        if not on_table:
            return 0.0, around
        height = float(rng.uniform(0.65, 0.8))
        size = (rng.uniform(1.1, 1.6), rng.uniform(1.0, 1.3))
        return height, [table(rng, size, height), *around]


def _most_hidden(bodies: list[Body], poses: FloatArray, arc: cameras.Arc) -> float:
    """Return the largest hidden share of any object, at seven places of the orbit."""
    renderer = Renderer([body.solid for body in bodies])
    sketches = [renderer.masks(SKETCH, T, poses) for T in arc.path(7)]
    return float(np.nanmax([occlusion(*masks) for masks in sketches]))


def make_episode(
    name: str,
    seed: int,
    source: ObjectSource | None = None,
    *,
    frames: int | None = None,
    sweep_deg: float | None = None,
    size_px: tuple[int, int] = (640, 480),
    sensor: RangeCamera | None = None,
    is_hand_held: bool = False,
    is_scattered: bool = False,
    looks: str = 'photo',
    clear_chance: float = CLEAR_CHANCE,
) -> Episode:
    """Return the episode of a suite and seed.

    :param name: of the suite.
    :param source: where objects come from; procedural solids when not given. ``demo`` always
        shows its own procedural ones.
    :param frames: frames, where others than the suite's are wanted; the arc stays the same.
    :param sweep_deg: arc of the orbit, where another than the suite's is wanted.
    :param size_px: width and height of the images.
    :param sensor: the depth camera; structured light when not given.
    :param is_hand_held: the camera wanders and shakes instead of keeping to the orbit.
    :param is_scattered: every frame has a view of its own instead of one on the orbit.
    :param looks: ``photo`` or ``plain``; geometry, cameras and depth sensor are the same in both.
    :param clear_chance: chance of bottles, bowls and the like to be of glass, in ``photo`` looks.
    :raises ConfigurationError: when there is no such suite, or its objects cannot be placed.
    """
    if name not in SUITES:
        raise ConfigurationError(f'no suite "{name}"', wanted=f'one of {", ".join(SUITES)}')
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    chosen = source or ProceduralSource()
    if name == 'demo':
        chosen = ProceduralSource(DEMO_FAMILIES)
    suite = SUITES[name]
    if sweep_deg is not None:
        suite = replace(suite, sweep_deg=sweep_deg)
    count = suite.frames if frames is None else frames
    setting = suite.draw(chosen, rng, count if is_scattered else 1)
    light, camera = random_light(rng), cameras.pinhole(*size_px, rng=rng)
    if is_scattered:
        T_fixed_cam = np.concatenate([arc.path(1) for arc in setting.arcs])
    else:
        T_fixed_cam = setting.arcs[0].path(count, rng if is_hand_held else None)
    episode = Episode(
        suite=name,
        seed=seed,
        source=chosen.description,
        objects=setting.objects,
        surroundings=setting.surroundings,
        support_z_m=setting.support_z_m,
        light=light,
        camera=camera,
        sensor=sensor or depth_sensor('structured_light'),
        stamps_ns=stamps(count),
        T_fixed_cam=T_fixed_cam,
        T_fixed_obj=np.tile(setting.T_fixed_obj, (count, 1, 1, 1)),
        present=np.ones((count, len(setting.objects)), bool),
        lidar=Lidar() if suite.lidar else None,
    )
    if name == 'events':
        episode = events.with_events(episode, rng)
    return with_looks(episode, looks, clear_chance)


def _demo(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = [ProceduralSource([family]).draw(1, rng)[0] for family in DEMO_FAMILIES]
    if min(body.solid.extents_m.min() for body in bodies) < DEMO_THINNEST_M:
        return None
    stances = [upright(body, rng) for body in bodies]
    poses = arrangement.spaced(stances, rng, gap_m=0.05, within_m=0.56, support_z_m=0.0)
    return None if poses is None else (bodies, poses)


def _spaced(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = source.draw(5, rng)
    stances = [stable(body, rng) for body in bodies]
    poses = arrangement.spaced(stances, rng, gap_m=0.02, within_m=0.6, support_z_m=0.0)
    return None if poses is None else (bodies, poses)


def _clutter(source: ObjectSource, rng: Rng, count: int = 9) -> Placed | None:
    bodies = source.draw(count, rng)
    stances = [stable(body, rng) for body in bodies]
    poses = arrangement.cluttered(stances, rng, CLUTTER_OVERLAP, CLUTTER_DIAMETER_M, 0.0)
    return None if poses is None else (bodies, poses)


def _piled(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = source.draw(12, rng)
    poses = arrangement.piled(bodies, rng, spread_m=0.12, within_m=0.8, support_z_m=0.0)
    return None if poses is None else (bodies, poses)


def _single(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = source.draw(1, rng)
    poses = arrangement.spaced([stable(bodies[0], rng)], rng, 0.0, 0.1, 0.0)
    return None if poses is None else (bodies, poses)


def _pair(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = source.draw(2, rng)
    stances = [stable(body, rng) for body in bodies]
    poses = arrangement.spaced(stances, rng, gap_m=0.05, within_m=0.4, support_z_m=0.0)
    return None if poses is None else (bodies, poses)


def _stacked(source: ObjectSource, rng: Rng) -> Placed | None:
    bodies = source.draw(3, rng)
    flattest = sorted((stable(body, rng) for body in bodies), key=lambda s: -s.radius_m)
    poses = arrangement.stacked(flattest, rng, 0.0)
    return None if poses is None else ([stance.body for stance in flattest], poses)


SUITES: dict[str, Suite | Place] = {
    'demo': Suite(
        'seven different procedural objects on a table, an eighth of an orbit',
        _demo,
        40,
        (1.0, 1.1),
        (38, 45),
        50.0,
        'table',
        max_hidden=0.3,
    ),
    'spaced': Suite(
        '5 objects in stable poses that do not touch', _spaced, 5, (0.75, 1.05), (28, 55), 14.0
    ),
    'clutter': Suite(
        '9 objects within 0.4 m that touch and hide each other',
        _clutter,
        5,
        (0.75, 1.05),
        (28, 55),
        14.0,
    ),
    'piled': Suite('12 objects dropped on a heap', _piled, 5, (0.75, 1.05), (28, 55), 14.0),
    'lidar': Suite(
        '5 spaced objects on the floor, colour and LiDAR',
        _spaced,
        10,
        (1.0, 1.4),
        (28, 45),
        20.0,
        'floor',
        True,
    ),
    'single': Suite('1 object in a stable pose', _single, 5, (0.6, 0.9), (28, 55), 14.0),
    'pair': Suite(
        '2 objects in stable poses that do not touch', _pair, 5, (0.75, 1.05), (28, 55), 14.0
    ),
    'stacked': Suite('3 objects on top of each other', _stacked, 5, (0.75, 1.05), (28, 55), 14.0),
    'events': Suite(
        '8 objects in clutter; the camera looks away, things are taken, put elsewhere, pushed',
        partial(_clutter, count=8),
        events.FRAMES,
        (0.75, 1.05),
        (28, 55),
        50.0,
        'table',
    ),
    **PLACES,
}
"""The standard suites by name."""
