# SPDX-License-Identifier: Apache-2.0
"""Endless procedural objects: draw a family, draw its parameters, paint it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from manifold3d import Manifold

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.appearance.paint import random_paint
from sam3d_ros.world.families import (
    boxy,
    food,
    free,
    handled,
    household,
    lying,
    revolved,
    ware,
)
from sam3d_ros.world.solid import Solid, solid_from_manifold

FAMILIES: dict[str, Callable[[np.random.Generator], Manifold]] = {
    'ball': revolved.ball,
    'blob': boxy.blob_extrusion,
    'bottle': revolved.bottle,
    'bowl': revolved.bowl,
    'box': boxy.box,
    'bracket': boxy.bracket,
    'can': revolved.can,
    'carved': free.carved,
    'cup': revolved.cup,
    'dumbbell': free.dumbbell,
    'flat': boxy.flat,
    'fruit': revolved.fruit,
    'hammer': handled.hammer,
    'mug': handled.mug,
    'pan': handled.pan,
    'plate': revolved.plate,
    'prism': boxy.prism,
    'ring': revolved.ring,
    'screwdriver': handled.screwdriver,
    'spatula': handled.spatula,
    'superquadric': free.superquadric,
    'toy': free.toy,
    'tray': boxy.tray,
    'union': free.union,
    'vase': revolved.vase,
    'wrench': handled.wrench,
}
"""Name of each family and the function that draws one member of it."""

SPECIAL_FAMILIES: dict[str, Callable[[np.random.Generator], Manifold]] = {
    'apple': food.apple,
    'bag': household.bag,
    'banana': food.banana,
    'block': household.block,
    'board': ware.board,
    'book': lying.book,
    'burger': food.burger,
    'card': lying.card,
    'cloth': lying.cloth,
    'cube': food.cube_piece,
    'cutlery': lying.cutlery,
    'doughnut': food.doughnut,
    'floret': food.floret,
    'fork': lying.fork,
    'jug': ware.jug,
    'knife': lying.knife,
    'leaf': food.leaf,
    'nugget': food.nugget,
    'open_box': ware.open_box,
    'pen': lying.pen,
    'phone': lying.phone,
    'platter': ware.platter,
    'pot': ware.pot,
    'remote': household.remote,
    'scissors': household.scissors,
    'serving_tray': ware.serving_tray,
    'slice': food.slice_of,
    'sponge': household.sponge,
    'spoon': lying.spoon,
    'tumbler': ware.tumbler,
    'wine_glass': ware.wine_glass,
}
"""Families that only those who name them get, in their own sizes."""

EXTENT_M = (0.02, 0.30)
"""Range of the longest extent of a solid of :data:`FAMILIES`."""


def random_solid(
    rng: np.random.Generator, families: Sequence[str] | None = None, name: str | None = None
) -> Solid:
    """Return a random closed solid with random colours.

    :param rng: draws all that is left to chance.
    :param families: names out of :data:`FAMILIES` and :data:`SPECIAL_FAMILIES`; all of the
        former when not given.
    :param name: the solid's name; the family's when not given.
    :raises ConfigurationError: when a family is unknown.
    """
    choice = tuple(families) if families else tuple(FAMILIES)
    known = FAMILIES | SPECIAL_FAMILIES
    unknown = [family for family in choice if family not in known]
    if unknown:
        raise ConfigurationError(
            f'unknown families {", ".join(unknown)}', wanted=f'some of {", ".join(known)}'
        )
    family = choice[int(rng.integers(len(choice)))]
    manifold = known[family](rng)
    if family in SPECIAL_FAMILIES:
        return solid_from_manifold(manifold, name or family, family, random_paint(rng))
    low, high = np.split(np.array(manifold.bounding_box()), 2)
    longest = float((high - low).max())
    fit = float(np.clip(longest, *EXTENT_M)) / longest
    return solid_from_manifold(
        manifold.scale((fit, fit, fit)), name or family, family, random_paint(rng)
    )
