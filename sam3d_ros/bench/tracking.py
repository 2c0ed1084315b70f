# SPDX-License-Identifier: Apache-2.0
"""Bench of tracking: do objects keep their ids and their place while the camera moves?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import FloatArray, ObjectState, Scene
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.pipeline.pipeline import Pipeline

SUITES = ('spaced', 'clutter')
EPISODES, QUICK_EPISODES = 4, 1
FRAMES, QUICK_FRAMES = 30, 10

NEAR_M = 0.05
"""A result this near to the centre of an object's box is that object."""


@dataclass(slots=True)
class _History:
    """What one episode showed of every object of the truth."""

    ids: dict[int, list[int]] = field(default_factory=dict)
    poses: dict[int, list[FloatArray]] = field(default_factory=dict)
    confirmed_after: dict[int, int] = field(default_factory=dict)
    ghosts: list[int] = field(default_factory=list)
    objects: int = 0

    def add(self, scene: Scene, centers: FloatArray, frame: int) -> None:
        """Match the confirmed objects of a scene with (N, 3) true box centres."""
        items = [item for item in scene.objects if item.state != ObjectState.TENTATIVE]
        found = np.array([apply(i.T_fixed_obj, i.box_center_m) for i in items]).reshape(-1, 3)
        distance = np.linalg.norm(found[:, None] - centers[None], axis=2)
        rows, columns = linear_sum_assignment(distance)
        near = distance[rows, columns] < NEAR_M
        self.ghosts.append(len(items) - int(near.sum()))
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
    """Measure ids, jitter, confirmation and ghosts with own and with true masks."""
    values: dict[str, Value] = {}
    rows = []
    episodes = QUICK_EPISODES if options.quick else EPISODES
    frames = QUICK_FRAMES if options.quick else FRAMES
    for suite in SUITES:
        histories: dict[str, list[_History]] = {'own': [], 'given': []}
        for case in cases(suite, episodes, options, frames=frames):
            for way, kept in histories.items():
                kept.append(_follow(case, options, true_masks=way == 'given'))
        for way, kept in histories.items():
            figures = _figures(kept)
            values |= {f'{suite}_{way}_{name}': value for name, value in figures.items()}
            label = f'{suite}, {"own" if way == "own" else "true"} masks'
            rows.append((label, *(f'{value:.3g}' for value in figures.values())))
    head = ('', *(name.replace('_', ' ') for name in figures))
    table = Table(f'{frames} frames of a moving camera', head, tuple(rows))
    return Measurement('tracking', values, (table,))


def _follow(case: Case, options: BenchOptions, *, true_masks: bool) -> _History:
    pipeline = Pipeline.from_config(options.config)
    if true_masks:
        pipeline.segmenter = TruthSegmenter(case)
    centers = np.array(
        [(m.vertices_m.min(axis=0) + m.vertices_m.max(axis=0)) / 2 for m in case.truth]
    )
    history = _History(objects=len(case.truth))
    for number, frame in enumerate(case.frames, start=1):
        history.add(pipeline.process(frame).scene, centers, number)
    return history


def _figures(histories: list[_History]) -> dict[str, float]:
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
