# SPDX-License-Identifier: Apache-2.0
"""Where a generated mesh stands: moved, turned and scaled to what was seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import FloatArray, IndexArray
from sam3d_ros.geometry.alignment import similarity_fit
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import T_cam_grid
from sam3d_ros.reconstruction.evidence.raster import render_depth
from sam3d_ros.reconstruction.surface.scoring import silhouette_iou
from sam3d_ros.reconstruction.views import View

FIT_STEPS = 30
FIT_SAMPLES = 4000
FIT_SCALE = (0.8, 1.25)
TRIM = 0.8
"""Share of the observed points that a fit listens to; the rest may be mask errors."""
LEAST_POINTS = 10
CENTRING_STEPS = 4


def fit_similarity(vertices: FloatArray, faces: IndexArray, observed: FloatArray) -> FloatArray:
    """Return the (4, 4) similarity that moves a mesh onto observed points, or the identity.

    Trimmed ICP with scale (Umeyama 1991; Chetverikov et al. 2002): one-sided, from the points to
    the mesh, since the sensor saw only a part of it. Kept only when the points end up nearer.

    :param vertices: (V, 3) of the mesh.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param observed: (P, 3) points of its front.
    """
    if len(observed) < LEAST_POINTS:
        return np.eye(4)
    surface = sample_surface(vertices, faces, FIT_SAMPLES)
    total = np.eye(4)
    before = _trimmed(cKDTree(surface).query(observed)[0])
    for _ in range(FIT_STEPS):
        moved = apply(total, surface)
        distance, nearest = cKDTree(moved).query(observed)
        near = distance <= np.quantile(distance, TRIM)
        step = similarity_fit(moved[nearest[near]], observed[near], FIT_SCALE)
        total = step @ total
        if np.abs(step - np.eye(4)).max() < 1e-5:
            break
    after = _trimmed(cKDTree(apply(total, surface)).query(observed)[0])
    return total if after < before else np.eye(4)


def _trimmed(distance: FloatArray) -> float:
    return float(np.sort(distance)[: int(TRIM * len(distance))].mean())


def place(
    vertices: FloatArray,
    faces: IndexArray,
    evidence: Evidence,
    view: View,
    turns: Sequence[FloatArray],
) -> FloatArray:
    """Return the (4, 4) similarity to the grid frame of a mesh whose place and size nobody knows.

    From each of some rotations it is scaled and moved into the mask's box; range says how far and
    so how large it is, where there is none the support, on which it stands. Then it is fitted to
    the points. The one whose silhouette is the mask's, and that is near the points, is taken.

    :param vertices: (V, 3), any unit.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param evidence: what was seen of the object.
    :param view: that the mesh was generated from.
    :param turns: (3, 3) rotations to the grid frame.
    :raises BackendError: when neither range nor support tells how far it is.
    """
    T = T_cam_grid(view, evidence.grid)
    observed = evidence.points.points_m.astype(np.float64)
    best, best_score = np.eye(4), -np.inf
    for R_grid_mesh in turns:
        R_cam_mesh = T[:3, :3] @ R_grid_mesh
        S_cam = _in_the_box(vertices @ R_cam_mesh.T, view)
        S_cam[:3, :3] = S_cam[:3, :3] @ R_cam_mesh
        # Scaled about the camera, a silhouette stays as it is.
        S_cam[:3] *= _nearness(apply(S_cam, vertices), faces, view)
        S = inverse(T) @ S_cam
        S = fit_similarity(apply(S, vertices), faces, observed) @ S
        placed = apply(S, vertices)
        score = silhouette_iou(apply(T, placed), faces, view)
        if len(observed):
            away = cKDTree(sample_surface(placed, faces, FIT_SAMPLES)).query(observed)[0]
            score += float((away <= evidence.grid.voxel_m).mean())
        if score > best_score:
            best, best_score = S, score
    return best


def _in_the_box(vertices: FloatArray, view: View) -> FloatArray:
    """Return the (4, 4) scale and shift, z about 1 m, that fill the mask's box with a mesh that
    is turned as the camera sees it already.
    """
    left, top, width, height = cv2.boundingRect(view.mask.astype(np.uint8))
    focal = np.array([view.camera.fx, view.camera.fy])
    principal = np.array([view.camera.cx, view.camera.cy])
    low = (np.array([left, top]) - 0.5 - principal) / focal
    high = (np.array([left + width, top + height]) - 0.5 - principal) / focal
    S = np.eye(4)
    S[:3, :3] /= float(np.ptp(vertices, axis=0)[:2].max()) / float((high - low).max())
    S[:3, 3] = [*(low + high) / 2, 1.0]
    S[:3, 3] -= S[:3, :3] @ ((vertices.min(axis=0) + vertices.max(axis=0)) / 2)
    for _ in range(CENTRING_STEPS):
        moved = apply(S, vertices)
        seen = moved[:, :2] / np.maximum(moved[:, 2:], 0.1)
        here_low, here_high = seen.min(axis=0), seen.max(axis=0)
        ratio = np.sqrt(np.prod((high - low) / (here_high - here_low)))
        middle = moved.mean(axis=0)
        S[:3] *= ratio
        S[:3, 3] += (1.0 - ratio) * middle
        S[:2, 3] += middle[2] * ((low + high) / 2 - (here_low + here_high) / 2)
    return S


def _nearness(vertices_cam: FloatArray, faces: IndexArray, view: View) -> float:
    """Return the factor of its distance at which a mesh in the camera has the range measured."""
    depth = render_depth(vertices_cam.astype(np.float32), faces, view.camera)
    both = view.own & np.isfinite(depth)
    if both.sum() >= LEAST_POINTS:
        return float(np.median(view.pointmap[both, 2] / depth[both]))
    if view.support is not None:
        lowest = float((vertices_cam @ view.support.normal).min())
        if lowest < 0:
            return -view.support.offset_m / lowest
    raise BackendError(
        'an object of which neither range nor what it stands on is known',
        wanted='one of them, or its size cannot be known',
    )
