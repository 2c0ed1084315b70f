# SPDX-License-Identifier: Apache-2.0
"""The shape of one object: its published mesh, and what layout refinement needs of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import (
    Answers,
    ConvexPart,
    EvidenceScore,
    FaceLabel,
    Float32Array,
    FloatArray,
    IndexArray,
    Mesh,
    Provenance,
    SceneObject,
    Surface,
)
from sam3d_ros.geometry.shapes.convex import convex_parts
from sam3d_ros.geometry.shapes.decimate import decimated
from sam3d_ros.geometry.shapes.gaussians import moved_gaussians
from sam3d_ros.geometry.shapes.meshes import face_normals, lengths, vertex_normals
from sam3d_ros.geometry.shapes.symmetries import canonical_up, moved_symmetry, symmetry_of
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.answers import (
    LEVELS,
    agreement,
    at_level,
    hull,
    likeliest_level,
    moved_answers,
    ranked,
    size_spread,
)
from sam3d_ros.reconstruction.appearance.appearance import coloured
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.refinement.refiner import Refiner
from sam3d_ros.reconstruction.surface.confidence import face_confidence, scale_sigma
from sam3d_ros.reconstruction.surface.keeping import kept_vertices
from sam3d_ros.reconstruction.surface.labels import face_labels
from sam3d_ros.reconstruction.surface.meshing import finished_surface
from sam3d_ros.reconstruction.surface.scoring import completion_inliers, score_mesh

SAMPLES = 400
"""Vertices that are enough to tell where a shape is seen and where it is seen through."""

COARSE_FACES = 1000
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Shape:
    """A complete object.

    :param mesh: surface in the frame that the function which made it names.
    :param normals: (V, 3) float32 outward unit normals of the mesh's vertices.
    :param observed_fraction: share of the area that was observed.
    :param scale_sigma: relative one-sigma uncertainty of size.
    :param score: agreement with the evidence it was made from.
    :param own_inliers: share of the observed points that the completion itself had met.
    :param denied: share of its matter that the completion had put where nothing of it can be.
    :param inferred: share of the ranges that it was made from that were inferred, not measured.
    :param has_own_look: its colours are its backend's, not the views'.
    """

    mesh: Mesh
    normals: Float32Array
    observed_fraction: float
    scale_sigma: float
    score: EvidenceScore
    own_inliers: float
    provenance: Provenance
    denied: float = 0.0
    inferred: float = 0.0
    has_own_look: bool = False

    @cached_property
    def tree(self) -> cKDTree:
        """Nearest neighbours among the mesh's vertices."""
        return cKDTree(self.mesh.vertices_m)

    @cached_property
    def samples(self) -> tuple[FloatArray, FloatArray]:
        """(V, 3) vertices that stand for all of them, spread evenly, and their normals."""
        count = len(self.mesh.vertices_m)
        chosen = np.linspace(0, count - 1, min(count, SAMPLES)).astype(np.intp)
        vertices, normals = self.mesh.vertices_m[chosen], self.normals[chosen]
        return vertices.astype(np.float64), normals.astype(np.float64)

    @cached_property
    def coarse(self) -> Mesh:
        """The mesh with few enough faces to be drawn in every frame."""
        return decimated(self.mesh, COARSE_FACES)

    @property
    def confidence(self) -> float:
        """0..1: agreement with the evidence times the mean confidence of the surface."""
        agreement = self.score.observed_inliers * (1.0 - self.score.free_volume)
        return float(agreement * self.mesh.face_confidence.mean()) if len(self.mesh.faces) else 0.0

    def with_parts(self, T_ref_obj: FloatArray) -> Shape:
        """Return the shape with convex parts, cut along the axes of another frame.

        :param T_ref_obj: (4, 4) from that frame to the shape's.
        """
        vertices = apply(inverse(T_ref_obj), self.mesh.vertices_m)
        parts = _moved(convex_parts(vertices, self.mesh.faces), T_ref_obj)
        return replace(self, mesh=replace(self.mesh, parts=parts))

    def moved(self, T_new_old: FloatArray) -> Shape:
        """Return the shape expressed in another frame."""
        mesh = self.mesh
        made, symmetry = mesh.gaussians, mesh.symmetry
        moved = replace(
            mesh,
            vertices_m=apply(T_new_old, mesh.vertices_m),
            parts=None if mesh.parts is None else _moved(mesh.parts, T_new_old),
            gaussians=None if made is None else moved_gaussians(made, T_new_old),
            symmetry=symmetry and moved_symmetry(symmetry, T_new_old),
            answers=None if mesh.answers is None else moved_answers(mesh.answers, T_new_old),
            up=None if mesh.up is None else T_new_old[:3, :3] @ mesh.up,
        )
        return replace(
            self,
            mesh=moved,
            normals=self.normals @ T_new_old[:3, :3].T.astype(np.float32),
        )


