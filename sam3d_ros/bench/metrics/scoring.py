# SPDX-License-Identifier: Apache-2.0
"""Scores of reconstructed objects against the truth, one by one and over whole scenes.

Everything is in the world frame and in metres. A missed object counts as it should hurt: 0 in
every score, ADD-S 1, and its own diagonal as chamfer distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.bench.metrics import metrics_layout as layout
from sam3d_ros.bench.metrics import metrics_shape as shape
from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply

MATCH_IOU = 0.25
"""Least axis-aligned box IoU for a result to count as a find of an object."""

REGION_M = 0.35
"""Results whose box centre is farther than this from every true object's box are not scored: a
world also shows things, a metre and more away, that its truth does not list."""

SAMPLES = 6000
DENSE_SAMPLES = 200_000
F1_DISTANCE_M = 0.005
ALIGNED_F1_DISTANCE = 0.01
SOLID_VOXEL_M = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class PosedMesh:
    """A mesh in the world frame: vertices (V, 3) float64 metres, faces (F, 3) int32."""

    vertices_m: FloatArray
    faces: IndexArray

    def samples(self) -> FloatArray:
        """Return surface points, always the same ones."""
        return sample_surface(self.vertices_m, self.faces, SAMPLES)

    def bounds(self) -> FloatArray:
        """Return the axis-aligned box, (2, 3): lowest and highest corner."""
        return np.stack([self.vertices_m.min(axis=0), self.vertices_m.max(axis=0)])


class Reference:
    """An object of the truth, with what every comparison with it needs, computed once.

    :param mesh: where it really is.
    :param unseen: (SAMPLES,) bool, which of ``points`` no frame has shown; None = none of them.
    """

    def __init__(self, mesh: PosedMesh, unseen: BoolArray | None = None) -> None:
        self.mesh = mesh
        self.points = mesh.samples()
        self.unseen = np.zeros(len(self.points), bool) if unseen is None else unseen
        self.normalisation = shape.normalisation(mesh.vertices_m)

    @cached_property
    def surface(self) -> shape.Surface:
        """The surface, for distances to it and what lies inside."""
        return _surface(self.mesh)

    @cached_property
    def tree(self) -> cKDTree:
        """Nearest neighbours among ``points``."""
        return cKDTree(self.points)

    @cached_property
    def diameter_m(self) -> float:
        """Largest distance between two points."""
        return layout.diameter(self.points)

    @cached_property
    def dense(self) -> FloatArray:
        """(DENSE_SAMPLES, 3) points of the normalised shape."""
        return apply(self.normalisation, _dense(self.mesh))


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


def score_missed(truth: Reference) -> ObjectScore:
    """Return the score of an object that nothing was matched with."""
    diagonal_mm = float(np.linalg.norm(np.ptp(truth.mesh.vertices_m, axis=0))) * 1e3
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


def score_object(predicted: PosedMesh, truth: Reference, *, emd: bool = True) -> ObjectScore:
    """Score one reconstruction against the object it was matched with.

    :param predicted: the result.
    :param truth: what it is compared with.
    :param emd: whether to compute the earth mover's distance (slow), else NaN.
    """
    points, surface = predicted.samples(), _surface(predicted)
    there, back = truth.surface.distance(points), surface.distance(truth.points)
    whole = shape.compare_surfaces(there, back, F1_DISTANCE_M)
    of_unseen = truth.unseen[truth.tree.query(points)[1]]
    hidden = shape.compare_surfaces(there[of_unseen], back[truth.unseen], F1_DISTANCE_M)
    distance = layout.add_s(points, truth.points, truth.diameter_m)
    turned = layout.icp_rotation_rad(points[::4], truth.points[::2])
    canonical = score_shape(predicted, truth, emd=emd)
    return ObjectScore(
        found=1.0,
        box_iou=layout.box_iou(predicted.vertices_m, truth.mesh.vertices_m),
        add_s=distance,
        add_s_below_01=float(distance < 0.1),
        icp_rotation_deg=float(np.degrees(turned)),
        chamfer_mm=whole.chamfer * 1e3,
        f1_5mm=whole.f1,
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


def score_shape(predicted: PosedMesh, truth: Reference, *, emd: bool) -> ShapeScore:
    """Score the shape alone: both normalised to [-1, 1], the prediction aligned by rigid ICP.

    :param predicted: the result.
    :param truth: what it is compared with.
    :param emd: whether to compute the earth mover's distance (slow), else NaN.
    """
    points, surface = predicted.samples(), _surface(predicted)
    mine, real = shape.normalisation(predicted.vertices_m), truth.normalisation
    target = apply(real, truth.points)
    aligned = shape.alignment(apply(mine, points), target) @ mine
    # Distances are taken where each mesh is, and scaled to the normalised size.
    T_truth_predicted = np.asarray(np.linalg.solve(real, aligned), np.float64)
    there = real[0, 0] * truth.surface.distance(apply(T_truth_predicted, points))
    T_predicted_truth = np.asarray(np.linalg.solve(aligned, real), np.float64)
    back = mine[0, 0] * surface.distance(apply(T_predicted_truth, truth.points))
    moved = apply(aligned, points)
    return ShapeScore(
        shape.compare_surfaces(there, back, ALIGNED_F1_DISTANCE),
        shape.surface_voxel_iou(apply(aligned, _dense(predicted)), truth.dense),
        shape.earth_mover_distance(moved, target) if emd else float('nan'),
    )


def _surface(mesh: PosedMesh) -> shape.Surface:
    return shape.Surface(mesh.vertices_m, mesh.faces)


def _dense(mesh: PosedMesh) -> FloatArray:
    return sample_surface(mesh.vertices_m, mesh.faces, DENSE_SAMPLES)


def solid_overlap(predicted: PosedMesh, truth: Reference) -> float:
    """Return the IoU of two solids on a grid of ``SOLID_VOXEL_M``, in place.

    :param predicted: the result.
    :param truth: what it is compared with.
    """
    both = np.concatenate([predicted.vertices_m, truth.mesh.vertices_m])
    grid = shape.shared_grid(both, SOLID_VOXEL_M)
    return shape.solid_iou(_surface(predicted).inside(grid), truth.surface.inside(grid))


def grown(truth: PosedMesh, by_m: float = 0.001) -> PosedMesh:
    """Return the truth grown along its vertex normals: the ceiling that sensor noise leaves.

    :param by_m: how far.
    """
    corners = truth.vertices_m[truth.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    at_vertex = np.zeros_like(truth.vertices_m)
    for corner in range(3):
        np.add.at(at_vertex, truth.faces[:, corner], normals)
    length = np.linalg.norm(at_vertex, axis=1, keepdims=True)
    return PosedMesh(truth.vertices_m + by_m * at_vertex / np.maximum(length, 1e-12), truth.faces)


def matched(
    found: Sequence[PosedMesh], truth: Sequence[Reference], least_iou: float = MATCH_IOU
) -> list[tuple[int, int]]:
    """Return which result is which object of the truth, one to one by box IoU: pairs of places.

    :param found: all results.
    :param least_iou: of the boxes of a pair.
    """
    bounds, true_bounds = (
        np.array([mesh.bounds() for mesh in meshes]).reshape(-1, 2, 3)
        for meshes in (found, [item.mesh for item in truth])
    )
    return layout.match(layout.pairwise_box_iou(bounds, true_bounds), least_iou)


@dataclass(frozen=True, slots=True, eq=False)
class SceneScore:
    """Scores of every object of one scene, in the truth's order, and the number of results."""

    objects: tuple[ObjectScore, ...]
    results: int


