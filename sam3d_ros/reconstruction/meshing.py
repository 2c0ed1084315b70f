# SPDX-License-Identifier: Apache-2.0
"""From a consistent volume to the finished surface: net, fair, snap to what was observed."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.reconstruction.evidence import Evidence
from sam3d_ros.reconstruction.points import ObservedPoints
from sam3d_ros.reconstruction.surface import extract_surface

FAIR_STEPS = 3
TAUBIN_LAMBDA, TAUBIN_MU = 0.5, -0.53
SNAP_NEIGHBOURS = 12
SNAP_VOXELS = 1.5
SNAP_STEP_VOXELS = 0.5
FACING = 0.5


def finished_surface(
    distance_m: Float32Array, evidence: Evidence, max_faces: int
) -> tuple[Float32Array, IndexArray]:
    """Return (V, 3) vertices in the grid frame and (F, 3) faces of a watertight surface.

    Faired without shrinking (Taubin, "A signal processing approach to fair surface design",
    SIGGRAPH 1995), then pulled onto the local planes of the observed points. A volume whose net
    has more than ``max_faces`` faces is netted again on a coarser lattice.
    """
    vertices, faces = extract_surface(distance_m, evidence.grid, max_faces)
    if len(faces) == 0:
        return vertices, faces
    vertices = faired(vertices, faces)
    vertices = _snapped(vertices, faces, evidence.points, evidence.grid.voxel_m)
    if evidence.support_m is not None:
        vertices = _above(vertices, evidence.support_m)
    return vertices, faces


def _above(vertices: Float32Array, support_m: FloatArray) -> Float32Array:
    """Move what is below the support (nx, ny, nz, d) onto it."""
    normal = support_m[:3].astype(np.float32)
    heights = vertices @ normal + np.float32(support_m[3])
    return vertices - np.minimum(heights, 0.0)[:, None] * normal


def faired(vertices: Float32Array, faces: IndexArray) -> Float32Array:
    """Return the vertices after a few Taubin lambda/mu steps."""
    start = faces.ravel()
    end = faces[:, [1, 2, 0]].ravel()
    degree = np.bincount(start, minlength=len(vertices))[:, None]
    moved = vertices.astype(np.float64)
    for step in [TAUBIN_LAMBDA, TAUBIN_MU] * FAIR_STEPS:
        total = [np.bincount(start, moved[end, k], len(moved)) for k in range(3)]
        moved = moved + step * (np.stack(total, axis=1) / degree - moved)
    return moved.astype(np.float32)


def face_normals(vertices: Float32Array, faces: IndexArray) -> Float32Array:
    """Return (F, 3) normals whose length is twice the face's area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals: Float32Array = np.cross(b - a, c - a)
    return normals


def vertex_normals(vertices: Float32Array, faces: IndexArray) -> Float32Array:
    """Return (V, 3) unit normals, area-weighted; zero where degenerate."""
    normals = np.repeat(face_normals(vertices, faces), 3, axis=0)
    total = [np.bincount(faces.ravel(), normals[:, k], len(vertices)) for k in range(3)]
    stacked = np.stack(total, axis=1)
    length = np.linalg.norm(stacked, axis=1, keepdims=True)
    return (stacked / np.maximum(length, 1e-20)).astype(np.float32)


def _snapped(
    vertices: Float32Array, faces: IndexArray, points: ObservedPoints, voxel_m: float
) -> Float32Array:
    """Move vertices along their normals onto the mean plane of the observed points around them."""
    known = np.flatnonzero(np.abs(points.normals).sum(axis=1) > 0)
    if len(known) < SNAP_NEIGHBOURS:
        return vertices
    normals = vertex_normals(vertices, faces)
    positions, directions = points.points_m[known], points.normals[known]
    reach = SNAP_VOXELS * voxel_m
    distance, index = cKDTree(positions).query(
        vertices, k=SNAP_NEIGHBOURS, distance_upper_bound=1.5 * reach
    )
    found = np.isfinite(distance)
    index = np.where(found, index, 0)
    facing = np.einsum('vkc,vc->vk', directions[index], normals)
    weight = np.exp(-0.5 * np.square(np.where(found, distance, 0) / (0.6 * reach)))
    weight = weight * found * (facing > FACING) / np.square(points.sigmas_m[known][index])
    plane = np.einsum('vkc,vkc->vk', directions[index], positions[index] - vertices[:, None])
    total = weight.sum(axis=1)
    safe = np.where(total > 0, total, 1.0)
    # The step along the vertex normal that meets the mean plane.
    slope = np.where(total > 0, (weight * facing).sum(axis=1) / safe, 1.0)
    step = (weight * plane).sum(axis=1) / safe / np.maximum(slope, FACING)
    most = SNAP_STEP_VOXELS * voxel_m
    return vertices + np.clip(step, -most, most)[:, None].astype(np.float32) * normals
