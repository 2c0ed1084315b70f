# SPDX-License-Identifier: Apache-2.0
"""Is what the results say of their own uncertainty true? Pose, size and faces against the truth.

Of honest one-sigma figures 68 % of the errors lie within one and 95 % within two; of honest
probabilities as many faces are right as they say (expected calibration error: Guo et al., "On
calibration of modern neural networks", ICML 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.bench.metrics import metrics_layout as layout
from sam3d_ros.bench.metrics.metrics_shape import Surface
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference, matched
from sam3d_ros.core.types import FaceLabel, FloatArray, Scene, SceneObject
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.pose.layout import moved_by, twist_between
from sam3d_ros.reconstruction.surface.confidence import NEAR_M

FACES, LEAST_FACES = 1000, 50
OBSERVABLE_RAD = 0.1
"""Rotations said to be less sure than this are not observed, and not counted."""
GATE_M = 0.015
ITERATIONS = 12


@dataclass(slots=True)
class Calibration:
    """Errors over their sigmas, and confidences with their outcomes, over some scenes."""

    position: list[float] = field(default_factory=list)
    rotation: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    def add(self, scene: Scene, truth: Sequence[Reference]) -> None:
        """Compare the objects of a scene with the objects of the truth that they match."""
        meshes = [_posed(item) for item in scene.objects]
        for row, column in matched(meshes, truth):
            self._add(scene.objects[row], truth[column])

    def values(self, suite: str) -> dict[str, float]:
        """Return the figures by name."""
        named = (('position', self.position), ('rotation', self.rotation), ('size', self.size))
        figures = {}
        for name, errors in named:
            one, two = layout.coverage(np.array(errors))
            figures[f'{suite}_{name}_within_1_sigma'] = one
            figures[f'{suite}_{name}_within_2_sigma'] = two
        error = layout.calibration_error(np.array(self.confidence), np.array(self.right, bool))
        return figures | {f'{suite}_face_confidence_error': error}

    def _add(self, item: SceneObject, truth: Reference) -> None:
        T = item.T_fixed_obj
        edges = np.ptp(apply(inverse(T), truth.mesh.vertices_m), axis=0)
        self.size += (np.log(item.size_m / edges) / item.scale_sigma).tolist()
        chosen = np.zeros(len(item.mesh.faces), bool)
        chosen[:: max(1, len(chosen) // FACES)] = True
        corners = item.mesh.vertices_m[item.mesh.faces[chosen]].astype(np.float64)
        centres = corners.mean(axis=1)
        distance = truth.surface.distance(apply(T, centres))
        self.confidence += item.mesh.face_confidence[chosen].tolist()
        self.right += (distance <= NEAR_M).tolist()
        observed = centres[item.mesh.face_labels[chosen] == FaceLabel.OBSERVED]
        if len(observed) < LEAST_FACES:
            return
        sigma = np.sqrt(np.diag(item.covariance))
        error = twist_between(registered(observed, truth.surface, T), T) / sigma
        self.position += error[:3].tolist()
        self.rotation += error[3:][sigma[3:] < OBSERVABLE_RAD].tolist()


def registered(points: FloatArray, surface: Surface, T_fixed_obj: FloatArray) -> FloatArray:
    """Return the pose at which (P, 3) points of an object lie best on the true surface.

    Robust point-to-plane from points to surface, without noise. What the surface leaves open
    stays as it is.

    :param T_fixed_obj: (4, 4) pose to start from.
    """
    T = T_fixed_obj
    for _ in range(ITERATIONS):
        placed = apply(T, points)
        nearest, normals = surface.closest(placed)
        far = np.linalg.norm(nearest - placed, axis=1)
        gate = float(np.clip(7.0 * np.median(far), 0.003, GATE_M))
        weight = np.square(np.maximum(1.0 - np.square(far / gate), 0.0))
        A = np.concatenate([normals, np.cross(placed - T[:3, 3], normals)], axis=1)
        height = np.einsum('pc,pc->p', nearest - placed, normals)
        hold = 0.01 * np.diag([1.0, 1.0, 1.0, 1e-4, 1e-4, 1e-4]) * (weight.sum() + 1e-9)
        H = (A * weight[:, None]).T @ A + hold
        twist = np.asarray(np.linalg.solve(H, (A * weight[:, None]).T @ height), np.float64)
        T = moved_by(T, twist)
        if np.abs(twist).max() < 1e-5:
            break
    return T


def _posed(item: SceneObject) -> PosedMesh:
    vertices = item.mesh.vertices_m.astype(np.float64)
    return PosedMesh(apply(item.T_fixed_obj, vertices), item.mesh.faces)
