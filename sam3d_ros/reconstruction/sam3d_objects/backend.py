# SPDX-License-Identifier: Apache-2.0
"""Backend ``sam3d_objects``: official results, refined with the real camera, as completions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.alignment import similarity_fit
from sam3d_ros.geometry.meshes import sample_surface
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.sam3d_objects.client import (
    OfficialRequest,
    OfficialResult,
    OfficialWorker,
)
from sam3d_ros.reconstruction.sam3d_objects.conventions import (
    optical_from_glb,
    pointmap_to_official,
)
from sam3d_ros.reconstruction.views import View

if TYPE_CHECKING:
    from sam3d_ros.reconstruction.config import ReconstructionConfig

FIT_STEPS = 30
FIT_SAMPLES = 4000
FIT_SCALE = (0.8, 1.25)
TRIM = 0.8
"""Share of the observed points that a fit listens to; the rest may be mask errors."""


class Sam3dObjectsCompletion:
    """Completes objects by an official installation in its own process."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config.sam3d_objects
        missing = [n for n in ('python', 'notebook', 'pipeline') if not getattr(self._config, n)]
        if missing:
            raise BackendError(
                f'backend "sam3d_objects" without {", ".join(missing)}',
                wanted='an official SAM 3D Objects installation',
                remedy=f'Set reconstruction.sam3d_objects.{missing[0]}.',
            )
        self._worker = OfficialWorker(self._config)
        self._cancel = threading.Event()

    def cancel(self) -> None:
        """Stop the request under way, from another thread; it ends within half a second."""
        self._cancel.set()

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object; see :class:`CompletionBackend`.

        :raises BackendError: when the worker fails, or the request is cancelled.
        """
        self._cancel.clear()
        requests = [official_request(item.views[0]) for item in evidence]
        results = self._worker.reconstruct(requests, self._config.seed, self._cancel.is_set)
        return [
            self._completion(item, result) for item, result in zip(evidence, results, strict=True)
        ]

    def _completion(self, evidence: Evidence, result: OfficialResult) -> Completion:
        S_cam_glb = optical_from_glb(
            result.rotation_wxyz, result.translation, float(result.scale.mean())
        )
        vertices = apply(inverse(evidence.T_cam_grid) @ S_cam_glb, result.vertices.astype(float))
        observed = evidence.points.points_m.astype(float)
        vertices = apply(fit_similarity(vertices, result.faces, observed), vertices)
        distance_m = signed_distance(vertices, result.faces, evidence.grid)
        sigma = evidence.grid.voxel_m
        probability = 1.0 / (1.0 + np.exp(np.clip(distance_m / sigma, -30, 30)))
        return Completion(
            distance_m,
            probability.astype(np.float32),
            backend='sam3d_objects',
            seed=self._config.seed,
        )


def official_request(view: View) -> OfficialRequest:
    """Return a view as an official request, on a canvas whose centre is the principal point.

    The official code assumes a centred principal point; a crop has none, the canvas has.
    """
    rows, columns = view.mask.shape
    half_u = int(np.ceil(max(view.camera.cx, columns - 1 - view.camera.cx)))
    half_v = int(np.ceil(max(view.camera.cy, rows - 1 - view.camera.cy)))
    left, top = half_u - round(view.camera.cx), half_v - round(view.camera.cy)
    size = (2 * half_v + 2, 2 * half_u + 2)
    part = (slice(top, top + rows), slice(left, left + columns))
    image = np.zeros((*size, 3), np.uint8)
    mask = np.zeros(size, bool)
    pointmap = np.full((*size, 3), np.nan, np.float32)
    image[part], mask[part], pointmap[part] = view.rgb, view.mask, view.pointmap
    return OfficialRequest(image, mask, pointmap_to_official(pointmap))


def fit_similarity(vertices: FloatArray, faces: IndexArray, observed: FloatArray) -> FloatArray:
    """Return the (4, 4) similarity that moves a mesh onto observed points, or the identity.

    Trimmed ICP with scale (Umeyama 1991; Chetverikov et al. 2002): one-sided, from the points to
    the mesh, since the sensor saw only a part of it. Kept only when the points end up nearer.

    :param vertices: (V, 3) of the mesh.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    if len(observed) < 10:
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


def signed_distance(vertices: FloatArray, faces: IndexArray, grid: Grid) -> Float32Array:
    """Return (N, N, N) float32 signed distance to a mesh in the grid frame, metres, < 0 inside.

    :param vertices: (V, 3), metres, grid frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32)
    )
    distance: Float32Array = scene.compute_signed_distance(grid.centres_m(), nsamples=3).numpy()
    return distance
