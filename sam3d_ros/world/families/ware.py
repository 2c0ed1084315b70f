# SPDX-License-Identifier: Apache-2.0
"""Ware that holds things: platters, boards, trays, pots, glasses, boxes with open lids."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

from sam3d_ros.world.families.boxy import rounded_box
from sam3d_ros.world.families.handled import handle
from sam3d_ros.world.families.lying import slate
from sam3d_ros.world.families.revolved import hollow, revolve, smooth_profile

Rng = np.random.Generator


def platter(rng: Rng) -> Manifold:
    """Return a dinner plate: a wide flat middle, a rim that rises, round or oval."""
    r, h = rng.uniform(0.08, 0.15), rng.uniform(0.01, 0.035)
    middle = rng.uniform(0.6, 0.8)
    steep = rng.uniform(0.1, 0.7)
    outer = smooth_profile(
        r * np.array([middle, middle + 0.06, 1.0]), h * np.array([0.0, steep, 1.0]), 14
    )
    stretch = rng.uniform(0.65, 0.9) if rng.random() < 0.25 else 1.0
    return hollow(outer, rng.uniform(0.005, 0.008), rng.uniform(0.003, 0.006)).scale(
        (1.0, stretch, 1.0)
    )


def board(rng: Rng) -> Manifold:
    """Return a cutting board: flat, with round corners, maybe a grip or a hole."""
    x, y, z = rng.uniform(0.16, 0.38), rng.uniform(0.12, 0.26), rng.uniform(0.004, 0.02)
    body = slate((x, y, z), rng.uniform(0.002, 0.04), 0.15 * z)
    if rng.random() < 0.35:
        grip = slate((0.12, 0.04, z), 0.015).translate((x / 2 + 0.05, 0, 0))
        body += grip
    if rng.random() < 0.4:
        hole = Manifold.cylinder(3 * z, 0.01, 0.01, 24).translate((0.42 * x, 0, -z))
        body -= hole
    return body


def serving_tray(rng: Rng) -> Manifold:
    """Return a serving tray: a thin floor with a low, maybe leaning rim."""
    x, y, h = rng.uniform(0.2, 0.42), rng.uniform(0.15, 0.3), rng.uniform(0.01, 0.04)
    wall, lean = rng.uniform(0.002, 0.005), rng.uniform(1.0, 1.08)
    corner = rng.uniform(0.005, 0.05)
    outline = CrossSection.square((x - 2 * corner, y - 2 * corner), True).offset(
        corner, circular_segments=32
    )
    inline = outline.offset(-wall, circular_segments=32)
    outside = outline.extrude(h, 0, scale_top=(lean, lean))
    inside = inline.extrude(h, 0, scale_top=(lean, lean)).translate((0, 0, wall))
    return outside - inside


def pot(rng: Rng) -> Manifold:
    """Return a cooking pot with two ears, open or under its lid."""
    r, h, wall = rng.uniform(0.055, 0.11), rng.uniform(0.05, 0.13), rng.uniform(0.003, 0.005)
    outer = np.array([[0.95 * r, 0.0], [r, 0.1 * h], [r, h]])
    body = hollow(outer, wall, 0.004)
    bar = rng.uniform(0.007, 0.012)
    ear = rounded_box((0.03, 0.05, bar), 0.3 * bar) - rounded_box((0.012, 0.03, 3 * bar), 0.0)
    ear = ear.as_original()
    for side in (-1, 1):
        body += ear.translate((side * (r + 0.008), 0, 0.8 * h))
    if rng.random() < 0.4:
        rise = rng.uniform(0.1, 0.3) * r
        lid = revolve(np.array([[1.02 * r, h], [1.02 * r, h + 0.004], [0.02, h + rise]]))
        knob = Manifold.cylinder(0.018, 0.009, 0.014, 24).translate((0, 0, h + rise - 0.002))
        body += (lid + knob).as_original()
    return body


def tumbler(rng: Rng) -> Manifold:
    """Return a drinking glass: tall, thin walls, a thick base."""
    r, h = rng.uniform(0.025, 0.042), rng.uniform(0.07, 0.16)
    foot, waist = rng.uniform(0.65, 1.0), rng.uniform(0.85, 1.0)
    outer = smooth_profile(r * np.array([foot, waist, 1.0]), h * np.array([0.0, 0.5, 1.0]), 16)
    return hollow(outer, rng.uniform(0.002, 0.003), rng.uniform(0.005, 0.014))


def wine_glass(rng: Rng) -> Manifold:
    """Return a glass on a stem: foot, stem and an open bowl."""
    r, h = rng.uniform(0.026, 0.045), rng.uniform(0.12, 0.22)
    stem, start = rng.uniform(0.003, 0.006), rng.uniform(0.35, 0.55)
    mouth = rng.uniform(0.7, 1.05)
    foot = revolve(np.array([[0.8 * r, 0], [0.8 * r, 0.002], [2 * stem, 0.008], [stem, 0.02]]))
    rod = Manifold.cylinder(start * h, stem, stem, 24)
    outer = smooth_profile(
        r * np.array([1.2 * stem / r, 0.8, 1.0, mouth]),
        h * np.array([start, start + 0.2 * (1 - start), start + 0.5 * (1 - start), 1.0]),
        24,
    )
    return foot + rod + hollow(outer, 0.0022, 0.006)


def open_box(rng: Rng) -> Manifold:
    """Return a carton or case whose lid or flaps stand open."""
    x, y, z = rng.uniform(0.07, 0.22), rng.uniform(0.06, 0.16), rng.uniform(0.03, 0.12)
    wall = rng.uniform(0.002, 0.004)
    inside = Manifold.cube((x - 2 * wall, y - 2 * wall, z)).translate(
        (wall - x / 2, wall - y / 2, wall)
    )
    body = rounded_box((x, y, z), 0.0) - inside
    for side in (1, -1) if rng.random() < 0.5 else (1,):
        flap = Manifold.cube((x, y * rng.uniform(0.4, 0.95), wall)).translate((-x / 2, 0, 0))
        flap = flap.rotate((rng.uniform(-40, 110), 0, 0))
        hinged = flap.translate((0, y / 2 - wall, z - wall))
        body += hinged if side == 1 else hinged.rotate((0, 0, 180))
    return body


def jug(rng: Rng) -> Manifold:
    """Return a kettle or jug: a large vessel with a handle, its mouth narrower than its body."""
    r, h = rng.uniform(0.05, 0.08), rng.uniform(0.14, 0.24)
    outer = smooth_profile(
        r * np.array([rng.uniform(0.8, 1.0), 1.0, rng.uniform(0.6, 0.95)]),
        h * np.array([0.0, 0.4, 1.0]),
        24,
    )
    bar = rng.uniform(0.01, 0.016)
    return hollow(outer, 0.004, 0.006) + handle(outer, 0.2 * h, 0.85 * h, 0.035, bar)
