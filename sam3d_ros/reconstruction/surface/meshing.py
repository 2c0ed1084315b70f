# SPDX-License-Identifier: Apache-2.0
"""From a consistent volume to the finished surface: net, fair, snap to what was observed."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import adjacency, vertex_normals
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.refinement.refiner import Refined
from sam3d_ros.reconstruction.refinement.walls import closed_walls, drawn_in, kept_apart
from sam3d_ros.reconstruction.surface.snapping import snapped
from sam3d_ros.reconstruction.surface.surface import extract_surface

FAIR_STEPS = 3
TAUBIN_LAMBDA, TAUBIN_MU = 0.5, -0.53


def finished_surface(
    distance_m: Float32Array,
    evidence: Evidence,
    max_faces: int,
    refined: Refined | None = None,
) -> tuple[Float32Array, IndexArray]:
    """Return (V, 3) vertices in the grid frame and (F, 3) faces of a watertight surface.

    Faired without shrinking (Taubin, "A signal processing approach to fair surface design",
    SIGGRAPH 1995), then pulled onto the observed points. A volume whose net
    has more than ``max_faces`` faces is netted again on a coarser lattice.

    :param distance_m: (N, N, N) float32 signed distance, < 0 inside.
    :param evidence: what was seen of the object.
    :param refined: the same at a finer resolution, which the faces are drawn onto.
    """
    if refined is not None:
        distance_m = closed_walls(distance_m, refined, evidence.surface)
    vertices, faces = extract_surface(distance_m, evidence.grid, max_faces)
    if len(faces) == 0:
        return vertices, faces
    neighbours = adjacency(faces, len(vertices))
    if refined is not None:
        vertices = drawn_in(vertices, faces, refined)
    drawn = faired(vertices, neighbours)
    normals = vertex_normals(drawn, faces)
    vertices = snapped(drawn, normals, faces, neighbours, evidence.points, evidence.grid.voxel_m)
    if refined is not None:
        vertices = kept_apart(vertices, drawn, normals, refined, evidence.support_m)
    if evidence.support_m is not None:
        vertices = above_support(vertices, evidence.support_m)
    return vertices, faces


def above_support(vertices: Float32Array, support_m: FloatArray) -> Float32Array:
    """Return (V, 3) vertices; those below the support (nx, ny, nz, d) are moved onto it."""
    normal = support_m[:3].astype(np.float32)
    heights = vertices @ normal + np.float32(support_m[3])
    return vertices - np.minimum(heights, 0.0)[:, None] * normal


def faired(vertices: Float32Array, neighbours: sparse.csr_array) -> Float32Array:
    """Return the vertices after a few Taubin lambda/mu steps.

    :param neighbours: (V, V) adjacency of the vertices.
    """
    degree = neighbours.sum(axis=1)[:, None]
    moved = vertices.astype(np.float64)
    for step in [TAUBIN_LAMBDA, TAUBIN_MU] * FAIR_STEPS:
        moved = moved + step * (neighbours @ moved / degree - moved)
    return moved.astype(np.float32)
