# SPDX-License-Identifier: Apache-2.0
"""Where the things of training worlds come from: scans of one part of a split, or mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.world.meshes import LARGEST_M, ScanEntry, load_scan
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.sources import ObjectSource


def part_of(entries: Sequence[ScanEntry], every: int, held_back: bool) -> list[ScanEntry]:
    """Return one of two disjoint parts of scans.

    :param every: every so manieth scan is held back, the first one too.
    """
    return [entry for k, entry in enumerate(entries) if (k % every == 0) == held_back]


class Scans:
    """Those scans out of a list that fit a tabletop scene; every one is loaded once."""

    def __init__(self, entries: Sequence[ScanEntry]) -> None:
        self._entries = [entry for entry in entries if (entry.longest_m or 0.0) <= LARGEST_M]
        self._bodies: dict[str, Body] = {}
        self.description = f'{len(self._entries)} scans'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return up to ``count`` different bodies."""
        chosen = rng.permutation(len(self._entries))[:count]
        return [self._load(int(k)) for k in chosen]

    def _load(self, index: int) -> Body:
        entry = self._entries[index]
        if entry.name not in self._bodies:
            self._bodies[entry.name] = Body(load_scan(entry))
        return self._bodies[entry.name]


@dataclass(slots=True)
class Mixture:
    """Things of several sources in one world.

    :param shares: chance of each source to give a thing.
    """

    sources: Sequence[ObjectSource]
    shares: Sequence[float]
    description: str = 'a mixture'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return ``count`` bodies; what a small source cannot give, the last one does."""
        wanted = rng.multinomial(count, self.shares)
        drawn = [
            source.draw(int(number), rng)
            for source, number in zip(self.sources[:-1], wanted[:-1], strict=True)
        ]
        drawn.append(self.sources[-1].draw(count - sum(map(len, drawn)), rng))
        return [body for part in drawn for body in part]
