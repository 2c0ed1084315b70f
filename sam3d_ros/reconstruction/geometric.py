# SPDX-License-Identifier: Apache-2.0
"""Completion without weights: what was seen, its mirror image, and the ground under it, closed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.completion import Completion
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence import Evidence
from sam3d_ros.reconstruction.hollow import is_hollow, wall_distance
from sam3d_ros.reconstruction.hull import hull_distance
from sam3d_ros.reconstruction.symmetry import MirrorPlane, find_mirror


class GeometricCompletion:
    """Completion backend ``geometric``."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object."""
        return [_complete(item) for item in evidence]


def _complete(evidence: Evidence) -> Completion:
    voxel = evidence.grid.voxel_m
    mirror = find_mirror(evidence)
    possible = _possible(evidence)
    points = _with_images(evidence, mirror)
    distance = hull_distance(points, evidence.grid, possible)
    if is_hollow(points, evidence):
        distance = np.maximum(distance, wall_distance(points, evidence))
    distance[~possible] = np.maximum(distance[~possible], 0.5 * voxel)
    return Completion(distance, _probability(distance, evidence), 'geometric')


def _possible(evidence: Evidence) -> BoolArray:
    possible: BoolArray = (evidence.free | evidence.outside | evidence.below) == 0
    return possible


def _with_images(evidence: Evidence, mirror: MirrorPlane | None) -> FloatArray:
    """Observed points and, where the mirror does not put them into empty space, their images."""
    points = evidence.points.points_m.astype(np.float64)
    if mirror is None:
        return points
    images = mirror.reflect(points)
    size = evidence.grid.size
    index = np.rint(evidence.grid.coordinates(images)).astype(np.intp)
    within = ((index >= 0) & (index < size)).all(axis=1)
    at = tuple(np.clip(index, 0, size - 1).T)
    return np.concatenate([points, images[within & ((evidence.free | evidence.outside)[at] == 0)]])


def _probability(distance_m: Float32Array, evidence: Evidence) -> Float32Array:
    """Logistic in the distance: one voxel wide where observed, wider on the hidden side."""
    width = np.where(evidence.surface > 0, 1.0, 4.0) * evidence.grid.voxel_m
    probability = 1.0 / (1.0 + np.exp(np.clip(distance_m / width, -30, 30)))
    return np.asarray(probability, np.float32)
