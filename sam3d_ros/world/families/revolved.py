# SPDX-License-Identifier: Apache-2.0
"""Surfaces of revolution: cans, bottles, cups, bowls, plates, balls, rings and free profiles."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold
from scipy.interpolate import PchipInterpolator

from sam3d_ros.core.types import FloatArray

Rng = np.random.Generator
SEGMENTS = 64


def revolve(profile: FloatArray) -> Manifold:
    """Return the solid under a (P, 2) profile of radius and height, from bottom to top, metres."""
    bottom, top = [0.0, profile[0, 1]], [0.0, profile[-1, 1]]
    return CrossSection([np.vstack([bottom, profile, top])]).revolve(SEGMENTS)


def hollow(outer: FloatArray, wall_m: float, base_m: float) -> Manifold:
    """Return the vessel of a (P, 2) outer profile, open on top, with a wall and a base, metres.

    :param wall_m: thickness of the wall.
    :param base_m: thickness of the base.
    """
    heights, radii = outer[:, 1], outer[:, 0]
    inner_z = np.linspace(heights[0] + base_m, heights[-1], max(len(outer), 2))
    inner_r = np.maximum(np.interp(inner_z, heights, radii) - wall_m, 1e-3)
    ring = np.vstack(
        [[0.0, heights[0]], outer, np.column_stack([inner_r, inner_z])[::-1], [0.0, inner_z[0]]]
    )
    return CrossSection([ring]).revolve(SEGMENTS)


def smooth_profile(radii_m: FloatArray, heights_m: FloatArray, samples: int = 32) -> FloatArray:
    """Return a (samples, 2) shape-preserving curve through the given radii and heights.

    :param radii_m: (K,) distances from the axis.
    :param heights_m: (K,) heights of these, ascending.
    """
    z = np.linspace(heights_m[0], heights_m[-1], samples)
    return np.column_stack([PchipInterpolator(heights_m, radii_m)(z), z])


def can(rng: Rng) -> Manifold:
    """Return a can: a cylinder with a narrower rim at both ends."""
    r, h = rng.uniform(0.025, 0.055), rng.uniform(0.04, 0.17)
    lip, inset = rng.uniform(0.003, 0.006), rng.uniform(0.001, 0.005)
    return revolve(
        np.array(
            [[r - inset, 0], [r, lip], [r, h - lip], [r - inset, h - lip / 2], [r - inset, h]]
        )
    )


def bottle(rng: Rng) -> Manifold:
    """Return a closed bottle: body, shoulder, neck and cap."""
    r, h = rng.uniform(0.022, 0.048), rng.uniform(0.13, 0.28)
    neck = r * rng.uniform(0.28, 0.5)
    shoulder, neck_start = rng.uniform(0.5, 0.7), rng.uniform(0.74, 0.82)
    waist = rng.uniform(0.88, 1.0)
    body = smooth_profile(
        r * np.array([0.94, 1.0, waist, 1.0, neck / r, neck / r]),
        h * np.array([0.0, 0.04, 0.5 * shoulder, shoulder, neck_start, 0.9]),
    )
    cap = neck * rng.uniform(1.05, 1.35)
    return revolve(np.vstack([body, [[cap, 0.9 * h], [cap, h]]]))


def cup(rng: Rng) -> Manifold:
    """Return an open cup without a handle, straight or tapered."""
    r, h = rng.uniform(0.028, 0.048), rng.uniform(0.06, 0.13)
    outer = smooth_profile(
        r * np.array([rng.uniform(0.6, 0.95), rng.uniform(0.85, 1.0), 1.0]),
        h * np.array([0.0, 0.5, 1.0]),
        16,
    )
    return hollow(outer, rng.uniform(0.0025, 0.005), rng.uniform(0.004, 0.008))


def bowl(rng: Rng) -> Manifold:
    """Return a bowl with a wall, on a small foot."""
    r, h = rng.uniform(0.05, 0.1), rng.uniform(0.035, 0.08)
    foot = rng.uniform(0.35, 0.55)
    angle = np.linspace(0.0, np.pi / 2, 16)
    outer = np.column_stack(
        [r * (foot + (1 - foot) * np.sin(angle)), h * (1 - np.cos(angle)) ** 0.9]
    )
    outer[:, 1] += np.linspace(0.0, 1e-4, 16)
    return hollow(outer, rng.uniform(0.003, 0.006), rng.uniform(0.004, 0.008))


def plate(rng: Rng) -> Manifold:
    """Return a thin plate with a raised rim."""
    r, h = rng.uniform(0.07, 0.13), rng.uniform(0.012, 0.028)
    flat = rng.uniform(0.5, 0.7)
    outer = smooth_profile(
        r * np.array([flat, flat + 0.12, 1.0]), h * np.array([0.0, 0.25, 1.0]), 12
    )
    return hollow(outer, rng.uniform(0.005, 0.008), rng.uniform(0.003, 0.005))


def ball(rng: Rng) -> Manifold:
    """Return a sphere."""
    return Manifold.sphere(rng.uniform(0.02, 0.07), SEGMENTS)


def ring(rng: Rng) -> Manifold:
    """Return a torus, or a tube open at both ends."""
    if rng.random() < 0.5:
        outer, thick = rng.uniform(0.03, 0.07), rng.uniform(0.006, 0.018)
        return CrossSection.circle(thick, 24).translate((outer, thick)).revolve(SEGMENTS)
    r, h, wall = rng.uniform(0.02, 0.05), rng.uniform(0.02, 0.2), rng.uniform(0.003, 0.008)
    return CrossSection.square((wall, h)).translate((r - wall, 0.0)).revolve(SEGMENTS)


def vase(rng: Rng) -> Manifold:
    """Return a surface of revolution of a free smooth profile, solid or hollow."""
    h, knots = rng.uniform(0.06, 0.24), int(rng.integers(3, 6))
    radii = rng.uniform(0.015, 0.055, knots)
    outer = smooth_profile(radii, h * np.linspace(0.0, 1.0, knots))
    if rng.random() < 0.5:
        return revolve(outer)
    return hollow(outer, rng.uniform(0.003, 0.006), rng.uniform(0.004, 0.01))


def fruit(rng: Rng) -> Manifold:
    """Return a pear-like or bent fruit."""
    h = rng.uniform(0.05, 0.16)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 32)[1:-1]
    thick = h * rng.uniform(0.14, 0.45)
    taper = 1 + rng.uniform(0.0, 0.4) * np.sin(angle + np.pi)
    body = revolve(np.column_stack([thick * np.cos(angle) * taper, h / 2 * (1 + np.sin(angle))]))
    if thick > 0.25 * h:
        return body
    return bent(body.translate((0, 0, -h / 2)), rng.uniform(0.4, 1.0) / (h / 2)).rotate((0, 90, 0))


def bent(manifold: Manifold, curvature: float) -> Manifold:
    """Return a solid bent about y: its z axis becomes an arc of this curvature (1/m).

    :param manifold: the solid, along z.
    """

    def warp(points: FloatArray) -> FloatArray:
        angle, radius = points[:, 2] * curvature, 1 / curvature - points[:, 0]
        x = 1 / curvature - radius * np.cos(angle)
        return np.column_stack([x, points[:, 1], radius * np.sin(angle)])

    return manifold.warp_batch(warp)
