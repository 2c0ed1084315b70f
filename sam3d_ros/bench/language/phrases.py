# SPDX-License-Identifier: Apache-2.0
"""Phrases asked of what the pipeline made of made-up worlds, against what is true of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table
from sam3d_ros.bench.language.counting import Counts, matches, played
from sam3d_ros.bench.language.exemplars import mean_average_precision
from sam3d_ros.bench.language.names import run_names
from sam3d_ros.bench.language.queries import PhraseCase, TrueThing, queries
from sam3d_ros.core.types import Scene
from sam3d_ros.language.grounding import find
from sam3d_ros.world.suites import make_episode

SUITES = ('spaced', 'demo', 'clutter')
FRAMES = 3
QUERIES, QUICK_QUERIES = 300, 60


def asked_worlds(
    options: BenchOptions, count: int
) -> Iterator[tuple[list[PhraseCase], Scene, dict[int, int | None]]]:
    """Yield phrases about worlds, what the pipeline made of these, and which object is which.

    :param options: whose configuration makes the session.
    :param count: of phrases, at least.
    """
    config = replace(options.config, language=replace(options.config.language, names=False))
    asked, seed = 0, options.seed
    while asked < count:
        suite = SUITES[seed % len(SUITES)]
        episode = make_episode(suite, 7_000 + seed, frames=FRAMES, clear_chance=0.0)
        sample, result = played(config, episode)
        truth = sample.truth
        visible = [k for k in range(len(episode.objects)) if (truth.instances == k + 1).sum() > 50]
        things = [TrueThing(episode.objects[k], truth.T_fixed_obj[k]) for k in visible]
        cases = queries(episode, things, np.random.default_rng([seed, 16]))
        known = {
            id_: None if k is None or k not in visible else visible.index(k)
            for id_, k in matches(sample, result).items()
        }
        yield cases, result.scene, known
        asked, seed = asked + len(cases), seed + 1


def run(options: BenchOptions) -> Measurement:
    """Ask phrases without names of worlds of procedural things, then name scans.

    :param options: seed, configuration, and scans or none.
    """
    by_sort: dict[str, Counts] = defaultdict(Counts)
    total, asked = Counts(), 0
    count = QUICK_QUERIES if options.quick else QUERIES
    for cases, scene, known in asked_worlds(options, count):
        for case in cases:
            answer = {known[item.id] for item in find(scene, case.phrase).objects}
            total.add(case, answer)
            by_sort[case.sort].add(case, answer)
            asked += 1
    rows = [
        (sort, f'{item.f1:.3f}', f'{item.right}', f'{item.wrong}', f'{item.missed}')
        for sort, item in sorted(by_sort.items())
    ]
    refused = total.refused / max(1, total.absent)
    rows.append(('all', f'{total.f1:.3f}', f'{total.right}', f'{total.wrong}', f'{total.missed}'))
    values = {'f1': total.f1, 'absent_refused': refused, 'queries': asked, 'absent': total.absent}
    values |= {f'{sort}_f1': item.f1 for sort, item in sorted(by_sort.items())}
    title = (
        f'Phrases without names: {asked}; of {total.absent} absent things {refused:.2f} refused'
    )
    columns = ('sort', 'F1', 'right', 'wrong', 'missed')
    tables = [Table(title, columns, tuple(rows))]
    if options.objects is not None:
        named, table = run_names(options)
        found = mean_average_precision(options)
        values |= named | {'exemplar_map': found}
        title = 'All of a kind among look-alikes, by an exemplar'
        shown = (('mean average precision', f'{found:.3f}'),)
        tables += [table, Table(title, ('figure', ''), shown)]
    return Measurement('words', values, tuple(tables))