def score_scene(
    predicted: Sequence[PosedMesh], truth: Sequence[Reference], *, emd: bool = True
) -> SceneScore:
    """Match results with the truth by box IoU, one to one, and score every object of the truth.

    Results outside the region of the truth (``REGION_M``) are neither right nor wrong.

    :param predicted: all results.
    :param emd: whether to compute the earth mover's distance (slow), else NaN.
    """
    true_bounds = np.array([item.mesh.bounds() for item in truth]).reshape(-1, 2, 3)
    bounds = np.array([mesh.bounds() for mesh in predicted]).reshape(-1, 2, 3)
    near = within_region(bounds.mean(axis=1), true_bounds)
    kept = [mesh for mesh, is_near in zip(predicted, near, strict=True) if is_near]
    partner = {column: kept[row] for row, column in matched(kept, truth)}
    scores = tuple(
        score_object(partner[index], item, emd=emd) if index in partner else score_missed(item)
        for index, item in enumerate(truth)
    )
    return SceneScore(scores, len(kept))


def within_region(centers_m: FloatArray, true_bounds: FloatArray) -> BoolArray:
    """Return which of (N, 3) box centres lie within ``REGION_M`` of one of (M, 2, 3) boxes.

    :param centers_m: (N, 3).
    :param true_bounds: (M, 2, 3) boxes, lowest corner first.
    """
    low, high = true_bounds[:, 0], true_bounds[:, 1]
    away = np.maximum(low - centers_m[:, None], centers_m[:, None] - high).clip(0)
    near: BoolArray = (np.linalg.norm(away, axis=2) <= REGION_M).any(axis=1)
    return near


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