def _moved(parts: Iterable[ConvexPart], T_new_old: FloatArray) -> tuple[ConvexPart, ...]:
    return tuple(replace(part, corners_m=apply(T_new_old, part.corners_m)) for part in parts)


def _canonical(vertices: Float32Array, faces: IndexArray) -> dict[str, Any]:
    """Symmetry and canonical up of a surface in the grid frame, whose z is up; none of nothing."""
    if len(faces) == 0:
        return {}
    points = vertices.astype(np.float64)
    symmetry = symmetry_of(points, faces)
    return {'symmetry': symmetry, 'up': canonical_up(points, faces, symmetry, UP)}


def loaded_shape(item: SceneObject) -> Shape:
    """Return the shape of an object that was saved, in its own frame, taken at its word."""
    vertices = item.mesh.vertices_m
    return Shape(
        mesh=item.mesh,
        normals=vertex_normals(vertices, item.mesh.faces),
        observed_fraction=item.observed_fraction,
        scale_sigma=item.scale_sigma,
        score=EvidenceScore(1.0, 0.0, 1.0),
        own_inliers=1.0,
        provenance=item.provenance,
        has_own_look=True,
    )


def build_shape(
    evidence: Evidence,
    completion: Completion,
    max_faces: int,
    answers: int = 1,
    refiner: Refiner | None = None,
) -> Shape:
    """Return the finished shape of a completion, in the evidence's ref frame.

    An impossible completion gives a shape without faces.

    :param max_faces: most faces that it may have.
    :param answers: level sets of the completion that are finished; the one that agrees best with
        the evidence is the shape, the others go with it. A completion with a surface of its own
        has no others.
    :param refiner: decodes thin things again, finer; None leaves them as they are.
    """
    kept = completion.surface
    levels = list(LEVELS[: answers if kept is None else 1])
    if evidence.is_inferred and kept is None:
        first = likeliest_level(completion.probability[evidence.free == 0])
        levels = [first, *(LEVELS[0] if level == first else level for level in levels[1:])]
    made: list[tuple[Float32Array, IndexArray, EvidenceScore]] = []
    for level in levels:
        distance_m = consistent_distance(evidence, at_level(completion, evidence, level))
        if kept is None:
            refined = None
            if refiner is not None:
                refined = refiner.refine(evidence, distance_m, completion)
            vertices, faces = finished_surface(distance_m, evidence, max_faces, refined)
        else:
            vertices, faces = kept_vertices(kept, distance_m, evidence), kept.faces
        made.append((vertices, faces, score_mesh(vertices, faces, evidence)))
    made = [made[k] for k in ranked([score for _, _, score in made])]
    vertices, faces, score = made[0]
    labels = face_labels(vertices, faces, evidence)
    confidence = face_confidence(vertices, faces, completion.probability, evidence)
    normals = vertex_normals(vertices, faces)
    colors = coloured(vertices, normals, evidence)[1] if kept is None else kept.colors
    area = lengths(face_normals(vertices, faces))
    matter = completion.probability
    seen = float(area[labels == FaceLabel.OBSERVED].sum() / max(area.sum(), 1e-20))
    sigma = scale_sigma(vertices, evidence.grid.voxel_m, score.silhouette_iou, evidence.blind)
    mesh = Mesh(
        vertices,
        faces,
        colors,
        labels,
        confidence,
        gaussians=None if kept is None else kept.gaussians,
        **_canonical(vertices, faces),
    )
    if len(made) > 1:
        others = [Surface(one[0], one[1], agreement(one[2])) for one in made[1:] if len(one[1])]
        inner, outer = (hull(completion, evidence, outer=outer) for outer in (False, True))
        mesh = replace(mesh, answers=Answers(tuple(others), inner, outer))
        sigma = max(sigma, size_spread([vertices, *(other.vertices_m for other in others)]))
    shape = Shape(
        mesh=mesh,
        normals=normals,
        observed_fraction=seen,
        scale_sigma=sigma,
        score=score,
        own_inliers=completion_inliers(completion.distance_m, evidence),
        provenance=Provenance(completion.backend, completion.weights_hash, completion.seed),
        denied=float(matter[evidence.empty].sum() / max(matter.sum(), 1e-6)),
        inferred=evidence.inferred,
        has_own_look=kept is not None,
    )
    return shape.moved(evidence.grid.T_ref_grid)
