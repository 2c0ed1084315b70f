# SPDX-License-Identifier: Apache-2.0
"""How an episode looks: ``plain`` paint under one lamp, or as a camera sees a real room."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import Float32Array
from sam3d_ros.world.appearance.materials import CLEAR_CHANCE, is_black, random_material
from sam3d_ros.world.appearance.paint import painted
from sam3d_ros.world.appearance.patterns import ROLES, photographic_pattern
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.rendering.indoor_light import random_illumination
from sam3d_ros.world.rendering.light import Light
from sam3d_ros.world.shapes import FAMILIES, SPECIAL_FAMILIES
from sam3d_ros.world.solid import MATT, Material, Solid, Texture

Rng = np.random.Generator
LOOKS = ('plain', 'photo')
FOOD = frozenset({
    'apple', 'banana', 'burger', 'cube', 'doughnut', 'floret', 'leaf', 'nugget', 'slice',
})  # fmt: skip
"""Families that keep their colours: no food is printed on or made of glass."""
SPREAD = 0.5
"""Pictures of surroundings cover more than they were laid out for, so that few repeat in view."""


def looks_rng(episode: Episode, *which: int) -> Rng:
    """Return a generator for the looks alone: geometry must not depend on them."""
    suite, own = zlib.crc32(episode.suite.encode()), zlib.crc32(b'looks')
    return np.random.default_rng([episode.seed, suite, own, *which])


def with_looks(episode: Episode, looks: str, clear_chance: float = CLEAR_CHANCE) -> Episode:
    """Return an episode with the same geometry, cameras and sensors in these looks.

    :param looks: ``plain`` returns it as it is; ``photo`` gives things and surroundings other
        colours and materials, and the light of a room. Textures of scans stay.
    :param clear_chance: chance of things that may be of glass to be of glass.
    :raises ConfigurationError: when there are no such looks.
    """
    if looks not in LOOKS:
        raise ConfigurationError(f'no looks "{looks}"', wanted=f'one of {", ".join(LOOKS)}')
    if looks == 'plain':
        return replace(episode, looks=looks)
    rng = looks_rng(episode)
    light = episode.light
    if isinstance(light, Light):
        light = random_illumination(rng, light)
    for_objects, for_surroundings = rng.spawn(2)
    objects = [
        _thing(solid, own, clear_chance)
        for solid, own in zip(
            episode.objects, for_objects.spawn(len(episode.objects)), strict=True
        )
    ]
    surroundings = [
        _covered(solid, own) if solid.family == 'surroundings' else _thing(solid, own, 0.0)
        for solid, own in zip(
            episode.surroundings, for_surroundings.spawn(len(episode.surroundings)), strict=True
        )
    ]
    return replace(
        episode,
        looks=looks,
        light=light,
        objects=tuple(objects),
        surroundings=tuple(surroundings),
    )


def _thing(solid: Solid, rng: Rng, clear_chance: float) -> Solid:
    """Return a thing of a random material, painted anew unless it is a scan or food."""
    is_made = solid.family in FAMILIES or solid.family in SPECIAL_FAMILIES
    keeps_colors = solid.texture is not None or not is_made or solid.family in FOOD
    material = random_material(rng, solid.family, 0.0 if keeps_colors else clear_chance)
    if keeps_colors:
        texture = replace(solid.texture, is_filtered=True) if solid.texture else None
        # Its own colours say whether it is dark.
        material = MATT if is_black(material) else material
        return replace(solid, texture=texture, material=material)
    if material.clear > 0:
        colors = np.broadcast_to(_glass_color(rng), solid.colors.shape).astype(np.uint8)
        return replace(solid, material=material, colors=np.ascontiguousarray(colors))
    tone = rng.uniform(0.08, 0.35) if is_black(material) else 1.0
    return replace(painted(solid, rng, tone), material=material)


def _glass_color(rng: Rng) -> Float32Array:
    """Return the (3,) tint of glass: mostly none, else green, brown or blue."""
    tints = np.array([[250, 252, 252], [150, 215, 170], [200, 140, 70], [150, 190, 235]])
    return tints[rng.choice(4, p=[0.7, 0.12, 0.08, 0.1])].astype(np.float32)


def _covered(solid: Solid, rng: Rng) -> Solid:
    """Return a part of the surroundings with the picture of a real surface."""
    role = solid.name if solid.name in ROLES else 'table'
    image = photographic_pattern(rng, role)
    uv = solid.texture.uv if solid.texture else np.zeros((len(solid.faces), 3, 2), np.float32)
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else np.pi / 2 * rng.integers(4)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = SPREAD * uv @ np.array([[cos, -sin], [sin, cos]]) + rng.random(2)
    material = _surface_material(rng)
    mean = image.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    return replace(
        solid,
        texture=Texture(image, turned.astype(np.float32), is_filtered=True),
        colors=np.tile(mean, (len(solid.vertices_m), 1)),
        material=material,
    )


def _surface_material(rng: Rng) -> Material:
    """Return what a table, floor or wall is made of: matt, satin or polished."""
    kind, share, reflectance = rng.random(), rng.random(), float(rng.uniform(0.7, 1.0))
    if kind < 0.6:
        return Material(reflectance)
    return Material(reflectance, 0.1 + 0.3 * share if kind < 0.9 else 0.4 + 0.4 * share)
