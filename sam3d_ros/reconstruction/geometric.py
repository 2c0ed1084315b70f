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
from sam3d_ros.reconstruction.revolution import Axis, find_axis, revolved_distance
from sam3d_ros.reconstruction.symmetry import MirrorPlane, emptiness, find_mirror, thinned

TURNED_POINTS = 800


class GeometricCompletion:
    """Completion backend ``geometric``."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object."""
        return [_complete(item) for item in evidence]


def _complete(evidence: Evidence) -> Completion:
    possible = _possible(evidence)
    axis = find_axis(evidence)
    if axis is not None:
        points = _with_turns(evidence, axis)
        distance = revolved_distance(evidence, axis)
    else:
        points = _with_images(evidence, find_mirror(evidence))
        distance = hull_distance(points, evidence.grid, possible)
    if is_hollow(points, evidence):
        distance = np.maximum(distance, wall_distance(points, evidence))
    distance[~possible] = np.maximum(distance[~possible], 0.5 * evidence.grid.voxel_m)
    return Completion(distance, _probability(distance, evidence), 'geometric')


def _with_turns(evidence: Evidence, axis: Axis) -> FloatArray:
    """Observed points and their images under rotation about an axis."""
    points = thinned(evidence.points.points_m.astype(np.float64), TURNED_POINTS)
    return np.concatenate([points, axis.turned(points).reshape(-1, 3)])


def _possible(evidence: Evidence) -> BoolArray:
    possible: BoolArray = ~(evidence.empty | evidence.below.astype(bool))
    return possible


def _with_images(evidence: Evidence, mirror: MirrorPlane | None) -> FloatArray:
    """Observed points and, where the mirror does not put them into empty space, their images."""
    points = evidence.points.points_m.astype(np.float64)
    if mirror is None:
        return points
    images = mirror.reflect(points)
    return np.concatenate([points, images[~emptiness(evidence, images)]])


def _probability(distance_m: Float32Array, evidence: Evidence) -> Float32Array:
    """Logistic in the distance: one voxel wide where observed, wider on the hidden side."""
    width = np.where(evidence.surface > 0, 1.0, 4.0) * evidence.grid.voxel_m
    probability = 1.0 / (1.0 + np.exp(np.clip(distance_m / width, -30, 30)))
    return np.asarray(probability, np.float32)
