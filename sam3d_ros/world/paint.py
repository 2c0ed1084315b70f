# SPDX-License-Identifier: Apache-2.0
"""Procedural colours: fields, stripes and print-like patches, as functions of surface points."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.world.solid import Paint

Rng = np.random.Generator
Layer = Callable[[FloatArray, FloatArray], FloatArray]
"""(N, 3) colours, 0..255, of (N, 3) points, given the colours below."""


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


def random_color(rng: Rng, vivid: float = 0.85) -> FloatArray:
    """Return a (3,) RGB colour, 0..255: any hue up to this saturation, often nearly grey."""
    is_grey = rng.random() < 0.25
    saturation = rng.uniform(0.0, 0.15) if is_grey else rng.uniform(0.3 * vivid, vivid)
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.25, 0.95))
    return 255.0 * np.array(rgb)


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
