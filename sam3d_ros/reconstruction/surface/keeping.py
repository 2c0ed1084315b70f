# SPDX-License-Identifier: Apache-2.0
"""A surface that a backend made itself, kept: pulled onto what was observed, cut where evidence
contradicts it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.shapes.meshes import adjacency, vertex_normals
from sam3d_ros.reconstruction.completion.completion import MadeSurface
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.surface.labels import sample
from sam3d_ros.reconstruction.surface.meshing import above_support
from sam3d_ros.reconstruction.surface.snapping import snapped

PULLS = 3
"""A made surface may be several voxels off; one pull reaches about one."""
CUTS = 3
ALLOWED_VOXELS = 0.5
"""So far outside of what is possible a vertex may lie, voxels."""


def kept_vertices(
    surface: MadeSurface, distance_m: Float32Array, evidence: Evidence
) -> Float32Array:
    """Return (V, 3) vertices, grid frame, of the same faces: what of the surface may stay stays.

    What lies where nothing of the object can be goes to the nearest place where it can, so that
    the surface stays closed.

    :param surface: where it was fitted to the evidence.
    :param distance_m: (N, N, N) signed distance to it, made consistent with the evidence.
    :param evidence: what was seen of the object.
    """
    vertices, faces = surface.vertices, surface.faces
    neighbours = adjacency(faces, len(vertices))
    voxel_m = evidence.grid.voxel_m
    for _ in range(PULLS):
        normals = vertex_normals(vertices, faces)
        vertices = snapped(vertices, normals, faces, neighbours, evidence.points, voxel_m)
    outside = _outside_voxels(distance_m)
    slopes = [np.asarray(slope, np.float32) for slope in np.gradient(outside)]
    for _ in range(CUTS):
        beyond = np.maximum(sample(outside, vertices, evidence.grid) - ALLOWED_VOXELS, 0.0)
        slope = np.stack([sample(part, vertices, evidence.grid) for part in slopes], axis=1)
        length = np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
        vertices = vertices - (beyond * voxel_m)[:, None] * slope / length
        vertices = vertices.astype(np.float32)
    return vertices if evidence.support_m is None else above_support(vertices, evidence.support_m)


def _outside_voxels(distance_m: Float32Array) -> Float32Array:
    """(N, N, N) distances of the voxel centres from what is inside, voxels; 0 at its skin."""
    inside = distance_m < 0
    if not inside.any():
        return np.zeros(distance_m.shape, np.float32)
    away: FloatArray = ndimage.distance_transform_edt(~inside)
    return np.maximum(away - 0.5, 0.0).astype(np.float32)
