# SPDX-License-Identifier: Apache-2.0
"""Where an episode's objects come from: a folder of scans, or the procedural families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.meshes import LARGEST_M, list_scans, load_scan
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.shapes import random_solid

Rng = np.random.Generator


class ObjectSource(Protocol):
    """Gives bodies at random, each with its own name."""

    description: str

    def draw(self, count: int, rng: Rng) -> list[Body]:
        """Return ``count`` different bodies.

        :param rng: draws all that is left to chance.
        """
        ...


class ProceduralSource:
    """Solids of the procedural families."""

    def __init__(self, families: Sequence[str] | None = None) -> None:
        self._families = families
        self.description = 'procedural solids'

    def draw(self, count: int, rng: Rng) -> list[Body]:
        """Return new solids, named by family and place in the draw.

        :param count: how many.
        :param rng: draws all that is left to chance.
        """
        bodies = []
        for number in range(count):
            solid = random_solid(rng, self._families)
            bodies.append(Body(solid.renamed(f'{solid.family}_{number}')))
        return bodies


class ScanSource:
    """The scans of a folder that fit a tabletop scene; every one is loaded once.

    :param split: split of the folder's index to draw from.
    """

    def __init__(self, folder: Path, split: str = 'test') -> None:
        entries = list_scans(folder, split)
        self._entries = [e for e in entries if (e.longest_m or 0.0) <= LARGEST_M]
        self._bodies: dict[str, Body] = {}
        self.description = f'{len(self._entries)} scans of {folder.name}, split {split}'

    def draw(self, count: int, rng: Rng) -> list[Body]:
        """Return different scans.

        :param count: how many.
        :param rng: draws all that is left to chance.
        :raises ConfigurationError: when the folder has fewer.
        """
        if count > len(self._entries):
            raise ConfigurationError(
                f'{self.description}', wanted=f'at least {count} scans of up to {LARGEST_M} m'
            )
        return [self._load(int(k)) for k in rng.permutation(len(self._entries))[:count]]

    def all(self) -> list[Body]:
        """Return every scan, in the order of their names."""
        return [self._load(k) for k in range(len(self._entries))]

    def _load(self, index: int) -> Body:
        entry = self._entries[index]
        if entry.name not in self._bodies:
            self._bodies[entry.name] = Body(load_scan(entry))
        return self._bodies[entry.name]


@dataclass(slots=True)
class Given:
    """These bodies and no others, in this order."""

    bodies: Sequence[Body]
    description: str = 'given things'

    def draw(self, count: int, rng: Rng) -> list[Body]:
        """Return the first ``count`` of them.

        :param rng: is not asked.
        """
        return list(self.bodies[:count])


@dataclass(slots=True)
class Resized:
    """The things of a source, each in a size of its own.

    :param factors: range of the factor on the size.
    :param longest_m: range of the longest extent, metres, that the factor keeps to.
    """

    source: ObjectSource
    factors: tuple[float, float]
    longest_m: tuple[float, float]
    description: str = 'resized things'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return as many bodies as the source gives for ``count``.

        :param rng: draws all that is left to chance.
        """
        return [self._resized(body, rng) for body in self.source.draw(count, rng)]

    def _resized(self, body: Body, rng: np.random.Generator) -> Body:
        low, high = (bound / float(body.solid.extents_m.max()) for bound in self.longest_m)
        factor = np.float32(np.clip(rng.uniform(*self.factors), low, high))
        return Body(replace(body.solid, vertices_m=factor * body.solid.vertices_m))
