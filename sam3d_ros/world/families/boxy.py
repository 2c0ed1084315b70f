# SPDX-License-Identifier: Apache-2.0
"""Boxes and extrusions: packets, books, trays, prisms, letters, brackets and gears."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

Rng = np.random.Generator


def rounded_box(size_m: tuple[float, float, float], edge_radius_m: float) -> Manifold:
    """Return a box standing on z = 0 with rounded edges (radius 0 = sharp), metres.

    :param size_m: length, width and height.
    :param edge_radius_m: of all twelve edges.
    """
    x, y, z = size_m
    if edge_radius_m <= 0:
        return Manifold.cube((x, y, z)).translate((-x / 2, -y / 2, 0))
    r = edge_radius_m
    corner = Manifold.sphere(r, 16)
    at = [
        corner.translate((sx * (x / 2 - r), sy * (y / 2 - r), sz))
        for sx in (-1, 1)
        for sy in (-1, 1)
        for sz in (r, z - r)
    ]
    return Manifold.batch_hull(at)


def _edge_radius(rng: Rng, smallest_m: float) -> float:
    return 0.0 if rng.random() < 0.5 else float(rng.uniform(0.04, 0.3) * smallest_m)


def box(rng: Rng) -> Manifold:
    """Return a packet: a box with sharp or rounded edges."""
    size = np.exp(rng.uniform(np.log(0.035), np.log(0.2), 3))
    return rounded_box((size[0], size[1], size[2]), _edge_radius(rng, size.min()))


def flat(rng: Rng) -> Manifold:
    """Return a thin, flat thing: a book, a tile, a card box."""
    thick = rng.uniform(0.008, 0.03)
    size = (rng.uniform(0.07, 0.25), rng.uniform(0.06, 0.18), thick)
    return rounded_box(size, _edge_radius(rng, thick))


def tray(rng: Rng) -> Manifold:
    """Return an open box with walls and a base."""
    x, y, z = rng.uniform(0.07, 0.22), rng.uniform(0.06, 0.16), rng.uniform(0.025, 0.1)
    wall = rng.uniform(0.003, 0.006)
    inside = Manifold.cube((x - 2 * wall, y - 2 * wall, z))
    inside = inside.translate((wall - x / 2, wall - y / 2, wall))
    return rounded_box((x, y, z), 0.0) - inside


def prism(rng: Rng) -> Manifold:
    """Return an extruded regular polygon or star, maybe tapered or pierced."""
    sides, r, h = int(rng.integers(3, 9)), rng.uniform(0.025, 0.06), rng.uniform(0.02, 0.16)
    is_star = rng.random() < 0.3
    corner = np.arange(2 * sides if is_star else sides)
    dent = rng.uniform(0.6, 0.85) if is_star else 1.0
    radius = r * np.where(is_star & (corner % 2 == 1), dent, 1.0)
    angle = corner * 2 * np.pi / len(corner)
    outline = CrossSection([np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])])
    if rng.random() < 0.3:
        outline -= CrossSection.circle(r * rng.uniform(0.2, 0.4), 32)
    taper = rng.uniform(0.5, 1.0) if rng.random() < 0.4 else 1.0
    return outline.extrude(h, 8, scale_top=(taper, taper))


def bracket(rng: Rng) -> Manifold:
    """Return an extruded L, T, U or plus."""
    w, h, bar = rng.uniform(0.05, 0.13), rng.uniform(0.05, 0.13), rng.uniform(0.012, 0.03)
    across = CrossSection.square((w, bar))
    upright = CrossSection.square((bar, h))
    kind = int(rng.integers(4))
    if kind == 0:
        outline = across + upright
    elif kind == 1:
        outline = across.translate((0, h - bar)) + upright.translate(((w - bar) / 2, 0))
    elif kind == 2:
        outline = across + upright + upright.translate((w - bar, 0))
    else:
        middle = ((w - bar) / 2, 0)
        outline = across.translate((0, (h - bar) / 2)) + upright.translate(middle)
    return outline.extrude(rng.uniform(0.015, 0.08))


def blob_extrusion(rng: Rng) -> Manifold:
    """Return an extruded smooth free outline, like a cookie cutter's shape or a soap."""
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    orders = np.arange(2, 5)
    waves = rng.normal(0, 0.12, 3) @ np.cos(orders[:, None] * angle + rng.uniform(0, 6, (3, 1)))
    radius = rng.uniform(0.03, 0.06) * np.clip(1 + waves, 0.45, 1.6)
    outline = CrossSection([np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]])
    return outline.extrude(rng.uniform(0.015, 0.09))
