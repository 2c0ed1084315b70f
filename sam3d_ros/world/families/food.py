# SPDX-License-Identifier: Apache-2.0
"""Food: fruit, slices, nuggets, cubes, clusters, leaves and rolls, most of them small."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.families.boxy import rounded_box
from sam3d_ros.world.families.lying import slate
from sam3d_ros.world.families.revolved import bent, revolve

Rng = np.random.Generator


def lumpy(manifold: Manifold, rng: Rng, depth: float, detail_m: float) -> Manifold:
    """Return a solid about the origin pushed in and out by a share ``depth`` of its radius.

    :param manifold: the solid.
    :param rng: draws all that is left to chance.
    :param detail_m: how far apart the swellings are, about.
    """
    waves, phase = rng.normal(0, 1 / detail_m, (6, 3)), rng.uniform(0, 2 * np.pi, 6)

    def warp(points: FloatArray) -> FloatArray:
        swell = np.sin(points @ waves.T + phase).mean(axis=1)
        return points * (1 + depth * swell)[:, None]

    return manifold.refine_to_length(0.004).warp_batch(warp)


def apple(rng: Rng) -> Manifold:
    """Return an apple, tomato, orange or onion: a ball with dimples, maybe a stalk."""
    r, squat = rng.uniform(0.018, 0.045), rng.uniform(0.8, 1.1)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 40)[1:-1]
    dimple = rng.uniform(0.0, 0.35)
    radius = r * np.cos(angle) ** 0.85
    height = squat * r * (np.sin(angle) - dimple * np.sign(angle) * np.sin(np.abs(angle)) ** 12)
    height = np.maximum.accumulate(np.column_stack([radius, height])[:, 1])
    body = revolve(np.column_stack([radius, height + np.linspace(0, 1e-5, len(height))]))
    if rng.random() < 0.4:
        stalk = Manifold.cylinder(0.4 * r, 0.06 * r, 0.09 * r, 12)
        body += stalk.translate((0, 0, float(height[-1]) - 0.05 * r))
    return lumpy(body, rng, 0.06, 0.03)


def banana(rng: Rng) -> Manifold:
    """Return a banana, pepper or sausage: a bent spindle lying on its side."""
    length, r = rng.uniform(0.07, 0.2), rng.uniform(0.009, 0.02)
    z = np.linspace(-1, 1, 24)
    blunt = rng.uniform(2.0, 8.0)
    radius = r * np.maximum(1 - np.abs(z) ** blunt, 0.0) ** 0.5 + 0.15 * r
    body = revolve(np.column_stack([radius, length / 2 * z]))
    return bent(body, rng.uniform(0.2, 1.1) / (length / 2)).rotate((90, 0, 0))


def nugget(rng: Rng) -> Manifold:
    """Return an irregular lump: a nugget, potato, nut, bread roll or strawberry."""
    axes = rng.uniform(0.012, 0.035) * np.array([1.0, rng.uniform(0.6, 1), rng.uniform(0.4, 0.9)])
    return lumpy(Manifold.sphere(1.0, 48).scale(tuple(axes)), rng, rng.uniform(0.1, 0.4), 0.025)


def slice_of(rng: Rng) -> Manifold:
    """Return a slice: of bread, cheese, cucumber, melon or cake; a cookie or a pancake."""
    kind, thick = int(rng.integers(4)), rng.uniform(0.003, 0.018)
    r = rng.uniform(0.015, 0.055)
    if kind == 0:
        return CrossSection.circle(r, 48).extrude(thick)
    if kind == 1:
        size = (2 * r, rng.uniform(1.6, 2.4) * r, thick)
        toast = slate(size, rng.uniform(0.15, 0.6) * r)
        crown = CrossSection.circle(0.55 * r, 32).extrude(thick)
        return toast + crown.translate((0.5 * r, 0, 0)).scale((1.0, 1.6, 1.0))
    turn = rng.uniform(25, 180)
    wedge = Manifold.cylinder(thick if kind == 2 else 0.8 * r, r, r, 48)
    half = Manifold.cube((4 * r, 2 * r, 4 * r)).translate((-2 * r, 0, -r))
    cut = wedge ^ half
    if turn < 175:
        cut ^= half.rotate((0, 0, turn - 180.0))
    if kind == 3:
        core = Manifold.cylinder(2 * r, 0.55 * r, 0.55 * r, 32).translate((0, 0, -0.5 * r))
        cut = cut - core if rng.random() < 0.5 else cut
    return cut.rotate((0, 0, -turn / 2))


def cube_piece(rng: Rng) -> Manifold:
    """Return a piece cut off: a cube, a stick (fries, carrots) or a skewed block."""
    side = rng.uniform(0.01, 0.032)
    size = side * np.array([rng.uniform(0.8, 5.0) if rng.random() < 0.4 else 1.0, 1.0, 0.9])
    block = rounded_box((size[0], size[1], size[2]), rng.uniform(0.0, 0.2) * side)
    shear, taper = rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.1)

    def warp(points: FloatArray) -> FloatArray:
        share = points[:, 2:] / side
        moved = points.copy()
        moved[:, :2] *= 1 + taper * share
        moved[:, 0] += shear * points[:, 2]
        return moved

    return block.warp_batch(warp)


def floret(rng: Rng) -> Manifold:
    """Return a broccoli-like cluster: many knobs on a stalk; or grapes, without one."""
    r = rng.uniform(0.015, 0.035)
    stalk = Manifold.cylinder(1.6 * r, 0.3 * r, 0.5 * r, 20).translate((0, 0, -1.4 * r))
    parts = [stalk if rng.random() < 0.7 else Manifold.sphere(0.7 * r, 24)]
    for _ in range(int(rng.integers(9, 18))):
        direction = rng.normal(size=3) * [1, 1, 0.7] + [0, 0, 0.5]
        spot = direction / np.linalg.norm(direction) * r * rng.uniform(0.6, 0.9)
        knob = Manifold.sphere(r * rng.uniform(0.28, 0.5), 20)
        parts.append(knob.translate(tuple(spot)))
    merged = parts[0]
    for part in parts[1:]:
        merged += part
    return max(merged.decompose(), key=lambda piece: piece.volume())


def leaf(rng: Rng) -> Manifold:
    """Return a wavy leaf, a crisp or a fried egg: thin, curled, with a frilled edge."""
    r, thick = rng.uniform(0.02, 0.06), rng.uniform(0.0025, 0.006)
    frills, curl = int(rng.integers(3, 9)), rng.uniform(0.0, 0.35)
    phase, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.0)

    def warp(points: FloatArray) -> FloatArray:
        angle = np.arctan2(points[:, 1], points[:, 0])
        share = np.linalg.norm(points[:, :2], axis=1) / r
        wave = np.sin(frills * angle + phase)
        moved = points.copy()
        moved[:, :2] *= (1 + 0.15 * share * wave)[:, None] * np.array([1.0, stretch])
        moved[:, 2] += r * (curl * share**2 + 0.12 * share**3 * wave)
        return moved

    return Manifold.cylinder(thick, r, r, 48).refine_to_length(0.005).warp_batch(warp)


def doughnut(rng: Rng) -> Manifold:
    """Return a doughnut, bagel or onion ring."""
    thick = rng.uniform(0.006, 0.018)
    radius = thick * rng.uniform(1.5, 3.0)
    ring = CrossSection.circle(thick, 24).translate((radius, 0)).revolve(48)
    return ring.scale((1.0, 1.0, rng.uniform(0.7, 1.0)))


def burger(rng: Rng) -> Manifold:
    """Return layers between two halves of a bun: a burger, a sandwich or a layered cake."""
    r, z = rng.uniform(0.025, 0.055), 0.0
    is_round, top = rng.random() < 0.7, rng.uniform(0.3, 0.7)
    body = Manifold()
    for _ in range(int(rng.integers(2, 5))):
        thick, wide = rng.uniform(0.004, 0.014), r * rng.uniform(0.9, 1.08)
        if is_round:
            layer = Manifold.cylinder(thick, wide, wide, 48)
        else:
            layer = slate((2 * wide, 1.6 * wide, thick), 0.1 * wide)
        body += layer.translate((0, 0, z))
        z += 0.98 * thick
    if is_round:
        dome = Manifold.sphere(r, 48).scale((1, 1, top)) ^ Manifold.cube((4 * r, 4 * r, 4 * r))
        dome = Manifold.sphere(r, 48).scale((1.0, 1.0, top)).trim_by_plane((0, 0, 1), 0.0)
        body += dome.translate((0, 0, 0.98 * z))
    return body
