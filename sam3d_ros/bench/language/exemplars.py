# SPDX-License-Identifier: Apache-2.0
"""Exemplars: of five scans three are the same; one is shown, the others are to be found.

The two others are those that are most like them by size and colour, as in the suite ``alike``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.language.counting import matches, played
from sam3d_ros.bench.sequences.alike import unlikeness
from sam3d_ros.core.types import FloatArray
from sam3d_ros.language.grounding import find
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.sources import ScanSource
from sam3d_ros.world.suites import make_episode

COPIES = 3
WORLDS, QUICK_WORLDS = 16, 3


@dataclass(slots=True)
class Alike:
    """Some copies of one scan, and those others that are most like it."""

    folder: Path
    description: str = 'copies of a scan among look-alikes'
    _bodies: list[Body] = field(default_factory=list)
    _apart: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return ``count`` bodies; the first :data:`COPIES` are alike.

        :param count: how many.
        :param rng: draws all that is left to chance.
        """
        if not self._bodies:
            self._bodies = ScanSource(self.folder, 'test').all()
            self._apart = unlikeness(self._bodies)
        first = int(rng.integers(len(self._bodies)))
        near = [int(k) for k in np.argsort(self._apart[first], kind='stable') if k != first]
        solids = [self._bodies[k].solid for k in [first] * COPIES + near[: max(0, count - COPIES)]]
        return [Body(solid.renamed(f'{solid.name}_{k}')) for k, solid in enumerate(solids[:count])]


def mean_average_precision(options: BenchOptions) -> float:
    """Return the mean over worlds and shown copies of the average precision of what is found.

    :param options: with a folder of scans.
    """
    assert options.objects is not None
    source, found = Alike(options.objects), []
    for seed in range(options.seed, options.seed + (QUICK_WORLDS if options.quick else WORLDS)):
        episode = make_episode('spaced', 11_000 + seed, source, frames=3)
        sample, result = played(options.config, episode)
        known = matches(sample, result)
        for shown in [id_ for id_, k in known.items() if k is not None and k < COPIES]:
            answer = find(result.scene, '', like=(shown,)).objects
            ranked = [known[item.id] for item in answer if item.id != shown]
            found.append(average_precision([k is not None and k < COPIES for k in ranked]))
    return float(np.mean(found)) if found else float('nan')


def average_precision(is_right: list[bool]) -> float:
    """Return the average precision of a ranked answer, of all other copies.

    :param is_right: for each thing that was returned, the likeliest first.
    """
    right = np.cumsum(is_right)
    ranks = np.arange(1, len(is_right) + 1)
    return float((right / ranks)[np.array(is_right, bool)].sum() / (COPIES - 1))
