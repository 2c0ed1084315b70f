# SPDX-License-Identifier: Apache-2.0
"""Freer forms: superquadrics, unions and differences of simple solids, bone- and L-shaped toys."""

from __future__ import annotations

import numpy as np
from manifold3d import Manifold

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.families.boxy import box, rounded_box
from sam3d_ros.world.families.revolved import SEGMENTS, ball, can

Rng = np.random.Generator


def superquadric(rng: Rng) -> Manifold:
    """Return a superellipsoid, |x/a|^(2/e2) + ... = 1 (Barr 1981), maybe tapered."""
    axes = rng.uniform(0.02, 0.08, 3)
    e1, e2 = rng.uniform(0.25, 1.6, 2)
    taper = rng.uniform(-0.5, 0.5) if rng.random() < 0.4 else 0.0

    def warp(unit: FloatArray) -> FloatArray:
        planar = np.linalg.norm(unit[:, :2], axis=1)
        angle = np.arctan2(unit[:, 1], unit[:, 0])
        ring = _power(planar, e1)
        shaped = np.column_stack(
            [
                ring * _power(np.cos(angle), e2),
                ring * _power(np.sin(angle), e2),
                _power(unit[:, 2], e1),
            ]
        )
        shaped[:, :2] *= 1 + taper * shaped[:, 2:]
        return shaped * axes

    return Manifold.sphere(1.0, 96).warp_batch(warp)


def _power(value: FloatArray, exponent: float) -> FloatArray:
    return np.sign(value) * np.abs(value) ** exponent


def union(rng: Rng) -> Manifold:
    """Return two or three overlapping simple solids grown together."""
    body = _simple(rng)
    for _ in range(int(rng.integers(1, 3))):
        body += _onto(rng, body, _simple(rng).scale((0.7, 0.7, 0.7)))
    return body


def carved(rng: Rng) -> Manifold:
    """Return a box or cylinder with a piece cut out of its surface."""
    body = box(rng) if rng.random() < 0.5 else can(rng)
    cut = body - _onto(rng, body, _simple(rng).scale((0.6, 0.6, 0.6)))
    pieces = cut.decompose()
    return max(pieces, key=lambda piece: piece.volume())


def toy(rng: Rng) -> Manifold:
    """Return a figure: a body on feet with a head, arms at will."""
    r = rng.uniform(0.02, 0.035)
    body = Manifold.sphere(r, 48).scale((1, rng.uniform(0.8, 1.1), rng.uniform(1.1, 1.8)))
    top = body.bounding_box()[5]
    head = Manifold.sphere(r * rng.uniform(0.6, 0.95), 48).translate((0, 0, top + 0.4 * r))
    parts = [body, head]
    for side in (-1, 1):
        foot = Manifold.sphere(r * 0.45, 32).scale((1.5, 1, 0.8))
        parts.append(foot.translate((0.3 * r, side * 0.5 * r, -0.95 * top)))
        if rng.random() < 0.7:
            arm = Manifold.sphere(r * 0.33, 32).scale((1, 2.2, 1)).rotate((side * 25, 0, 0))
            parts.append(arm.translate((0, side * 1.1 * r, 0.3 * top)))
    merged = parts[0]
    for part in parts[1:]:
        merged += part
    return max(merged.decompose(), key=lambda piece: piece.volume())


def dumbbell(rng: Rng) -> Manifold:
    """Return two ends on a bar, lying along x."""
    bar, r = rng.uniform(0.08, 0.18), rng.uniform(0.008, 0.014)
    rod = Manifold.cylinder(bar, r, r, SEGMENTS, True).rotate((0, 90, 0))
    end = rng.uniform(0.02, 0.035)
    for side in (-1, 1):
        if rng.random() < 0.5:
            knob = Manifold.sphere(end, 48)
        else:
            knob = rounded_box((end, 1.6 * end, 1.6 * end), 0.2 * end).translate(
                (0, 0, -0.8 * end)
            )
        rod += knob.translate((side * bar / 2, 0, 0))
    return rod


def _simple(rng: Rng) -> Manifold:
    kind = int(rng.integers(3))
    if kind == 0:
        return rounded_box(tuple(rng.uniform(0.03, 0.09, 3)), 0.0)
    return ball(rng) if kind == 1 else can(rng)


def _onto(rng: Rng, body: Manifold, part: Manifold) -> Manifold:
    """Return ``part`` turned at random and centred on a random surface point of ``body``."""
    vertices = body.to_mesh().vert_properties[:, :3]
    low, high = np.split(np.array(part.bounding_box()), 2)
    centred = part.translate(tuple(-(low + high) / 2))
    turned = centred.rotate(tuple(rng.uniform(0, 360, 3)))
    return turned.translate(tuple(vertices[rng.integers(len(vertices))].astype(float)))
