# SPDX-License-Identifier: Apache-2.0
"""Bench of reconstruction: recordings in, objects scored in place, peers on the same input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.bench.calibration import Calibration
from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.scoring import (
    ObjectScore,
    PosedMesh,
    SceneScore,
    grown,
    score_scene,
    summary,
    within_region,
)
from sam3d_ros.bench.peers.peers_reconstruction import PEERS, PeerShape, main_cluster
from sam3d_ros.bench.peers.peers_segmentation import open3d_tutorial
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.report import bar_plot, best_median_worst
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import BoolArray, Frame, Scene
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.result import FrameResult
from sam3d_ros.session.session import Session

COUNTS: Mapping[str, tuple[int, int]] = {
    'spaced': (12, 1),
    'clutter': (8, 1),
    'piled': (4, 0),
    'clutter_around': (4, 0),
}
"""Episodes of each suite: full, quick."""

AROUND: Mapping[str, tuple[str, int, float]] = {'clutter_around': ('clutter', 20, 50.0)}
"""Suites that are others seen from more places: which, how many, along which arc in degrees."""

MIN_POINTS = 30
WORST_OBJECTS = 12
WORST_PICTURED, QUICK_PICTURED = 10, 3

SHOWN: Mapping[str, str] = {
    'recall': 'recall',
    'precision': 'precision',
    'box_iou': '3D IoU',
    'add_s_below_01': 'ADD-S @0.1',
    'icp_rotation_deg': 'ICP-Rot deg',
    'chamfer_mm': 'chamfer mm',
    'f1_5mm': 'F1 @5mm',
    'solid_iou': 'solid IoU',
    'occluded_f1_5mm': 'unseen F1 @5mm',
    'aligned_f1_001': 'aligned F1@0.01',
    'aligned_voxel_iou': 'aligned vIoU',
}
"""Scores in the table, and their headings."""

PLOTTED = ('box_iou', 'f1_5mm', 'solid_iou')


@dataclass(slots=True)
class _Way:
    """The results of one way to reconstruct, over the episodes of a suite."""

    label: str
    scores: list[SceneScore] = field(default_factory=list)

    def add(self, case: Case, found: Sequence[PosedMesh], *, emd: bool) -> None:
        self.scores.append(score_scene(found, case.truth, emd=emd))


@dataclass(slots=True)
class _Agreement:
    """What the pipeline says of itself and costs: per reconstruction and per frame."""

    inliers: list[float] = field(default_factory=list)
    free: list[float] = field(default_factory=list)
    time_per_object_s: list[float] = field(default_factory=list)

    def add(self, result: FrameResult) -> None:
        items = result.reconstructions.items
        self.inliers += [item.score.observed_inliers for item in items]
        self.free += [item.score.free_volume for item in items]
        if items:
            self.time_per_object_s.append(result.times.reconstruction_s / len(items))

    def values(self, suite: str) -> dict[str, Value]:
        return {
            f'{suite}_observed_inliers': _mean(self.inliers),
            f'{suite}_free_volume': _mean(self.free),
            f'{suite}_time_per_object_s': float(np.median(self.time_per_object_s or [np.nan])),
        }


def run(options: BenchOptions) -> Measurement:
    """Measure the configured pipeline with its own and with the true masks, and the peers."""
    values: dict[str, Value] = {}
    tables: list[Table] = []
    pictures: list[Picture] = []
    notes = [] if options.objects else ['No scanned objects were given: procedural ones only.']
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        count = quick if options.quick else full
        if count == 0:
            notes.append(f'Suite {suite} is left out of the quick bench.')
            continue
        measured = _suite(suite, count, options)
        values |= measured.values
        tables += measured.tables
        pictures += measured.pictures
    return Measurement('reconstruction', values, tuple(tables), tuple(pictures), tuple(notes))


def _suite(suite: str, count: int, options: BenchOptions) -> Measurement:
    ways = {
        'own': _Way('ours, own masks'),
        'given': _Way('ours, true masks'),
        'tutorial': _Way('Open3D tutorial, own masks'),
        **{name: _Way(f'{name}, true masks') for name in PEERS if name != 'tutorial'},
        'ceiling': _Way('truth grown by 1 mm'),
    }
    agreement, calibration = _Agreement(), Calibration()
    gallery: list[tuple[float, Picture]] = []
    rows: list[_Row] = []
    world, frames, sweep_deg = AROUND.get(suite, (suite, None, None))
    for case in cases(world, count, options, frames, sweep_deg):
        found = _reconstruct(case, options, agreement, calibration)
        for name, meshes in (found | _peers(case)).items():
            ways[name].add(case, meshes, emd=not options.quick)
        score = summary(ways['own'].scores[-1:])
        caption = f'{case.name}: image, truth, result, both from behind; '
        caption += f'solid IoU {score["solid_iou"]:.2f}, F1@5mm {score["f1_5mm"]:.2f}'
        shown = [item.mesh for item in case.truth]
        picture = compare_meshes(caption, case.frames[-1], shown, found['own'])
        gallery.append((score['solid_iou'], picture))
        rows += _rows(case, ways, found['own'])
    rows.sort(key=lambda row: row.own.solid_iou)
    said = calibration.values(suite)
    values = _values(suite, ways) | agreement.values(suite) | said
    series = [
        (way.label, [_number(values[f'{suite}_{key}_{name}']) for name in PLOTTED])
        for key, way in ways.items()
    ]
    plot = bar_plot(f'{suite}: in place', [SHOWN[name] for name in PLOTTED], series)
    pictures = [plot, *best_median_worst(gallery)]
    pictured = rows[: QUICK_PICTURED if options.quick else WORST_PICTURED]
    for number, row in enumerate(pictured, start=1):
        caption = f'Worst object {number} of {len(rows)}: {row.name}; '
        caption += f'solid IoU {row.own.solid_iou:.2f}, by true masks {row.given.solid_iou:.2f}'
        pictures.append(compare_meshes(caption, row.frame, [row.truth], row.found))
    tables = _tables(suite, count, ways, said, rows)
    return Measurement(suite, values, tables, tuple(pictures))


def _reconstruct(
    case: Case, options: BenchOptions, agreement: _Agreement, calibration: Calibration
) -> dict[str, list[PosedMesh]]:
    """Return what the pipeline under test makes of a case, with its own and the true masks."""
    given = Session.from_config(options.config)
    given.segmenter = TruthSegmenter(case)
    own = _process(Session.from_config(options.config), case, agreement.add)
    calibration.add(own, case.truth)
    return {
        'own': posed(own),
        'given': posed(_process(given, case)),
    }


def _peers(case: Case) -> dict[str, list[PosedMesh]]:
    """Return what the peers make of the last frame, and the truth grown: the ceiling."""
    frame = case.frames[-1]
    labels = open3d_tutorial(frame)
    own = [labels == value for value in np.unique(labels[labels > 0])]
    true = [item.mask for item in TruthSegmenter(case).segment(frame).items]
    made = {
        name: _peer(shape, case, own if name == 'tutorial' else true)
        for name, shape in PEERS.items()
    }
    return made | {'ceiling': [grown(item.mesh) for item in case.truth]}


def _process(
    session: Session, case: Case, watch: Callable[[FrameResult], None] | None = None
) -> Scene:
    for frame in case.frames:
        result = session.step(frame)
        if watch is not None:
            watch(result)
    return result.scene


def posed(scene: Scene) -> list[PosedMesh]:
    """Return the objects of a scene that have a mesh, in the fixed frame."""
    return [
        PosedMesh(
            apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64)), item.mesh.faces
        )
        for item in scene.objects
        if len(item.mesh.faces)
    ]


def _peer(shape: PeerShape, case: Case, masks: Sequence[BoolArray]) -> list[PosedMesh]:
    """Return what a peer makes of the points of each mask of the last frame near the truth."""
    frame = case.frames[-1]
    true_bounds = np.array([item.mesh.bounds() for item in case.truth])
    made = []
    for mask in masks:
        seen = frame.pointmap[mask & np.isfinite(frame.depth_m)].astype(np.float64)
        points = main_cluster(apply(frame.T_fixed_cam, seen))
        if len(points) < MIN_POINTS:
            continue
        center = (points.min(axis=0) + points.max(axis=0)) / 2
        if within_region(center[None], true_bounds)[0]:
            made.append(shape(points, case.support_z_m, frame.T_fixed_cam[:3, 3]))
    return [mesh for mesh in made if mesh is not None]


def _values(suite: str, ways: Mapping[str, _Way]) -> dict[str, Value]:
    values: dict[str, Value] = {
        f'{suite}_objects': len([item for scene in ways['own'].scores for item in scene.objects])
    }
    for key, way in ways.items():
        values |= {f'{suite}_{key}_{name}': v for name, v in summary(way.scores).items()}
    for name in PLOTTED:
        ours, peer = values[f'{suite}_own_{name}'], values[f'{suite}_tutorial_{name}']
        values[f'{suite}_{name}_ratio_to_tutorial'] = _number(ours) / max(_number(peer), 1e-9)
    return values


def _tables(
    suite: str,
    count: int,
    ways: Mapping[str, _Way],
    said: Mapping[str, float],
    rows: Sequence[_Row],
) -> tuple[Table, ...]:
    """Return the scores by way, what results say of themselves, and the worst objects."""
    cells = []
    for way in ways.values():
        figures = summary(way.scores)
        cells.append((way.label, *(f'{figures[name]:.3g}' for name in SHOWN)))
    title = f'{suite}, {count} episodes, in place and aligned'
    scores = Table(title, ('', *SHOWN.values()), tuple(cells))
    head = tuple(name.removeprefix(f'{suite}_').replace('_', ' ') for name in said)
    title = f'{suite}, own masks: what results say of themselves (honest: .68 and .95, error 0)'
    sure = Table(title, head, (tuple(f'{value:.2f}' for value in said.values()),))
    worst = rows[:WORST_OBJECTS]
    ours = ('unseen share', '3D IoU', 'F1 @5mm', 'solid IoU')
    head = ('', *ours, 'F1, true masks', 'solid IoU, true masks', 'solid IoU, ceiling')
    title = f'{suite}, the {len(worst)} worst of {len(rows)} objects by solid IoU, own masks'
    return scores, sure, Table(title, head, tuple(row.cells() for row in worst))


@dataclass(frozen=True, slots=True)
class _Row:
    """One object of the truth with its scores by own and by true masks, and grown by 1 mm.

    :param frame: the last one of its scene.
    :param found: all meshes of the scene, own masks.
    """

    name: str
    unseen: float
    own: ObjectScore
    given: ObjectScore
    ceiling: ObjectScore
    frame: Frame
    truth: PosedMesh
    found: Sequence[PosedMesh]

    def cells(self) -> tuple[str, ...]:
        own, given = self.own, self.given
        ours = (own.box_iou, own.f1_5mm, own.solid_iou, given.f1_5mm, given.solid_iou)
        figures = (self.unseen, *ours, self.ceiling.solid_iou)
        return (self.name, *(f'{figure:.2f}' for figure in figures))


def _rows(case: Case, ways: Mapping[str, _Way], found: Sequence[PosedMesh]) -> list[_Row]:
    own, given, ceiling = (ways[name].scores[-1].objects for name in ('own', 'given', 'ceiling'))
    return [
        _Row(
            name=f'{case.name}: {name}',
            unseen=float(truth.unseen.mean()),
            own=own[k],
            given=given[k],
            ceiling=ceiling[k],
            frame=case.frames[-1],
            truth=truth.mesh,
            found=found,
        )
        for k, (name, truth) in enumerate(zip(case.names, case.truth, strict=True))
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float('nan')


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else float('nan')
