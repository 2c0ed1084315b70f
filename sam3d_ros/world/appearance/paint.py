# SPDX-License-Identifier: Apache-2.0
"""Procedural colours of things: as functions of surface points, or as print laid around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.world.appearance.noise import pink_noise
from sam3d_ros.world.appearance.palette import print_color, random_color
from sam3d_ros.world.appearance.patterns import PATTERNS
from sam3d_ros.world.appearance.prints import photo, printed
from sam3d_ros.world.appearance.wrapping import box_wrapped, tube_wrapped, vertex_colors
from sam3d_ros.world.solid import Paint, Solid

Rng = np.random.Generator
Layer = Callable[[FloatArray, FloatArray], FloatArray]
"""(N, 3) colours, 0..255, of (N, 3) points, given the colours below."""
ROUND_FAMILIES = frozenset({
    'bottle', 'bowl', 'can', 'cup', 'jug', 'mug', 'pan', 'plate', 'pot', 'tumbler', 'vase',
    'wine_glass',
})  # fmt: skip
"""Families that turn about their z axis: labels go round it."""
SHEET_PX = 256
SKINS = ('laminate', 'mottled', 'wood', 'cloth', 'marble', 'terrazzo', 'stripes', 'checks')
"""Patterns that things may be covered with all over."""


def random_paint(rng: Rng) -> Paint:
    """Return a random paint: a base field, often with stripes or printed patches over it."""
    layers: list[Layer] = [ColorField(rng)]
    style = rng.random()
    if style < 0.3:
        layers.append(Stripes(rng))
    elif style < 0.65:
        layers.extend(PrintedPatch(rng) for _ in range(int(rng.integers(1, 4))))

    def paint(points: FloatArray) -> ByteArray:
        colors = np.zeros((len(points), 3))
        for layer in layers:
            colors = layer(points, colors)
        return np.clip(np.rint(colors), 0, 255).astype(np.uint8)

    return paint


class ColorField:
    """A base colour that drifts slowly towards a second one over the object."""

    def __init__(self, rng: Rng) -> None:
        self.first = random_color(rng)
        drift = rng.uniform(0.05, 0.5) if rng.random() < 0.5 else 0.05
        self.second = (1 - drift) * self.first + drift * random_color(rng)
        self.waves = rng.normal(0.0, 25.0, (4, 3))
        self.phases = rng.uniform(0.0, 2 * np.pi, 4)

    def __call__(self, points: FloatArray, colors: FloatArray) -> FloatArray:
        """Return (N, 3) colours; those below are covered."""
        share = 0.5 + 0.25 * np.sin(points @ self.waves.T + self.phases).sum(axis=1, keepdims=True)
        color: FloatArray = self.first + np.clip(share, 0, 1) * (self.second - self.first)
        return color


class Stripes:
    """Bands of one colour across a random direction, biased to the vertical axis."""

    def __init__(self, rng: Rng) -> None:
        self.color = random_color(rng)
        direction = np.array([0.0, 0.0, 1.0]) if rng.random() < 0.5 else rng.normal(size=3)
        self.direction = direction / np.linalg.norm(direction)
        self.period_m = rng.uniform(0.015, 0.06)
        self.duty = rng.uniform(0.15, 0.6)
        self.phase = rng.random()

    def __call__(self, points: FloatArray, colors: FloatArray) -> FloatArray:
        """Return (N, 3) colours with the bands painted over ``colors``."""
        cycle = (points @ self.direction / self.period_m + self.phase) % 1.0
        return np.where((cycle < self.duty)[:, None], self.color, colors)


class PrintedPatch:
    """A label wrapped around the vertical axis: a rectangle or ellipse with lines of 'text'."""

    def __init__(self, rng: Rng) -> None:
        self.paper, self.ink = random_color(rng), random_color(rng)
        self.azimuth = rng.uniform(-np.pi, np.pi)
        self.center = rng.uniform(-0.25, 0.25)
        self.half_azimuth = rng.uniform(0.4, 1.6)
        self.half_height = rng.uniform(0.1, 0.3)
        self.is_ellipse = bool(rng.random() < 0.4)
        self.lines = int(rng.integers(2, 6))
        self.words = rng.uniform(0.0, 1.0, (self.lines, 12)) < 0.6

    def __call__(self, points: FloatArray, colors: FloatArray) -> FloatArray:
        """Return (N, 3) colours with the label over ``colors``."""
        height = max(float(np.ptp(points[:, 2])), 1e-6)
        turn = np.angle(np.exp(1j * (np.arctan2(points[:, 1], points[:, 0]) - self.azimuth)))
        u = turn / self.half_azimuth
        v = (points[:, 2] / height - self.center) / self.half_height
        inside = u**2 + v**2 < 1 if self.is_ellipse else (np.abs(u) < 1) & (np.abs(v) < 1)
        line = np.clip(((v + 1) / 2 * self.lines).astype(int), 0, self.lines - 1)
        word = np.clip(((u + 1) / 2 * 12).astype(int), 0, 11)
        between = np.abs((v + 1) / 2 * self.lines % 1.0 - 0.5) < 0.3
        is_ink = self.words[line, word] & between & (np.abs(u) < 0.8)
        label = np.where(is_ink[:, None], self.ink, self.paper)
        return np.where(inside[:, None], label, colors)


def painted(solid: Solid, rng: Rng, tone: float = 1.0) -> Solid:
    """Return a procedural solid in the colours of real things: plain, printed, grained, worn.

    :param rng: draws all that is left to chance.
    :param tone: factor on all colours; a small one makes the thing black.
    """
    x, y, z = (int(v) for v in np.maximum(solid.extents_m / solid.extents_m.max() * SHEET_PX, 12))
    sides = [(y, z), (y, z), (x, z), (x, z), (x, y), (x, y)]
    style = rng.random()
    base = print_color(rng)
    if style < 0.3:
        panels = [_plain(rng, base) for _ in sides]
    elif style < 0.45:
        skin = np.clip(PATTERNS[str(rng.choice(SKINS))](rng, SHEET_PX), 0, 255).astype(np.uint8)
        panels = [np.roll(skin, int(shift), axis=1) for shift in rng.integers(0, SHEET_PX, 6)]
    elif style < 0.55:
        panels = [photo(rng, *size) for size in sides]
    else:
        panels = [
            printed(rng, *size, base) if rng.random() < 0.75 else _plain(rng, base)
            for size in sides
        ]
    panels = [_worn(rng, panel, tone) for panel in panels]
    if solid.family in ROUND_FAMILIES:
        square = (SHEET_PX, SHEET_PX)
        four = [cv2.resize(panel, square) for panel in panels[:4]]
        label = np.hstack(four).astype(np.uint8)
        if style >= 0.55:
            label = _worn(rng, _labelled(rng, solid, base), tone)
        texture = tube_wrapped(solid.vertices_m, solid.faces, label, panels[4:])
    else:
        texture = box_wrapped(solid.vertices_m, solid.faces, panels)
    colors = vertex_colors(solid.faces, len(solid.vertices_m), texture)
    return replace(solid, colors=colors, texture=texture)


def _labelled(rng: Rng, solid: Solid, base: FloatArray) -> ByteArray:
    """Return what goes round a can or bottle: its colour, a cap's, and a printed band."""
    x, _, z = solid.extents_m
    height = SHEET_PX
    width = int(np.clip(np.pi * x / z * height, 64, 4 * SHEET_PX))
    image = np.full((height, width, 3), base, np.uint8)
    top, bottom = sorted(rng.uniform(0.02, 0.98, 2))
    first, last = int(top * height), int(bottom * height)
    if last - first > 16:
        # The print is repeated on the other side, as on most cans.
        half = printed(rng, width // 2, last - first)
        image[first:last] = cv2.resize(np.hstack([half, half]), (width, last - first))
    if rng.random() < 0.5:
        image[: int(rng.uniform(0.03, 0.25) * height)] = print_color(rng)
    return image


def _plain(rng: Rng, color: FloatArray) -> ByteArray:
    """Return one colour that may run into a second one."""
    share = rng.uniform(-0.3, 0.3) * np.linspace(-1, 1, SHEET_PX)[:, None, None]
    image = color * (1 + share) + np.zeros((SHEET_PX, SHEET_PX, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def _worn(rng: Rng, image: ByteArray, tone: float) -> ByteArray:
    """Return a picture with dirt, faded and scratched parts."""
    wear = pink_noise(rng, SHEET_PX, 1.2)
    if rng.random() < 0.3:
        wear += 3 * np.maximum(pink_noise(rng, SHEET_PX, 0.8, (6.0, 1.0)) - 2, 0)
    factor = cv2.resize(wear, image.shape[1::-1])[..., None]
    shaded = image * (tone * (1 + rng.choice([0.01, 0.02, 0.05]) * factor))
    return np.clip(shaded, 0, 255).astype(np.uint8)
