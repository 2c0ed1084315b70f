# SPDX-License-Identifier: Apache-2.0
"""Scores of reconstructed objects against the truth, one by one and over whole scenes.

Everything is in the world frame and in metres. A missed object counts as it should hurt: 0 in
every score, ADD-S 1, and its own diagonal as chamfer distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.bench import metrics_layout as layout
from sam3d_ros.bench import metrics_shape as shape
from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.geometry.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply

MATCH_IOU = 0.25
"""Least axis-aligned box IoU for a result to count as a find of an object."""

SAMPLES = 6000
DENSE_SAMPLES = 200_000
F1_DISTANCE_M = 0.005
SOLID_VOXEL_M = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class PosedMesh:
    """A mesh in the world frame: vertices (V, 3) float64 metres, faces (F, 3) int32."""

    vertices_m: FloatArray
    faces: IndexArray

    def samples(self) -> FloatArray:
        """Return surface points, always the same ones."""
        return sample_surface(self.vertices_m, self.faces, SAMPLES)


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """How one object of the truth was reconstructed; field names carry the unit."""

    found: float
    box_iou: float
    add_s: float
    add_s_below_01: float
    icp_rotation_deg: float
    chamfer_mm: float
    f1_5mm: float
    solid_iou: float
    occluded_chamfer_mm: float
    occluded_f1_5mm: float
    aligned_f1_001: float
    aligned_voxel_iou: float
    aligned_chamfer: float
    aligned_emd: float


def score_missed(truth: PosedMesh) -> ObjectScore:
    """Return the score of an object that nothing was matched with."""
    diagonal_mm = float(np.linalg.norm(np.ptp(truth.vertices_m, axis=0))) * 1e3
    return ObjectScore(
        found=0.0,
        box_iou=0.0,
        add_s=1.0,
        add_s_below_01=0.0,
        icp_rotation_deg=180.0,
        chamfer_mm=diagonal_mm,
        f1_5mm=0.0,
        solid_iou=0.0,
        occluded_chamfer_mm=diagonal_mm,
        occluded_f1_5mm=0.0,
        aligned_f1_001=0.0,
        aligned_voxel_iou=0.0,
        aligned_chamfer=1.0,
        aligned_emd=1.0,
    )


def score_object(
    predicted: PosedMesh,
    truth: PosedMesh,
    *,
    unseen: BoolArray | None = None,
    emd: bool = True,
) -> ObjectScore:
    """Score one reconstruction against the object it was matched with.

    :param unseen: (SAMPLES,) bool, which of ``truth.samples()`` no frame has shown; None = none.
    :param emd: whether to compute the earth mover's distance (slow), else NaN.
    """
    points, target = predicted.samples(), truth.samples()
    ours, real = _surface(predicted), _surface(truth)
    there, back = real.distance(points), ours.distance(target)
    surface = shape.compare_surfaces(there, back, F1_DISTANCE_M)
    part = np.zeros(len(target), bool) if unseen is None else unseen
    nearest = cKDTree(target).query(points)[1]
    hidden = shape.compare_surfaces(there[part[nearest]], back[part], F1_DISTANCE_M)
    distance = layout.add_s(points, target)
    canonical = score_shape(predicted, truth, emd=emd)
    return ObjectScore(
        found=1.0,
        box_iou=layout.box_iou(predicted.vertices_m, truth.vertices_m),
        add_s=distance,
        add_s_below_01=float(distance < 0.1),
        icp_rotation_deg=float(np.degrees(layout.icp_rotation_rad(points[::4], target[::2]))),
        chamfer_mm=surface.chamfer * 1e3,
        f1_5mm=surface.f1,
        solid_iou=solid_overlap(predicted, truth),
        occluded_chamfer_mm=hidden.chamfer * 1e3,
        occluded_f1_5mm=hidden.f1,
        aligned_f1_001=canonical.surface.f1,
        aligned_voxel_iou=canonical.voxel_iou,
        aligned_chamfer=canonical.surface.chamfer,
        aligned_emd=canonical.emd,
    )


@dataclass(frozen=True, slots=True)
class ShapeScore:
    """How alike two shapes are once size and pose are taken away."""

    surface: shape.SurfaceScore
    voxel_iou: float
    emd: float


def score_shape(predicted: PosedMesh, truth: PosedMesh, *, emd: bool) -> ShapeScore:
    """Score the shape alone: both normalised to [-1, 1], the prediction aligned by rigid ICP."""
    mine, real = (
        PosedMesh(apply(shape.normalisation(mesh.vertices_m), mesh.vertices_m), mesh.faces)
        for mesh in (predicted, truth)
    )
    T = shape.alignment(mine.samples(), real.samples())
    mine = PosedMesh(apply(T, mine.vertices_m), mine.faces)
    points, target = mine.samples(), real.samples()
    there, back = _surface(real).distance(points), _surface(mine).distance(target)
    dense = [sample_surface(mesh.vertices_m, mesh.faces, DENSE_SAMPLES) for mesh in (mine, real)]
    return ShapeScore(
        shape.compare_surfaces(there, back, 0.01),
        shape.surface_voxel_iou(dense[0], dense[1]),
        shape.earth_mover_distance(points, target) if emd else float('nan'),
    )


def _surface(mesh: PosedMesh) -> shape.Surface:
    return shape.Surface(mesh.vertices_m, mesh.faces)


def solid_overlap(predicted: PosedMesh, truth: PosedMesh) -> float:
    """Return the IoU of two solids on a grid of ``SOLID_VOXEL_M``, in place."""
    both = np.concatenate([predicted.vertices_m, truth.vertices_m])
    grid = shape.shared_grid(both, SOLID_VOXEL_M)
    return shape.solid_iou(_surface(predicted).inside(grid), _surface(truth).inside(grid))


def grown(truth: PosedMesh, by_m: float = 0.001) -> PosedMesh:
    """Return the truth grown along its vertex normals: the ceiling that sensor noise leaves."""
    corners = truth.vertices_m[truth.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    at_vertex = np.zeros_like(truth.vertices_m)
    for corner in range(3):
        np.add.at(at_vertex, truth.faces[:, corner], normals)
    length = np.linalg.norm(at_vertex, axis=1, keepdims=True)
    return PosedMesh(truth.vertices_m + by_m * at_vertex / np.maximum(length, 1e-12), truth.faces)


@dataclass(frozen=True, slots=True, eq=False)
class SceneScore:
    """Scores of every object of one scene, in the truth's order, and the number of results."""

    objects: tuple[ObjectScore, ...]
    results: int


