# SPDX-License-Identifier: Apache-2.0
"""Backend ``triposr``: a mesh from one image, put where the object is seen to be.

TripoSR (Tochilkin et al., 2024; MIT) wants one object on grey and knows nothing of cameras, size
or place: silhouette, range and support say these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, IndexArray
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import T_cam_grid
from sam3d_ros.reconstruction.generators.client import Arrays, installed
from sam3d_ros.reconstruction.generators.generated import (
    Candidate,
    chosen,
    placed_surface,
)
from sam3d_ros.reconstruction.generators.placing import place
from sam3d_ros.reconstruction.views import View, best_view

if TYPE_CHECKING:
    from sam3d_ros.reconstruction.config import ReconstructionConfig

NAME = 'triposr'
IMAGE_PX = 512
FOREGROUND = 0.85
"""Share of the image's side that the object's longer side takes, as the authors crop it."""
GREY = 0.5

R_GRID_MESH = np.diag([-1.0, -1.0, 1.0])
"""Its z is up and it is seen from +x; the grid's z is up too, and its x leads away."""
R_CAM_MESH = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""The same for a camera that is taken for level."""


class TripoSRCompletion:
    """Completes objects by an installation of TripoSR in its own process."""

    def __init__(self, config: ReconstructionConfig) -> None:
        own = config.triposr
        self._max_faces, self._resolution = config.max_faces, own.resolution
        self._worker = installed('TripoSR', NAME, own, ('python', 'home'), own.home, own.weights)
        self.cancel, self.close = self._worker.cancel, self._worker.close

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object; see :class:`CompletionBackend`.

        :raises BackendError: when the worker fails, or the request is cancelled.
        """
        completions = []
        for item in evidence:
            view = best_view(item.views)
            resolution = np.array([self._resolution], np.int32)
            request = {'image': foreground(view), 'resolution': resolution}
            (made,) = self._worker.generate(request, [0])
            vertices, faces = made['vertices'].astype(np.float64), outward(made)
            level = T_cam_grid(view, item.grid)[:3, :3].T @ R_CAM_MESH
            S = place(vertices, faces, item, view, [R_GRID_MESH, level])
            surface = placed_surface({**made, 'faces': faces}, S, S, self._max_faces)
            completions.append(chosen([Candidate(surface, 0)], item, NAME))
        return completions


def outward(made: Arrays) -> IndexArray:
    """Return the (F, 3) faces of a closed mesh so that they are seen from outside."""
    a, b, c = (made['vertices'][made['faces'][:, k]] for k in range(3))
    volume = float(np.einsum('fc,fc->', a, np.cross(b, c)))
    faces: IndexArray = made['faces'] if volume >= 0 else made['faces'][:, ::-1].copy()
    return faces


def foreground(view: View) -> Float32Array:
    """Return the (S, S, 3) float32 0..1 image of a view's object, centred on grey."""
    left, top, width, height = cv2.boundingRect(view.mask.astype(np.uint8))
    scale = FOREGROUND * IMAGE_PX / max(width, height)
    middle = left + (width - 1) / 2, top + (height - 1) / 2
    A = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    A[:, 2] = (IMAGE_PX - 1) / 2 - scale * np.array(middle)
    size = (IMAGE_PX, IMAGE_PX)
    own = view.mask.astype(np.float32)[..., None]
    # Colours times mask, so that what is beside the object is not mixed in.
    light = cv2.warpAffine(view.rgb / np.float32(255) * own, A, size)
    share = cv2.warpAffine(own, A, size)[..., None]
    return np.asarray(light + GREY * (1 - share), np.float32)
