# SPDX-License-Identifier: Apache-2.0
"""Things with handles: mugs and jugs, pans, and tools (hammer, screwdriver, spatula, wrench)."""

from __future__ import annotations

import numpy as np
from manifold3d import CrossSection, Manifold

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.families.boxy import rounded_box
from sam3d_ros.world.families.revolved import SEGMENTS, hollow, revolve, smooth_profile

Rng = np.random.Generator


def handle(
    outer: FloatArray, bottom_m: float, top_m: float, reach_m: float, bar_m: float
) -> Manifold:
    """Return a C-shaped handle on the +x side of a vessel's (P, 2) outer profile, metres.

    It joins the wall at heights ``bottom_m`` and ``top_m``, reaches ``reach_m`` beyond it and is
    ``bar_m`` thick; what would stick into the vessel is cut off at the outer surface's core.
    """
    half = (top_m - bottom_m) / 2
    loop = CrossSection.circle(bar_m / 2, 16).translate((half, 0.0)).revolve(48)
    loop = loop.scale((1.0, 1.0, 1.3)).rotate((90, 0, 0)).scale((reach_m / half, 1.0, 1.0))
    wall = np.interp([bottom_m, (bottom_m + top_m) / 2, top_m], outer[:, 1], outer[:, 0]).min()
    placed = loop.translate((wall, 0.0, bottom_m + half))
    core = np.column_stack([np.maximum(outer[:, 0] - bar_m * 0.2, 1e-3), outer[:, 1]])
    return placed - revolve(core)


def mug(rng: Rng) -> Manifold:
    """Return a mug or jug: a cup with a handle."""
    r, h = rng.uniform(0.032, 0.05), rng.uniform(0.07, 0.12)
    outer = smooth_profile(
        r * np.array([rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.08), 1.0]),
        h * np.array([0.0, 0.5, 1.0]),
        16,
    )
    wall = rng.uniform(0.003, 0.005)
    bar = rng.uniform(0.008, 0.012)
    span = (rng.uniform(0.12, 0.22) * h, rng.uniform(0.75, 0.9) * h)
    grip = handle(outer, *span, rng.uniform(0.022, 0.034), bar)
    return hollow(outer, wall, rng.uniform(0.004, 0.008)) + grip


def pan(rng: Rng) -> Manifold:
    """Return a small pan: a low vessel with a straight handle."""
    r, h, wall = rng.uniform(0.05, 0.085), rng.uniform(0.025, 0.05), rng.uniform(0.003, 0.005)
    outer = np.array([[0.85 * r, 0.0], [r, h]])
    bar = rounded_box((rng.uniform(0.09, 0.14), rng.uniform(0.014, 0.022), 0.01), 0.003)
    length = bar.bounding_box()[3] - bar.bounding_box()[0]
    start = r - wall / 2
    return hollow(outer, wall, 0.004) + bar.translate((start + length / 2, 0, h - 0.011))


def screwdriver(rng: Rng) -> Manifold:
    """Return a screwdriver or marker lying along x: a fat grip and a thin shaft."""
    grip, shaft = rng.uniform(0.07, 0.11), rng.uniform(0.05, 0.14)
    fat, thin = rng.uniform(0.011, 0.018), rng.uniform(0.003, 0.006)
    body = smooth_profile(
        fat * np.array([0.7, 1.0, 0.85, 1.0, 0.6]),
        grip * np.array([0.0, 0.1, 0.5, 0.8, 1.0]),
    )
    profile = np.vstack([body, [[thin, grip], [thin, grip + shaft]]])
    return revolve(profile).rotate((0, 90, 0))


def hammer(rng: Rng) -> Manifold:
    """Return a hammer or mallet lying flat."""
    length, thick = rng.uniform(0.16, 0.26), rng.uniform(0.016, 0.026)
    head = rng.uniform(0.07, 0.12)
    shaft = rounded_box((length, thick, 0.8 * thick), 0.3 * thick)
    if rng.random() < 0.5:
        block = Manifold.cylinder(head, thick, thick, SEGMENTS, True).rotate((90, 0, 0))
        block = block.translate((length / 2, 0, 0.4 * thick))
    else:
        wide = rng.uniform(1.3, 2.0) * thick
        block = rounded_box((wide, head, wide), 0.1 * thick)
        block = block.translate((length / 2, 0, 0.4 * thick - wide / 2))
    return shaft + block


def spatula(rng: Rng) -> Manifold:
    """Return a spatula or ladle-like tool: a thin blade on a rod, lying flat."""
    blade = (rng.uniform(0.05, 0.1), rng.uniform(0.04, 0.08), rng.uniform(0.004, 0.007))
    rod, thick = rng.uniform(0.1, 0.18), rng.uniform(0.009, 0.015)
    paddle = rounded_box(blade, 0.3 * blade[2]).translate((blade[0] / 2 + rod / 2 - 0.01, 0, 0))
    return rounded_box((rod, thick, thick), 0.25 * thick) + paddle


def wrench(rng: Rng) -> Manifold:
    """Return a flat open-ended spanner."""
    length, wide, thick = (
        rng.uniform(0.12, 0.22),
        rng.uniform(0.014, 0.022),
        rng.uniform(0.006, 0.012),
    )
    outline = CrossSection.square((length, wide), True)
    for side in (-1, 1):
        head = CrossSection.circle(wide * 1.1, 32)
        jaw = CrossSection.square((wide * 1.3, wide * 0.9), True).translate((side * wide * 0.7, 0))
        outline += head.translate((side * length / 2, 0))
        outline -= jaw.rotate(15.0 * side).translate((side * length / 2, 0))
    return outline.extrude(thick)
