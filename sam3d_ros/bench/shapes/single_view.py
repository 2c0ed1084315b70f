# SPDX-License-Identifier: Apache-2.0
"""Bench of single views: one RGB-D frame, masks given, complete surfaces scored in place.

The protocol of OctMAE (Iwase et al., ECCV 2024): no alignment, chamfer in millimetres, F1 at
10 mm, normal consistency. What the frame shows and what it hides are scored apart too. Beside it
stand the true solids through our own volumes and meshes: what no completion can pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.metrics_shape import (
    Surface,
    compare_surfaces,
    earth_mover_distance,
)
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference, grown, matched
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import Float32Array
from sam3d_ros.geometry.shapes.meshes import adjacency
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.surface.meshing import faired
from sam3d_ros.reconstruction.surface.surface import extract_surface
from sam3d_ros.session.session import Session

COUNTS = {'spaced': (12, 1), 'clutter': (8, 1)}
"""Episodes of each suite: full, quick."""
F1_M = 0.01
WORST_PICTURED = 10
HEADINGS = {
    'chamfer_mm': 'chamfer mm',
    'f1_10mm': 'F1 @10mm',
    'normal_consistency': 'NC',
    'visible_chamfer_mm': 'visible: chamfer mm',
    'visible_f1_10mm': 'F1 @10mm',
    'hidden_chamfer_mm': 'hidden: chamfer mm',
    'hidden_f1_10mm': 'F1 @10mm',
    'emd_mm': 'EMD mm',
}
WAYS = {
    'own': 'ours, true masks',
    'ceiling': 'the true solids through our meshing',
    'grown': 'the truth grown by 1 mm',
}


@dataclass(frozen=True, slots=True)
class ViewScore:
    """How one object was completed from one frame; field names carry the unit.

    ``normal_consistency`` is the mean absolute cosine between the normals of points and of the
    surface points nearest to them, both ways; ``emd_mm`` is NaN where it was not asked for.
    """

    chamfer_mm: float
    f1_10mm: float
    normal_consistency: float
    visible_chamfer_mm: float
    visible_f1_10mm: float
    hidden_chamfer_mm: float
    hidden_f1_10mm: float
    emd_mm: float


def score_view(found: PosedMesh | None, truth: Reference, *, emd: bool) -> ViewScore:
    """Score one completion in place; a missed one has its own diagonal as chamfer.

    :param found: the result, None = there is none.
    :param truth: what it is compared with, and what the frame hides of it.
    :param emd: whether to compute the earth mover's distance (slow).
    """
    if found is None:
        far = float(np.linalg.norm(np.ptp(truth.mesh.vertices_m, axis=0))) * 1e3
        return ViewScore(far, 0.0, 0.0, far, 0.0, far, 0.0, far)
    points, surface = found.samples(), Surface(found.vertices_m, found.faces)
    there_points, there_normals = truth.surface.closest(points)
    back_points, back_normals = surface.closest(truth.points)
    there = np.linalg.norm(points - there_points, axis=1)
    back = np.linalg.norm(truth.points - back_points, axis=1)
    cosines = [
        np.einsum('pc,pc->p', normals, own.closest(places)[1])
        for normals, own, places in (
            (there_normals, surface, points),
            (back_normals, truth.surface, truth.points),
        )
    ]
    hidden = truth.unseen[truth.tree.query(points)[1]]
    whole = compare_surfaces(there, back, F1_M)
    seen = compare_surfaces(there[~hidden], back[~truth.unseen], F1_M)
    unseen = compare_surfaces(there[hidden], back[truth.unseen], F1_M)
    return ViewScore(
        chamfer_mm=1e3 * whole.chamfer,
        f1_10mm=whole.f1,
        normal_consistency=float(np.mean([np.abs(cosine).mean() for cosine in cosines])),
        visible_chamfer_mm=1e3 * seen.chamfer,
        visible_f1_10mm=seen.f1,
        hidden_chamfer_mm=1e3 * unseen.chamfer,
        hidden_f1_10mm=unseen.f1,
        emd_mm=1e3 * earth_mover_distance(points, truth.points) if emd else float('nan'),
    )


def remeshed(truth: PosedMesh, config: EvidenceConfig, max_faces: int) -> PosedMesh:
    """Return a true solid through a volume of our size and our meshing, without any evidence.

    :param config: of the volume.
    :param max_faces: of the result.
    """
    low, high = truth.bounds()
    voxel_m = config.margin * float((high - low).max()) / config.grid
    middle = transform(np.eye(3), (low + high) / 2)
    grid = Grid(config.grid, voxel_m, middle)
    centres = grid.centres_m().reshape(-1, 3).astype(np.float64) + middle[:3, 3]
    surface = Surface(truth.vertices_m, truth.faces)
    away = surface.distance(centres)
    field: Float32Array = np.where(surface.inside(centres), -away, away).astype(np.float32)
    vertices, faces = extract_surface(field.reshape((config.grid,) * 3), grid, max_faces)
    vertices = faired(vertices, adjacency(faces, len(vertices)))
    return PosedMesh(vertices.astype(np.float64) + middle[:3, 3], faces)


def run(options: BenchOptions) -> Measurement:
    """Complete every object of single frames by the configured backend, and score it."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        scores: dict[str, list[ViewScore]] = {way: [] for way in WAYS}
        gallery: list[tuple[float, Case, int, list[PosedMesh]]] = []
        for case in cases(suite, quick if options.quick else full, options, frames=1):
            found = _completed(case, options)
            for number, (truth, mesh) in enumerate(zip(case.truth, found, strict=True)):
                reconstruction = options.config.reconstruction
                ceiling = remeshed(truth.mesh, reconstruction.evidence, reconstruction.max_faces)
                made = {'own': mesh, 'ceiling': ceiling, 'grown': grown(truth.mesh)}
                for way, item in made.items():
                    scores[way].append(score_view(item, truth, emd=not options.quick))
                worst = scores['own'][-1].f1_10mm, case, number, [mesh] if mesh else []
                gallery.append(worst)
        for way, label in WAYS.items():
            figures = summary(scores[way])
            values |= {f'{suite}_{way}_{name}': value for name, value in figures.items()}
            rows.append((f'{suite}, {label}', *(f'{figures[name]:.3g}' for name in HEADINGS)))
        values[f'{suite}_objects'] = len(scores['own'])
        gallery.sort(key=lambda item: item[0])
        for place, (f1, case, number, meshes) in enumerate(gallery[:WORST_PICTURED], start=1):
            caption = f'Worst object {place} of {len(gallery)}: {case.name}: '
            caption += f'{case.names[number]}; F1@10mm {f1:.2f}'
            shown = [case.truth[number].mesh]
            pictures.append(compare_meshes(caption, case.frames[0], shown, meshes))
    table = Table('one frame, masks given, in place', ('', *HEADINGS.values()), tuple(rows))
    note = (
        'Own renders of scans that no training saw, sensor noise of the bench. The published rows '
        'are of other objects (YCB-Video, HomebrewedDB, HOPE), of real frames, and of methods '
        'that train on a thousand times as many things; their surfaces are points, ours meshes.'
    )
    return Measurement('single_view', values, (table,), tuple(pictures), (note,))


def summary(scores: Sequence[ViewScore]) -> dict[str, float]:
    """Return the mean of every score; NaN of none."""
    return {
        field.name: float(np.mean([getattr(item, field.name) for item in scores] or [np.nan]))
        for field in fields(ViewScore)
    }


def _completed(case: Case, options: BenchOptions) -> list[PosedMesh | None]:
    """Return what the pipeline makes of a case's only frame, in the order of the truth."""
    session = Session.from_config(options.config)
    session.segmenter = TruthSegmenter(case)
    found = posed(session.step(case.frames[0]).scene)
    partner = {column: row for row, column in matched(found, case.truth)}
    return [found[partner[k]] if k in partner else None for k in range(len(case.truth))]
