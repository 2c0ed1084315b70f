# SPDX-License-Identifier: Apache-2.0
"""What things are made of, drawn at random: mostly matt, some glossy, dark, metal or clear."""

from __future__ import annotations

import numpy as np

from sam3d_ros.world.solid import Material

Rng = np.random.Generator

CLEAR_CHANCE = 0.06
"""Chance of a thing that may be of glass to be of glass."""
CLEAR_FAMILIES = frozenset({
    'bottle', 'bowl', 'cup', 'glass', 'jug', 'mug', 'plate', 'tray', 'tumbler', 'vase',
    'wine_glass',
})  # fmt: skip
METAL_FAMILIES = frozenset({
    'can', 'cutlery', 'hammer', 'pan', 'pot', 'ring', 'screwdriver', 'spatula', 'wrench',
})  # fmt: skip
"""Things often made of metal; others seldom are."""
SOFT_FAMILIES = frozenset({'cleaning', 'cloth', 'clothing'})
"""Cloth and sponge never shine."""


def random_material(rng: Rng, family: str, clear_chance: float = CLEAR_CHANCE) -> Material:
    """Return what a thing is made of.

    :param rng: draws all that is left to chance.
    :param family: procedural family or category; it decides whether glass and metal are likely.
    :param clear_chance: chance of glass or clear plastic for :data:`CLEAR_FAMILIES`, 0..1; with 0
        everything is opaque. The rest does not depend on it.
    """
    clear_draw, kind, share = (float(draw) for draw in rng.random(3))
    reflectance = float(rng.uniform(0.7, 1.0))
    if family in CLEAR_FAMILIES and clear_draw < clear_chance:
        # Mostly clear glass, some frosted or milky.
        through = 0.95 - 0.1 * share if kind < 0.85 else 0.45 + 0.35 * share
        return Material(0.3, 0.8 + 0.2 * share, through)
    if family in SOFT_FAMILIES:
        return Material(reflectance)
    metal = 0.3 if family in METAL_FAMILIES else 0.04
    if kind < metal:
        return Material(0.6 * reflectance, 0.45 + 0.5 * share, 0.0, 0.6 + 0.4 * share)
    rest = (kind - metal) / (1 - metal)
    if rest < 0.5:
        return Material(reflectance)
    if rest < 0.65:
        return Material(reflectance, 0.1 + 0.25 * share)
    if rest < 0.93:
        return Material(reflectance, 0.35 + 0.6 * share)
    # Black rubber and plastic swallow infrared light whatever is printed on them.
    return Material(0.05 + 0.2 * share, 0.6 * float(rng.random()))


def is_black(material: Material) -> bool:
    """Return whether a material is of the kind that swallows light: paint it dark."""
    return material.clear == 0 and material.reflectance < 0.3
