# SPDX-License-Identifier: Apache-2.0
"""Colours of made-up things: of paint, of furniture, of wood, of print."""

from __future__ import annotations

import colorsys

import numpy as np

from sam3d_ros.core.types import FloatArray

Rng = np.random.Generator

WOODS = np.array(
    [
        [222, 192, 160], [200, 160, 115], [176, 125, 80], [150, 85, 55],
        [105, 50, 35], [70, 45, 32], [165, 150, 130], [230, 210, 185],
    ],
    np.float64,
)  # fmt: skip
"""RGB of birch, oak, teak, cherry, mahogany, walnut, weathered wood, maple."""


def random_color(rng: Rng, vivid: float = 0.85) -> FloatArray:
    """Return a (3,) RGB colour, 0..255: any hue up to this saturation, often nearly grey.

    :param rng: draws all that is left to chance.
    :param vivid: largest saturation, 0..1.
    """
    is_grey = rng.random() < 0.25
    saturation = rng.uniform(0.0, 0.15) if is_grey else rng.uniform(0.3 * vivid, vivid)
    rgb = colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.25, 0.95))
    return 255.0 * np.array(rgb)


def furniture_color(rng: Rng) -> FloatArray:
    """Return a (3,) RGB colour, 0..255: white, grey, black, beige or, less often, a strong one."""
    kind = rng.random()
    if kind < 0.3:
        return _tinted(rng, rng.uniform(200, 250), 0.06)
    if kind < 0.5:
        return _tinted(rng, rng.uniform(90, 200), 0.08)
    if kind < 0.65:
        return _tinted(rng, rng.uniform(15, 60), 0.15)
    if kind < 0.82:
        return wood_color(rng)
    return _hued(rng, rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.85))


def wood_color(rng: Rng) -> FloatArray:
    """Return a (3,) RGB colour, 0..255, between those of two woods that are alike."""
    first = WOODS[rng.integers(len(WOODS))]
    nearest = np.argsort(np.linalg.norm(WOODS - first, axis=1))[1]
    share = rng.uniform(0, 0.5)
    return np.clip((first + share * (WOODS[nearest] - first)) * rng.uniform(0.85, 1.1), 8, 250)


def print_color(rng: Rng) -> FloatArray:
    """Return a (3,) RGB colour, 0..255, as on packages: often strong, near white or near black."""
    kind = rng.random()
    if kind < 0.2:
        return _tinted(rng, rng.uniform(215, 253), 0.05)
    if kind < 0.35:
        return _tinted(rng, rng.uniform(8, 50), 0.2)
    if kind < 0.45:
        return _tinted(rng, rng.uniform(60, 200), 0.1)
    if kind < 0.8:
        return _hued(rng, rng.uniform(0.7, 1.0), rng.uniform(0.5, 1.0))
    return _hued(rng, rng.uniform(0.15, 0.7), rng.uniform(0.3, 0.95))


def _hued(rng: Rng, saturation: float, value: float) -> FloatArray:
    """Return a colour of a random hue; greens and magentas of dyes are never as pure as reds."""
    hue = rng.random()
    pure = 1 - 0.25 * max(0.0, np.cos(3 * np.pi * (hue - 1 / 3))) * (0.2 < hue < 0.5 or hue > 0.8)
    return 255.0 * np.array(colorsys.hsv_to_rgb(hue, pure * saturation, pure * value))


def _tinted(rng: Rng, value: float, spread: float) -> FloatArray:
    """Return a grey with a slight tint."""
    return np.clip(value * (1 + rng.uniform(-spread, spread, 3)), 0, 255)
