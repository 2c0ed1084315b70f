# SPDX-License-Identifier: Apache-2.0
"""Thin things that lie flat: cutlery, pens, cards, phones, books, folded cloths."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.families.boxy import rounded_box
from sam3d_ros.world.families.revolved import revolve

Rng = np.random.Generator


def slate(size_m: tuple[float, float, float], corner_m: float, bevel_m: float = 0.0) -> Manifold:
    """Return a plate of (x, y, z) size on z = 0 with round corners, its upper edge bevelled.

    :param size_m: length, width and height.
    :param corner_m: radius of the corners, seen from above.
    :param bevel_m: width of the bevel.
    """
    x, y, z = size_m
    corner = max(corner_m, 1e-4)
    core = CrossSection.square((x - 2 * corner, y - 2 * corner), True)
    outline = core.offset(corner, circular_segments=24)
    if bevel_m <= 0:
        return outline.extrude(z)
    shrink = (1 - 2 * bevel_m / x, 1 - 2 * bevel_m / y)
    bevel = outline.extrude(bevel_m, 0, scale_top=shrink).translate((0, 0, z - bevel_m))
    return outline.extrude(z - bevel_m) + bevel


def knife(rng: Rng) -> Manifold:
    """Return a table knife lying along x."""
    return cutlery(rng, 0)


def fork(rng: Rng) -> Manifold:
    """Return a fork lying along x."""
    return cutlery(rng, 1)


def spoon(rng: Rng) -> Manifold:
    """Return a spoon lying along x."""
    return cutlery(rng, 2)


def cutlery(rng: Rng, which: int | None = None) -> Manifold:
    """Return a knife, fork or spoon lying along x, bent a little along its length.

    :param rng: draws all that is left to chance.
    :param which: 0 = a knife, 1 = a fork, 2 = a spoon; None = any.
    """
    length, handle = rng.uniform(0.13, 0.23), rng.uniform(0.008, 0.02)
    head = rng.uniform(0.28, 0.4) * length
    wide = rng.uniform(0.017, 0.042)
    neck, thick = rng.uniform(0.35, 0.6) * handle, rng.uniform(0.0015, 0.004)
    kind = int(rng.integers(3)) if which is None else which
    grip = CrossSection([_spindle(length - head, handle, neck)])
    if kind == 0:
        blade = [
            [0, -handle / 2],
            [head, -0.3 * handle],
            [0.8 * head, handle / 2],
            [0, handle / 2],
        ]
        outline = grip + CrossSection([np.array(blade)])
        return outline.extrude(thick)
    bowl = CrossSection.circle(0.5, 40).scale((head, wide)).translate((0.45 * head, 0))
    outline = grip + bowl
    if kind == 1:
        tines = int(rng.integers(3, 5))
        slot = wide / (2 * tines)
        gaps = (np.arange(tines - 1) + 1) / tines - 0.5
        for y in gaps * wide:
            cut = CrossSection.square((head, slot), True).translate((0.95 * head, float(y)))
            outline -= cut
    rise = rng.uniform(0.1, 0.3) * head

    def bend(points: FloatArray) -> FloatArray:
        share = np.clip(points[:, 0] / head, -0.3, 1)
        dish = (
            0.0 if kind == 1 else 0.25 * wide * np.clip(1 - (2 * points[:, 1] / wide) ** 2, 0, 1)
        )
        inside = np.clip(4 * share * (1 - share), 0, 1)
        lifted = points.copy()
        lifted[:, 2] += rise * (share - 0.4) ** 2 - dish * inside
        return lifted

    return outline.extrude(thick).refine_to_length(0.004).warp_batch(bend)


def _spindle(length: float, wide: float, neck: float) -> FloatArray:
    """Return the (P, 2) outline of a handle along -x: wide at its end, slim at x = 0."""
    x = -length * np.array([1.0, 0.97, 0.7, 0.2, -0.06])
    half = 0.5 * np.array([0.5 * wide, 0.95 * wide, wide, neck, neck])
    return np.vstack([np.column_stack([x, -half]), np.column_stack([x, half])[::-1]])


def pen(rng: Rng) -> Manifold:
    """Return a pen, marker or pencil lying along x."""
    length, r = rng.uniform(0.09, 0.18), rng.uniform(0.0035, 0.011)
    tip, cap = rng.uniform(0.06, 0.15) * length, rng.uniform(0.6, 0.75) * length
    collar = r * rng.uniform(1.0, 1.15)
    profile = [[0.25 * r, 0], [0.9 * r, tip], [r, tip + 0.002], [r, cap], [collar, cap + 0.001]]
    body = revolve(np.array([*profile, [collar, length]])).rotate((0, 90, 0))
    if rng.random() < 0.4:
        clip = rounded_box((0.3 * length, 0.6 * r, 0.5 * r), 0.0)
        body += clip.translate((0.83 * length, 0, 0.9 * collar))
    return body


def card(rng: Rng) -> Manifold:
    """Return a card, a badge or a small stack of notes."""
    x, y = rng.uniform(0.07, 0.16), rng.uniform(0.05, 0.1)
    return slate((x, y, rng.uniform(0.0008, 0.004)), rng.uniform(0.0, 0.006))


def phone(rng: Rng) -> Manifold:
    """Return a phone, tablet, remote control or power bank lying flat, maybe with a bump."""
    scale = 1.5 if rng.random() < 0.15 else 1.0
    x, y = scale * rng.uniform(0.12, 0.18), scale * rng.uniform(0.04, 0.085)
    z = rng.uniform(0.006, 0.02)
    body = slate((x, y, z), rng.uniform(0.1, 0.3) * y, 0.2 * z)
    if rng.random() < 0.4:
        bump = slate((0.2 * x, 0.35 * y, 0.002), 0.004)
        body += bump.translate((0.33 * x, 0.2 * y, z - 0.0005))
    return body


def book(rng: Rng) -> Manifold:
    """Return a closed book or notebook: covers that stand over the block of pages."""
    x, y, z = rng.uniform(0.14, 0.3), rng.uniform(0.1, 0.22), rng.uniform(0.006, 0.04)
    cover, over = min(0.0025, z / 4), rng.uniform(0.001, 0.004)
    board = Manifold.cube((x, y, cover)).translate((-x / 2, -y / 2, 0))
    pages = Manifold.cube((x - 2 * over, y - over, z)).translate((over - x / 2, -y / 2, 0))
    spine = Manifold.cube((x, cover, z)).translate((-x / 2, -y / 2, 0))
    return board + board.translate((0, 0, z - cover)) + pages + spine


def cloth(rng: Rng) -> Manifold:
    """Return a folded towel or napkin: soft layers, one over the other, a wavy surface."""
    x, y = rng.uniform(0.12, 0.3), rng.uniform(0.1, 0.24)
    layer, folds = rng.uniform(0.002, 0.007), int(rng.integers(1, 4))
    body = Manifold()
    for k in range(folds):
        sheet = Manifold.cube((x * rng.uniform(0.9, 1.0), y * rng.uniform(0.9, 1.0), layer), True)
        skew = [[1, rng.normal(0, 0.03), 0, 0], [rng.normal(0, 0.03), 1, 0, 0], [0, 0, 1, 0]]
        body += sheet.transform(np.array(skew)).translate((0, 0, (0.5 + 0.95 * k) * layer))
    waves, phase = rng.normal(0, 30.0, (3, 2)), rng.uniform(0, 2 * np.pi, 3)
    height = rng.uniform(0.1, 0.5) * layer

    def rumple(points: FloatArray) -> FloatArray:
        moved = points.copy()
        lift = np.sin(points[:, :2] @ waves.T + phase).mean(axis=1)
        moved[:, 2] *= 1 + height / layer * lift
        return moved

    return body.refine_to_length(0.005).warp_batch(rumple)
