# SPDX-License-Identifier: Apache-2.0
"""Names of scans that nothing was trained on, in the suite ``spaced``, and phrases with names."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Table
from sam3d_ros.bench.language.counting import Counts, matches, played
from sam3d_ros.bench.language.queries import PhraseCase
from sam3d_ros.bench.metrics.metrics_layout import calibration_error
from sam3d_ros.core.types import SceneObject
from sam3d_ros.language.grounding import find
from sam3d_ros.language.kinds import KINDS, UNKNOWN, kind_of_name
from sam3d_ros.world.sources import ScanSource
from sam3d_ros.world.suites import make_episode

WORLDS, QUICK_WORLDS = 40, 6
BINS = 10
ABSENT = 2
"""Phrases of a world for kinds that are not there, beside those for all that are."""


@dataclass(slots=True)
class Named:
    """What was said of each object, and what it is."""

    truth: list[str] = field(default_factory=list)
    told: list[tuple[tuple[str, float], ...]] = field(default_factory=list)

    def add(self, kind: str, item: SceneObject) -> None:
        """Note one object.

        :param kind: its true one.
        :param item: with its names.
        """
        self.truth.append(kind)
        self.told.append(item.labels)

    def top(self, count: int) -> float:
        """Return the share of things of the kinds whose kind is among the first names."""
        hits = [
            kind in [name for name, _ in told[:count]]
            for kind, told in zip(self.truth, self.told, strict=True)
            if kind != UNKNOWN
        ]
        return float(np.mean(hits)) if hits else float('nan')

    @property
    def unknown_share(self) -> float:
        """Share of things outside the vocabulary that are called unknown."""
        told = [t for k, t in zip(self.truth, self.told, strict=True) if k == UNKNOWN]
        return float(np.mean([bool(t) and t[0][0] == UNKNOWN for t in told]))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the first name (Guo et al., ICML 2017, equation 3)."""
        sure = np.array([told[0][1] if told else 0.0 for told in self.told])
        right = np.array(
            [
                bool(told) and told[0][0] == kind
                for kind, told in zip(self.truth, self.told, strict=True)
            ]
        )
        return calibration_error(sure, right, BINS)


def run_names(options: BenchOptions) -> tuple[dict[str, float], Table]:
    """Return how well scans of the test split are named, and phrases with names understood.

    :param options: with a folder of scans.
    """
    assert options.objects is not None
    source, named, counts = ScanSource(options.objects, 'test'), Named(), Counts()
    for seed in range(options.seed, options.seed + (QUICK_WORLDS if options.quick else WORLDS)):
        episode = make_episode('spaced', 9_000 + seed, source)
        sample, result = played(options.config, episode)
        known = matches(sample, result)
        kinds = [kind_of_name(solid.name) for solid in episode.objects]
        for item in result.scene.objects:
            number = known[item.id]
            kind = None if number is None else kinds[number]
            if kind is not None:
                named.add(kind, item)
        absent = [kind for kind in KINDS[:-1] if kind not in kinds]
        asked = [kind for kind in dict.fromkeys(kinds) if kind not in (None, UNKNOWN)]
        chosen = np.random.default_rng([seed, 25]).permutation(len(absent))[:ABSENT]
        for kind in [*asked, *(absent[int(k)] for k in chosen)]:
            meant = frozenset(k for k, own in enumerate(kinds) if own == kind)
            unclear = frozenset(k for k, own in enumerate(kinds) if own is None)
            case = PhraseCase(f'the {kind}', 'name', meant, unclear)
            answer = {known[item.id] for item in find(result.scene, case.phrase).objects}
            counts.add(case, answer)
    values = {
        'names_top1': named.top(1),
        'names_top3': named.top(3),
        'names_calibration_error': named.calibration_error,
        'names_unknown_share': named.unknown_share,
        'names_objects': float(len(named.truth)),
        'name_phrases_f1': counts.f1,
        'name_phrases_absent_refused': counts.refused / max(1, counts.absent),
    }
    rows = tuple((name, f'{value:.3f}') for name, value in values.items())
    return values, Table('Scans of the test split, spaced', ('figure', ''), rows)
