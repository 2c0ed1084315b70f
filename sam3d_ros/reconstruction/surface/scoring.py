# SPDX-License-Identifier: Apache-2.0
"""How well a mesh agrees with the evidence: the score behind acceptance and fallback."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Camera, EvidenceScore, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import T_cam_grid
from sam3d_ros.reconstruction.evidence.occupancy import inside_mesh
from sam3d_ros.reconstruction.evidence.raster import render_depth
from sam3d_ros.reconstruction.surface.labels import sample
from sam3d_ros.reconstruction.surface.nearest import nearest_feet
from sam3d_ros.reconstruction.views import View

SAMPLES = 1024
SILHOUETTE_SAMPLES = 1000
"""Least pixels of a mask that are compared, taken from a lattice over all of them."""
INLIER_SIGMAS = 2.0


def score_mesh(vertices: Float32Array, faces: IndexArray, evidence: Evidence) -> EvidenceScore:
    """Return the score of a closed mesh in the grid frame.

    :param vertices: (V, 3), metres, grid frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param evidence: what was seen of the object.
    """
    if len(faces) == 0:
        return EvidenceScore(0.0, 0.0, 0.0)
    inside = inside_mesh(vertices, faces, evidence.grid)
    free = float(evidence.clear[inside].mean()) if inside.any() else 0.0
    silhouettes = [
        silhouette_iou(
            apply(T_cam_grid(view, evidence.grid), vertices.astype(np.float64)), faces, view
        )
        for view in evidence.views
    ]
    return EvidenceScore(
        observed_inliers=_inliers(vertices, faces, evidence),
        free_volume=free,
        silhouette_iou=float(np.mean(silhouettes)),
    )


def completion_inliers(distance_m: Float32Array, evidence: Evidence) -> float:
    """Share of the observed points within a voxel + 2 sigma of a completion's own surface.

    Judges the backend; the finished surface is made to pass through the points anyway.

    :param distance_m: (N, N, N) float32 signed distance, < 0 inside.
    :param evidence: what was seen of the object.
    """
    points = evidence.points
    if len(points.points_m) == 0:
        return 0.0
    off = np.abs(sample(distance_m, points.points_m, evidence.grid))
    return float((off <= evidence.grid.voxel_m + INLIER_SIGMAS * points.sigmas_m).mean())


def silhouette_iou(vertices_cam: FloatArray, faces: IndexArray, view: View) -> float:
    """Return the IoU of a mesh's silhouette and the view's mask, where nothing occludes.

    :param vertices_cam: (V, 3), optical frame, metres.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    step = max(int(np.sqrt(view.mask.sum() / SILHOUETTE_SAMPLES)), 1)
    mask, measured = view.mask[::step, ::step], view.pointmap[::step, ::step, 2]
    K = view.camera.K.copy()
    K[:2] /= step
    camera = Camera(mask.shape[1], mask.shape[0], K)
    depth = render_depth(vertices_cam.astype(np.float32), faces, camera)
    drawn = np.isfinite(depth)
    with np.errstate(invalid='ignore'):
        hidden = ~mask & drawn & (measured < depth)
    drawn &= ~hidden
    return mask_iou(drawn, mask)


def _inliers(vertices: Float32Array, faces: IndexArray, evidence: Evidence) -> float:
    points = evidence.points.points_m
    if len(points) == 0:
        return 0.0
    chosen = np.linspace(0, len(points) - 1, min(SAMPLES, len(points))).astype(np.intp)
    distance = nearest_feet(points[chosen], vertices, faces).distances_m
    return float((distance <= INLIER_SIGMAS * evidence.points.sigmas_m[chosen]).mean())
