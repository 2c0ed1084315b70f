# SPDX-License-Identifier: Apache-2.0
"""Bench of tracking: do objects keep their ids and their place while the camera moves?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.scoring import within_region
from sam3d_ros.bench.sequences import alike, events
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import FloatArray, ObjectState, Scene
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.session import Session

SUITES = ('spaced', 'clutter')
EVENTS, ALIKE = 'events', 'alike'
EPISODES, QUICK_EPISODES = 4, 1
FRAMES, QUICK_FRAMES = 30, 8

NEAR_M = 0.05
"""A result this near to the centre of an object's box is that object."""


@dataclass(slots=True)
class History:
    """What one episode showed of every object of the truth.

    Results outside the region of the truth (``scoring.REGION_M``) are no ghosts: a world also
    shows things that its truth does not list.

    :param true_bounds: (N, 2, 3) boxes of the objects, lowest corner first, fixed frame.
    """

    true_bounds: FloatArray
    ids: dict[int, list[int]] = field(default_factory=dict)
    poses: dict[int, list[FloatArray]] = field(default_factory=dict)
    confirmed_after: dict[int, int] = field(default_factory=dict)
    ghosts: list[int] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(self.true_bounds)

    def add(self, scene: Scene, frame: int) -> None:
        """Match the confirmed objects of a frame's scene with the truth by box centres."""
        items = [item for item in scene.objects if item.state != ObjectState.TENTATIVE]
        found = np.array([apply(i.T_fixed_obj, i.box_center_m) for i in items]).reshape(-1, 3)
        distance = np.linalg.norm(found[:, None] - self.true_bounds.mean(axis=1)[None], axis=2)
        # An object that was not found, wherever it is, may not decide between two that were.
        rows, columns = linear_sum_assignment(np.minimum(distance, NEAR_M))
        near = distance[rows, columns] < NEAR_M
        inside = int(within_region(found, self.true_bounds).sum())
        self.ghosts.append(inside - int(near.sum()))
        for row, column in zip(rows[near].tolist(), columns[near].tolist(), strict=True):
            self.ids.setdefault(column, []).append(items[row].id)
            self.poses.setdefault(column, []).append(items[row].T_fixed_obj)
            self.confirmed_after.setdefault(column, frame)

    def switches(self) -> int:
        """Return how often an object's id changed."""
        return sum(int((np.diff(ids) != 0).sum()) for ids in self.ids.values())

    def jitter(self) -> tuple[list[float], list[float]]:
        """Return the pose changes between frames of the same id: millimetres and degrees."""
        moved_mm, turned_deg = [], []
        for column, poses in self.poses.items():
            same = np.diff(self.ids[column]) == 0
            for before, after, steady in zip(poses, poses[1:], same, strict=False):
                if steady:
                    moved_mm.append(1e3 * float(np.linalg.norm(after[:3, 3] - before[:3, 3])))
                    cosine = (np.trace(before[:3, :3].T @ after[:3, :3]) - 1) / 2
                    turned_deg.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
        return moved_mm, turned_deg


def run(options: BenchOptions) -> Measurement:
    """Measure ids, jitter, confirmation and ghosts, and what is remembered when things happen."""
    values: dict[str, Value] = {}
    tables: list[Table] = []
    pictures: tuple[Picture, ...] = ()
    chosen = options.chosen((*SUITES, EVENTS, ALIKE))
    if orbits := [suite for suite in chosen if suite in SUITES]:
        values, table = _orbits(orbits, options)
        tables.append(table)
    if EVENTS in chosen and not options.quick:
        happened, table, pictures = events.measure(options)
        values |= happened
        tables.append(table)
    if ALIKE in chosen and not options.quick:
        known, table, confused = alike.measure(options)
        values |= known
        tables.append(table)
        pictures += confused
    notes = ('Suites events and alike are left out of the quick bench.',) if options.quick else ()
    return Measurement('tracking', values, tuple(tables), pictures, notes)


def _orbits(suites: list[str], options: BenchOptions) -> tuple[dict[str, Value], Table]:
    """Return figures and table of a camera that moves around objects at rest."""
    values: dict[str, Value] = {}
    rows = []
    episodes = QUICK_EPISODES if options.quick else EPISODES
    frames = QUICK_FRAMES if options.quick else FRAMES
    for suite in suites:
        histories: dict[str, list[History]] = {'own': [], 'given': []}
        for case in cases(suite, episodes, options, frames=frames):
            for way, kept in histories.items():
                kept.append(_follow(case, options, true_masks=way == 'given'))
        for way, kept in histories.items():
            figures = figures_of(kept)
            values |= {f'{suite}_{way}_{name}': value for name, value in figures.items()}
            label = f'{suite}, {"own" if way == "own" else "true"} masks'
            rows.append((label, *(f'{value:.2f}' for value in figures.values())))
    head = ('', *(name.replace('_', ' ') for name in figures))
    return values, Table(f'{frames} frames of a moving camera', head, tuple(rows))


def _follow(case: Case, options: BenchOptions, *, true_masks: bool) -> History:
    session = Session.from_config(options.config)
    if true_masks:
        session.segmenter = TruthSegmenter(case)
    history = History(np.array([item.mesh.bounds() for item in case.truth]))
    for number, frame in enumerate(case.frames, start=1):
        history.add(session.step(frame).scene, number)
    return history


def figures_of(histories: list[History]) -> dict[str, float]:
    """Return the figures of some episodes together."""
    moved: list[float] = []
    turned: list[float] = []
    for history in histories:
        mm, deg = history.jitter()
        moved += mm
        turned += deg
    confirmed = [float(frame) for h in histories for frame in h.confirmed_after.values()]
    objects = sum(history.objects for history in histories)
    return {
        'confirmed_share': len(confirmed) / max(1, objects),
        'frames_to_confirm': float(np.median(confirmed or [np.nan])),
        'id_switches_per_object': sum(h.switches() for h in histories) / max(1, objects),
        'ghosts_per_frame': float(np.mean([g for h in histories for g in h.ghosts])),
        'jitter_p50_mm': _quantile(moved, 0.5),
        'jitter_p95_mm': _quantile(moved, 0.95),
        'jitter_p95_deg': _quantile(turned, 0.95),
    }


def _quantile(values: list[float], q: float) -> float:
    return float(np.quantile(values, q)) if values else float('nan')
