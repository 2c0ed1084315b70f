# SPDX-License-Identifier: Apache-2.0
"""Exemplars: of five scans three are the same; one is shown, the others are to be found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.language.counting import matches, played
from sam3d_ros.language.grounding import find
from sam3d_ros.world.meshes import LARGEST_M, list_scans, load_scan
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.suites import make_episode

COPIES, OTHERS = 3, 2
WORLDS, QUICK_WORLDS = 16, 3


@dataclass(slots=True)
class Alike:
    """Some copies of one scan, and other scans, of its category where there are any."""

    folder: Path
    description: str = 'copies of a scan among others'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return ``count`` bodies; the first :data:`COPIES` are alike.

        :param count: how many.
        :param rng: draws all that is left to chance.
        """
        scans = [e for e in list_scans(self.folder, 'test') if (e.longest_m or 0.0) <= LARGEST_M]
        first = scans[int(rng.integers(len(scans)))]
        others = [entry for entry in scans if entry.name != first.name]
        order = rng.permutation(len(others))
        near = sorted(order, key=lambda k: others[int(k)].category != first.category)
        chosen = [first] * COPIES + [others[int(k)] for k in near]
        return [
            Body(load_scan(entry).renamed(f'{entry.name}_{k}'))
            for k, entry in enumerate(chosen[:count])
        ]


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
