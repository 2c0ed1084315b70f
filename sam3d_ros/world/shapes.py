# SPDX-License-Identifier: Apache-2.0
"""Endless procedural objects: draw a family, draw its parameters, paint it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from manifold3d import Manifold

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.families import boxy, free, handled, revolved
from sam3d_ros.world.paint import random_paint
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

EXTENT_M = (0.02, 0.30)
"""Range of a solid's longest extent."""


def random_solid(
    rng: np.random.Generator, families: Sequence[str] | None = None, name: str | None = None
) -> Solid:
    """Return a random closed solid with random colours.

    :param families: names out of :data:`FAMILIES`; all of them when not given.
    :param name: the solid's name; the family's when not given.
    :raises ConfigurationError: when a family is unknown.
    """
    choice = tuple(families) if families else tuple(FAMILIES)
    unknown = [family for family in choice if family not in FAMILIES]
    if unknown:
        raise ConfigurationError(
            f'unknown families {", ".join(unknown)}', wanted=f'some of {", ".join(FAMILIES)}'
        )
    family = choice[int(rng.integers(len(choice)))]
    manifold = FAMILIES[family](rng)
    low, high = np.split(np.array(manifold.bounding_box()), 2)
    longest = float((high - low).max())
    fit = float(np.clip(longest, *EXTENT_M)) / longest
    return solid_from_manifold(
        manifold.scale((fit, fit, fit)), name or family, family, random_paint(rng)
    )
