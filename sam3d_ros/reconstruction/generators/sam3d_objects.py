# SPDX-License-Identifier: Apache-2.0
"""Backend ``sam3d_objects``: official results, refined with the real camera, as completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.completion.completion import Completion, MadeSurface
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import T_cam_grid
from sam3d_ros.reconstruction.generators.client import Arrays, installed
from sam3d_ros.reconstruction.generators.conventions import (
    optical_from_canonical,
    optical_from_glb,
    pointmap_to_official,
)
from sam3d_ros.reconstruction.generators.generated import (
    Candidate,
    chosen,
    placed_surface,
)
from sam3d_ros.reconstruction.generators.placing import fit_similarity
from sam3d_ros.reconstruction.views import View, best_view

if TYPE_CHECKING:
    from sam3d_ros.reconstruction.config import ReconstructionConfig

NAME = 'sam3d_objects'


class Sam3dObjectsCompletion:
    """Completes objects by an official installation in its own process."""

    def __init__(self, config: ReconstructionConfig) -> None:
        own = config.sam3d_objects
        self._max_faces = config.max_faces
        self._seeds = range(own.seed, own.seed + own.seeds)
        self._worker = installed(
            'SAM 3D Objects',
            NAME,
            own,
            ('python', 'notebook', 'pipeline'),
            own.notebook,
            own.pipeline,
        )
        self.cancel, self.close = self._worker.cancel, self._worker.close

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object; see :class:`CompletionBackend`.

        :raises BackendError: when the worker fails, or the request is cancelled.
        """
        completions = []
        for item in evidence:
            view = best_view(item.views)
            made = self._worker.generate(official_request(view), self._seeds)
            candidates = [
                Candidate(self._surface(one, item, view), seed)
                for one, seed in zip(made, self._seeds, strict=True)
            ]
            completions.append(chosen(candidates, item, NAME))
        return completions

    def _surface(self, made: Arrays, evidence: Evidence, view: View) -> MadeSurface:
        pose = made['rotation'], made['translation'], float(made['scale'].mean())
        T_grid_cam = inverse(T_cam_grid(view, evidence.grid))
        S_grid_glb = T_grid_cam @ optical_from_glb(*pose)
        vertices = apply(S_grid_glb, made['vertices'].astype(np.float64))
        observed = evidence.points.points_m.astype(np.float64)
        fit = fit_similarity(vertices, made['faces'], observed)
        S_grid_canonical = fit @ T_grid_cam @ optical_from_canonical(*pose)
        return placed_surface(made, fit @ S_grid_glb, S_grid_canonical, self._max_faces)


def official_request(view: View) -> Arrays:
    """Return a view as the official interface takes it: the whole frame, as its authors use it.

    Of a view without its frame, the crop on a canvas whose centre is the principal point: the
    official code assumes a centred one, and a crop has none.
    """
    rows, columns = view.mask.shape
    if view.frame is not None:
        image, pointmap = view.frame.rgb, view.frame.pointmap
        left, top = view.frame.left, view.frame.top
        mask = np.zeros(image.shape[:2], bool)
        mask[top : top + rows, left : left + columns] = view.mask
    else:
        half_u = int(np.ceil(max(view.camera.cx, columns - 1 - view.camera.cx)))
        half_v = int(np.ceil(max(view.camera.cy, rows - 1 - view.camera.cy)))
        left, top = half_u - round(view.camera.cx), half_v - round(view.camera.cy)
        size = (2 * half_v + 2, 2 * half_u + 2)
        part = (slice(top, top + rows), slice(left, left + columns))
        image = np.zeros((*size, 3), np.uint8)
        mask = np.zeros(size, bool)
        pointmap = np.full((*size, 3), np.nan, np.float32)
        image[part], mask[part], pointmap[part] = view.rgb, view.mask, view.pointmap
    return {'image': image, 'mask': mask, 'pointmap': pointmap_to_official(pointmap)}
