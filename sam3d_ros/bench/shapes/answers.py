# SPDX-License-Identifier: Apache-2.0
"""Bench of answers: what several completions of one object add to the best one, and how sure
results are of things that have hardly any depth. Scanned objects, true masks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics import metrics_layout as layout
from sam3d_ros.bench.metrics import metrics_shape as shape
from sam3d_ros.bench.metrics.scoring import (
    F1_DISTANCE_M,
    PosedMesh,
    Reference,
    matched,
    solid_overlap,
)
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.report import best_median_worst
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import Frame, SceneObject, Surface
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

COUNTS: Mapping[str, tuple[int, int]] = {'spaced': (8, 1), 'clutter': (4, 1)}
"""Episodes of each suite: full, quick."""
RETURNS = (1.0, 0.3, 0.1, 0.0)
"""Shares of each mask's returns that are left, in one blob, as on glass and chrome."""
LEAST_RETURNS = 60
"""Pixels of a mask that keep theirs however small the share is, unless none is left."""
WORST_PICTURED = 10
LEAST_IOU = 0.02
"""Least box IoU for a result to be of an object: masks are true, and few returns say little."""
ANSWERS = 4
MISSED = ('box_iou', 'f1_5mm', 'solid_iou', 'hidden_one', 'hidden_best')
"""What counts 0 for an object that has no result."""
HEADINGS = {
    'box_iou': '3D IoU',
    'f1_5mm': 'F1 @5mm',
    'solid_iou': 'solid IoU',
    'hidden_one': 'unseen F1, first',
    'hidden_best': f'unseen F1, best of {ANSWERS}',
    'coverage': 'between hulls',
    'hidden_coverage': 'unseen between hulls',
    'size_within_1_sigma': 'edges within 1 sigma',
    'confidence_error': 'face confidence - right',
}


def run(options: BenchOptions) -> Measurement:
    """Score the answers that the configured pipeline gives, with all returns and with few."""
    stage = options.config.reconstruction
    answers = max(stage.answers, ANSWERS)
    config = replace(options.config, reconstruction=replace(stage, answers=answers))
    values: dict[str, Value] = {}
    rows = []
    pictures: list[Picture] = []
    for suite in options.chosen(COUNTS):
        found: dict[float, dict[str, list[float]]] = {kept: defaultdict(list) for kept in RETURNS}
        gallery: list[tuple[float, Picture]] = []
        for case in cases(suite, COUNTS[suite][options.quick], options):
            for kept in RETURNS:
                for name, value in _scores(case, kept, config, gallery):
                    found[kept][name].append(value)
        pictures += best_median_worst(gallery, WORST_PICTURED)
        for kept, figures in found.items():
            means = {name: float(np.nanmean(figures[name])) for name in HEADINGS}
            values |= {f'{suite}_{kept:g}_{name}': mean for name, mean in means.items()}
            label = f'{suite}, {kept:.0%} of returns, {len(figures["box_iou"])} objects'
            rows.append((label, *(f'{mean:.3g}' for mean in means.values())))
    note = 'Objects without any result count 0 in scores, and not in coverage and calibration.'
    table = Table('Answers, true masks', ('', *HEADINGS.values()), tuple(rows))
    return Measurement('answers', values, (table,), tuple(pictures), (note,))


def blinded(frame: Frame, segmenter: TruthSegmenter, kept: float, seed: int) -> Frame:
    """Return a frame whose objects have lost all but one blob of their returns.

    :param segmenter: knows the masks.
    :param kept: share of each mask's returns that is left.
    :param seed: of where the blobs are.
    """
    if kept >= 1.0:
        return frame
    rng = np.random.default_rng(seed)
    pointmap = frame.pointmap.copy()
    for item in segmenter.segment(frame).items:
        own = np.argwhere(item.mask & np.isfinite(frame.depth_m))
        if len(own) == 0:
            continue
        far = np.linalg.norm(own - own[rng.integers(len(own))], axis=1)
        count = max(int(kept * len(own)), LEAST_RETURNS) if kept else 0
        lost = own[np.argsort(far)[count:]]
        pointmap[lost[:, 0], lost[:, 1]] = np.nan
    return replace(frame, pointmap=pointmap)


