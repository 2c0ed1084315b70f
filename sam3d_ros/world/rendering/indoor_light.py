# SPDX-License-Identifier: Apache-2.0
"""Random light of rooms: lamps, windows, and what shiny things mirror."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.world.rendering.illumination import (
    Illumination,
    Lamp,
    blurred_room,
    room_directions,
)
from sam3d_ros.world.rendering.light import Light

Rng = np.random.Generator
WARM, COOL = np.array([1.12, 1.0, 0.78]), np.array([0.92, 1.0, 1.12])


def random_illumination(rng: Rng, light: Light) -> Illumination:
    """Return the light of a room whose strongest lamp stands where that of ``light`` does.

    :param rng: draws all that is left to chance.
    """
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
    ambient = rng.uniform(0.3, 0.75)
    shares = rng.dirichlet(np.full(count, 2.0))[::-1]
    strength = rng.uniform(0.95, 1.3)
    lamps = []
    for number, share in enumerate(np.sort(shares)[::-1]):
        direction = light.direction if number == 0 else _above(rng)
        color = strength * (1 - ambient) * share * _tint(rng)
        lamps.append(Lamp(direction, color, float(np.exp(rng.uniform(*np.log([0.006, 0.08]))))))
    sky = strength * ambient * _tint(rng)
    gradient = np.zeros(3)
    if rng.random() < 0.6:
        azimuth = rng.uniform(0, 2 * np.pi)
        gradient[:2] = rng.uniform(0.1, 0.9) * np.array([np.cos(azimuth), np.sin(azimuth)])
    room = _room(rng, tuple(lamps), sky)
    return Illumination(tuple(lamps), sky, rng.uniform(0.5, 1.0), gradient, blurred_room(room))


def _above(rng: Rng) -> FloatArray:
    """Return a direction well above the horizon."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(30, 85))
    flat = np.cos(elevation)
    return np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])


def _tint(rng: Rng) -> FloatArray:
    """Return RGB factors between warm and cool light."""
    share = np.clip(rng.normal(0.5, 0.25), 0, 1)
    tint: FloatArray = WARM + share * (COOL - WARM)
    return tint


def _room(rng: Rng, lamps: tuple[Lamp, ...], sky: FloatArray) -> Float32Array:
    """Return what is around: floor, walls, ceiling, bright windows and lights, dark furniture."""
    directions = room_directions()
    azimuth = np.arctan2(directions[..., 1], directions[..., 0])
    height = directions[..., 2]
    floor, wall, ceiling = rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.8), rng.uniform(0.6, 1.0)
    tone = np.where(height < 0, floor, wall + (ceiling - wall) * np.clip(2 * height, 0, 1))
    for number in range(int(rng.integers(2, 7))):
        turn = np.abs(np.angle(np.exp(1j * (azimuth - rng.uniform(-np.pi, np.pi)))))
        low = rng.uniform(-0.2, 0.5)
        inside = (turn < rng.uniform(0.1, 0.6)) & (height > low)
        inside &= height < low + rng.uniform(0.2, 0.5)
        is_bright = number == 0 or rng.random() < 0.6
        tone[inside] = rng.uniform(1.5, 5.0) if is_bright else rng.uniform(0.02, 0.3)
    for lamp in lamps:
        tone += rng.uniform(0.5, 3.0) * (directions @ lamp.direction > rng.uniform(0.96, 0.995))
    return (255 * tone[..., None] * sky).astype(np.float32)
