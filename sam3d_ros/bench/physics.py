# SPDX-License-Identifier: Apache-2.0
"""Bench of physics: would the published scene stand as it is? It is let go and watched (MuJoCo).

Every object becomes a free body of its convex parts, where it is published, on the true support.
What hovers falls, what penetrates is thrown apart, what is bent or too small topples. What is said
to be on, leaning on and next to what is held against the true scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.metrics_relations import RelationScore, true_relations
from sam3d_ros.bench.metrics.scoring import within_region
from sam3d_ros.bench.metrics.settling import SETTLE_S, STAYS_DEG, STAYS_M, Settled, let_go
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.worlds import cases
from sam3d_ros.core.types import ObjectState
from sam3d_ros.session.session import Session

COUNTS = {'spaced': (6, 1), 'clutter': (4, 1), 'stacked': (4, 0), 'piled': (2, 0)}
"""Episodes of each suite: full, quick."""
WORST_PICTURED = 10
PENETRATES_M = 0.002
NOTES = (
    'Cluttered things share up to 1 % of their volume in the world: the rows of the true meshes '
    'say how many can stay.',
)
HEADINGS = {
    'stay': 'stay',
    'moved_p50_mm': 'moved p50, mm',
    'moved_p90_mm': 'moved p90, mm',
    'tilt_p90_deg': 'tilt p90, deg',
    'support_gap_p50_mm': 'over the support p50, mm',
    'penetration_p90_mm': 'into others p90, mm',
    'penetrating': 'into others > 2 mm',
}


def run(options: BenchOptions) -> Measurement:
    """Let go of the scenes that the configured pipeline publishes, with its own masks."""
    values: dict[str, Value] = {}
    rows, told_rows = [], []
    pictures: list[Picture] = []
    for suite in options.chosen(COUNTS):
        count = COUNTS[suite][options.quick]
        if not count:
            continue
        told = RelationScore()
        settled: dict[str, list[Settled]] = {'own': [], 'truth': []}
        gallery: list[tuple[float, Picture]] = []
        for case in cases(suite, count, options):
            session = Session.from_config(options.config)
            for frame in case.frames:
                scene = session.step(frame).scene
            # Planners are not told of what is tentative.
            told_of = tuple(i for i in scene.objects if i.state != ObjectState.TENTATIVE)
            scene = replace(scene, objects=told_of)
            truth = [item.mesh for item in case.truth]
            bounds = np.array([mesh.bounds() for mesh in truth])
            found = [
                mesh
                for mesh in posed(scene)
                if within_region(mesh.bounds().mean(axis=0)[None], bounds)[0]
            ]
            settled['own'].append(let_go(found, case.support_z_m))
            settled['truth'].append(let_go(truth, case.support_z_m))
            told.add(scene, case.truth, true_relations(case.truth, case.support_z_m))
            share = float(settled['own'][-1].stays.mean()) if found else 0.0
            caption = f'{case.name}: image, truth, result, both from behind; {share:.2f} stay'
            gallery.append((share, compare_meshes(caption, case.frames[-1], truth, found)))
        for way, scenes in settled.items():
            figures = figures_of(scenes)
            values |= {f'{suite}_{way}_{name}': value for name, value in figures.items()}
            label = f'{suite}, {"ours" if way == "own" else "the true meshes"}'
            rows.append((label, *(f'{value:.2f}' for value in figures.values())))
        shares = told.figures()
        values |= {f'{suite}_{name}': value for name, value in shares.items()}
        told_rows.append((suite, *(f'{value:.2f}' for value in shares.values())))
        gallery.sort(key=lambda scored: scored[0])
        pictures += [picture for _, picture in gallery[:WORST_PICTURED]]
    title = (
        f'let go for {SETTLE_S:.0f} s; stay: within {1e3 * STAYS_M:.0f} mm and {STAYS_DEG:.0f} deg'
    )
    table = Table(title, ('', *HEADINGS.values()), tuple(rows))
    head = ('', *(name.replace('_', ' ') for name in shares))
    related = Table('relations of what was found', head, tuple(told_rows))
    return Measurement('physics', values, (table, related), tuple(pictures), NOTES)


def figures_of(settled: Sequence[Settled]) -> dict[str, float]:
    """Return the figures of some scenes together; NaN when they hold no object."""

    def quantile(name: str, q: float, factor: float = 1e3) -> float:
        every = np.concatenate([getattr(scene, name) for scene in settled])
        return factor * float(np.quantile(every, q)) if len(every) else float('nan')

    every = np.concatenate([scene.stays for scene in settled])
    depths = np.concatenate([scene.penetration_m for scene in settled])
    return {
        'stay': float(every.mean()) if len(every) else float('nan'),
        'moved_p50_mm': quantile('moved_m', 0.5),
        'moved_p90_mm': quantile('moved_m', 0.9),
        'tilt_p90_deg': quantile('tilt_deg', 0.9, 1.0),
        'support_gap_p50_mm': quantile('gap_m', 0.5),
        'penetration_p90_mm': quantile('penetration_m', 0.9),
        'penetrating': float((depths > PENETRATES_M).mean()) if len(depths) else float('nan'),
    }
