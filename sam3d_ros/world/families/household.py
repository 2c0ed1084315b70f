# SPDX-License-Identifier: Apache-2.0
"""Household things that no other family covers: a bag, a block, a remote, scissors, a sponge."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.families.boxy import rounded_box
from sam3d_ros.world.families.food import lumpy
from sam3d_ros.world.families.lying import slate

Rng = np.random.Generator


def bag(rng: Rng) -> Manifold:
    """Return a filled bag or pouch: a pillow, sealed flat along its upper edge, maybe crumpled."""
    x, y, z = rng.uniform(0.08, 0.2), rng.uniform(0.03, 0.09), rng.uniform(0.1, 0.24)
    seal = rng.uniform(0.15, 0.5)

    def pinch(points: FloatArray) -> FloatArray:
        share = np.clip(points[:, 2] / z, 0, 1)
        moved = points.copy()
        full = np.clip((1 - share) / seal, 0.08, 1) ** 0.6
        moved[:, 1] *= full * (1 - 0.5 * np.abs(2 * points[:, 0] / x) ** 4)
        moved[:, 0] *= 0.9 + 0.1 * full
        return moved

    body = rounded_box((x, y, z), 0.3 * y).refine_to_length(0.006).warp_batch(pinch)
    return lumpy(body, rng, rng.uniform(0.0, 0.06), 0.04)


def block(rng: Rng) -> Manifold:
    """Return a toy brick: a cube, a half cube or a plank, maybe with studs on top."""
    side = rng.uniform(0.018, 0.06)
    size = side * rng.choice([1.0, 1.0, 2.0], 3) * [1, 1, rng.uniform(0.5, 1.0)]
    body = rounded_box((size[0], size[1], size[2]), rng.uniform(0.0, 0.06) * side)
    if rng.random() < 0.35:
        stud = Manifold.cylinder(0.2 * side, 0.15 * side, -1, 16)
        for x in np.arange(-size[0] / 2 + side / 4, size[0] / 2, side / 2):
            for y in np.arange(-size[1] / 2 + side / 4, size[1] / 2, side / 2):
                body += stud.translate((float(x), float(y), size[2] - 0.02 * side))
    return body


def remote(rng: Rng) -> Manifold:
    """Return a remote control lying flat: a long slab with rows of buttons."""
    x, y, z = rng.uniform(0.12, 0.24), rng.uniform(0.035, 0.06), rng.uniform(0.012, 0.028)
    body = slate((x, y, z), rng.uniform(0.1, 0.45) * y, 0.2 * z)
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(5, 11))
    button = slate((0.4 * x / rows, 0.45 * y / columns, 0.003), 0.001)
    for i in range(rows):
        for j in range(columns):
            at = ((i + 0.5) / rows - 0.55) * 0.8 * x, ((j + 0.5) / columns - 0.5) * 0.8 * y
            body += button.translate((*at, z - 0.0012))
    return body


def scissors(rng: Rng) -> Manifold:
    """Return scissors lying flat, a little open: two blades, each with a ring to hold it by."""
    length, thick = rng.uniform(0.13, 0.22), rng.uniform(0.004, 0.01)
    blade, wide = rng.uniform(0.45, 0.6) * length, rng.uniform(0.012, 0.02)
    opening, grip = rng.uniform(3, 16), length - blade
    body = Manifold()
    for side in (-1, 1):
        half = CrossSection(
            [np.array([[0.0, -wide / 2], [blade, -0.001], [blade, 0.001], [0, wide / 2]])]
        )
        half += CrossSection.square((0.5 * grip, 0.6 * wide)).translate((-0.5 * grip, -0.3 * wide))
        ring = CrossSection.circle(0.5, 32).scale((0.75 * grip, rng.uniform(0.4, 0.6) * grip))
        half += ring.translate((-0.65 * grip, side * 0.18 * grip))
        hole = CrossSection.circle(0.5, 32).scale((0.5 * grip, 0.28 * grip))
        half -= hole.translate((-0.68 * grip, side * 0.18 * grip))
        piece = half.extrude(0.6 * thick).rotate((0, 0, side * opening))
        body += piece.translate((0, 0, 0.2 * thick * (1 + side)))
    return body


def sponge(rng: Rng) -> Manifold:
    """Return a kitchen sponge: a soft-edged slab, maybe waisted."""
    x, y, z = rng.uniform(0.08, 0.13), rng.uniform(0.05, 0.08), rng.uniform(0.015, 0.04)
    waist = rng.uniform(0.0, 0.2) if rng.random() < 0.5 else 0.0

    def squeeze(points: FloatArray) -> FloatArray:
        moved = points.copy()
        moved[:, 1] *= 1 - waist * np.exp(-((4 * points[:, 0] / x) ** 2))
        return moved

    body = rounded_box((x, y, z), rng.uniform(0.08, 0.25) * z)
    return lumpy(body.refine_to_length(0.005).warp_batch(squeeze), rng, 0.02, 0.01)