def score_scene(
    predicted: Sequence[PosedMesh],
    truth: Sequence[PosedMesh],
    *,
    unseen: Sequence[BoolArray] | None = None,
    emd: bool = True,
) -> SceneScore:
    """Match results with the truth by box IoU, one to one, and score every object of the truth."""
    iou = np.array(
        [[layout.box_iou(p.vertices_m, t.vertices_m) for t in truth] for p in predicted]
    ).reshape(len(predicted), len(truth))
    partner = {column: row for row, column in layout.match(iou, MATCH_IOU)}
    scores = tuple(
        score_object(
            predicted[partner[index]],
            item,
            unseen=None if unseen is None else unseen[index],
            emd=emd,
        )
        if index in partner
        else score_missed(item)
        for index, item in enumerate(truth)
    )
    return SceneScore(scores, len(predicted))


def summary(scenes: Sequence[SceneScore]) -> dict[str, float]:
    """Return the mean of every score over all objects of all scenes, with recall and precision."""
    objects = [item for scene in scenes for item in scene.objects]
    results = sum(scene.results for scene in scenes)
    found = sum(item.found for item in objects)
    values = {
        'recall': found / max(1, len(objects)),
        'precision': found / max(1, results),
    }
    for field in fields(ObjectScore):
        if field.name != 'found':
            values[field.name] = float(np.mean([getattr(item, field.name) for item in objects]))
    return values