def _scores(
    case: Case, kept: float, config: Config, gallery: list[tuple[float, Picture]]
) -> Iterator[tuple[str, float]]:
    """Yield figures by name, of each object of a case.

    :param gallery: given the solid IoU and a picture of each.
    """
    session = Session.from_config(config)
    segmenter = session.segmenter = TruthSegmenter(case)
    for number, frame in enumerate(case.frames):
        scene = session.step(blinded(frame, segmenter, kept, number)).scene
    items = [item for item in scene.objects if len(item.mesh.faces)]
    meshes = [_posed(item, Surface(item.mesh.vertices_m, item.mesh.faces)) for item in items]
    pairs = {column: row for row, column in matched(meshes, case.truth, LEAST_IOU)}
    missed = [(name, 0.0) for name in MISSED]
    for column, truth in enumerate(case.truth):
        row = pairs.get(column)
        figures = missed if row is None else [*_object_scores(items[row], meshes[row], truth)]
        yield from figures
        solid = dict(figures)['solid_iou']
        caption = f'{case.name}: {case.names[column]}, {kept:.0%} of returns; image, truth, '
        caption += f'result, both from behind; solid IoU {solid:.2f}'
        shown = [] if row is None else [meshes[row]]
        picture = compare_meshes(caption, case.frames[-1], [truth.mesh], shown)
        gallery.append((solid, picture))


def _object_scores(
    item: SceneObject, mesh: PosedMesh, truth: Reference
) -> Iterator[tuple[str, float]]:
    points, surface = mesh.samples(), shape.Surface(mesh.vertices_m, mesh.faces)
    there, back = truth.surface.distance(points), surface.distance(truth.points)
    yield 'box_iou', layout.box_iou(mesh.vertices_m, truth.mesh.vertices_m)
    yield 'f1_5mm', shape.compare_surfaces(there, back, F1_DISTANCE_M).f1
    yield 'solid_iou', solid_overlap(mesh, truth)
    answers = item.mesh.answers
    assert answers is not None
    first = _hidden_f1(mesh, truth)
    yield 'hidden_one', first
    others = [_hidden_f1(_posed(item, one), truth) for one in answers.others[: ANSWERS - 1]]
    yield 'hidden_best', max([first, *others])
    within = _inside(item, answers.outer, truth) & ~_inside(item, answers.inner, truth)
    yield 'coverage', float(within.mean())
    if truth.unseen.any():
        yield 'hidden_coverage', float(within[truth.unseen].mean())
    edges = np.ptp(apply(inverse(item.T_fixed_obj), truth.mesh.vertices_m), axis=0)
    for error in np.log(item.size_m / edges):
        yield 'size_within_1_sigma', float(abs(error) <= item.scale_sigma)
    centres = mesh.vertices_m[mesh.faces].mean(axis=1)
    right = truth.surface.distance(centres) <= F1_DISTANCE_M
    yield 'confidence_error', float(item.mesh.face_confidence.mean() - right.mean())


def _posed(item: SceneObject, surface: Surface) -> PosedMesh:
    vertices = surface.vertices_m.astype(np.float64)
    return PosedMesh(apply(item.T_fixed_obj, vertices), surface.faces)


def _hidden_f1(mesh: PosedMesh, truth: Reference) -> float:
    """F1 at 5 mm over what no frame has shown; NaN where all was shown."""
    if not truth.unseen.any():
        return float('nan')
    points = mesh.samples()
    there = truth.surface.distance(points)[truth.unseen[truth.tree.query(points)[1]]]
    surface = shape.Surface(mesh.vertices_m, mesh.faces)
    back = surface.distance(truth.points[truth.unseen])
    return shape.compare_surfaces(there, back, F1_DISTANCE_M).f1


def _inside(item: SceneObject, hull: Surface, truth: Reference) -> np.ndarray:
    """(P,) bool: which points of the truth a hull holds."""
    if not len(hull.faces):
        return np.zeros(len(truth.points), bool)
    posed = _posed(item, hull)
    return shape.Surface(posed.vertices_m, posed.faces).inside(truth.points)
