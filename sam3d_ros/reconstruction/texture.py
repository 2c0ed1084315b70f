# SPDX-License-Identifier: Apache-2.0
"""Vertex colours: from the view that sees a vertex best, else its mirror image, else nearby."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import ByteArray, Float32Array, IndexArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.reconstruction.evidence import Evidence
from sam3d_ros.reconstruction.grid import T_cam_grid
from sam3d_ros.reconstruction.meshing import vertex_normals
from sam3d_ros.reconstruction.symmetry import MirrorPlane

LEAST_COSINE = 0.15
MIRROR_REACH_VOXELS = 3.0
GREY = 128


def vertex_colors(
    vertices: Float32Array,
    faces: IndexArray,
    evidence: Evidence,
    mirror: MirrorPlane | None,
    sigma_m: float,
) -> ByteArray:
    """Return (V, 3) uint8 RGB for a mesh in the grid frame.

    :param mirror: symmetry that lends its colours to unseen vertices, if there is one.
    :param sigma_m: depth error allowed in the visibility test.
    """
    colors, seen = _observed_colors(vertices, vertex_normals(vertices, faces), evidence, sigma_m)
    if not seen.any():
        return np.full((len(vertices), 3), GREY, np.uint8)
    tree = cKDTree(vertices[seen])
    known = colors[seen]
    missing = np.flatnonzero(~seen)
    if len(missing) == 0:
        return colors
    _, nearest = tree.query(vertices[missing])
    colors[missing] = known[nearest]
    if mirror is not None:
        images = mirror.reflect(vertices[missing].astype(np.float64))
        distance, index = tree.query(images)
        close = distance < MIRROR_REACH_VOXELS * evidence.grid.voxel_m
        colors[missing[close]] = known[index[close]]
    return colors


def _observed_colors(
    vertices: Float32Array, normals: Float32Array, evidence: Evidence, sigma_m: float
) -> tuple[ByteArray, np.ndarray]:
    """Colours of the vertices that some view sees, and which ones these are."""
    colors = np.zeros((len(vertices), 3), np.uint8)
    best = np.full(len(vertices), LEAST_COSINE)
    for view in evidence.views:
        T = T_cam_grid(view, evidence.grid)
        points_cam = apply(T, vertices.astype(np.float64))
        depth = np.where(view.mask, view.pointmap[..., 2], np.nan).astype(np.float32)
        verdict = judge(points_cam, view.camera, depth, 3.0 * sigma_m + evidence.grid.voxel_m)
        rays = points_cam / np.linalg.norm(points_cam, axis=1, keepdims=True)
        cosine = -np.einsum('vc,vc->v', rays, normals @ T[:3, :3].T)
        better = verdict.confirmed & (cosine > best)
        best[better] = cosine[better]
        colors[better] = view.rgb[verdict.rows[better], verdict.columns[better]]
    return colors, best > LEAST_COSINE
