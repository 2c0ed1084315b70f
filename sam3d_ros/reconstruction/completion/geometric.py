# SPDX-License-Identifier: Apache-2.0
"""Completion without weights: a superquadric where one explains all that was seen, else an
extruded outline that does; else the seen surface, turned about an axis or mirrored, closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.primitives.extrusion import extruded_distance
from sam3d_ros.reconstruction.completion.primitives.hollow import is_hollow, wall_distance
from sam3d_ros.reconstruction.completion.primitives.hull import convex_hull
from sam3d_ros.reconstruction.completion.primitives.revolution import (
    Axis,
    find_axis,
    revolved_distance,
    shell_distance,
)
from sam3d_ros.reconstruction.completion.primitives.superquadrics import superquadric_distance
from sam3d_ros.reconstruction.completion.primitives.symmetry import (
    MirrorPlane,
    emptiness,
    find_mirror,
    thinned,
)
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence

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
    distance = superquadric_distance(evidence)
    if distance is None:
        distance = extruded_distance(evidence)
    if distance is None:
        distance = _closed(evidence, possible)
    distance[~possible] = np.maximum(distance[~possible], 0.5 * evidence.grid.voxel_m)
    return Completion(distance, _probability(distance, evidence), 'geometric')


def _closed(evidence: Evidence, possible: BoolArray) -> Float32Array:
    """Signed distance to the observed profile turned about its axis, or else to the hull of the
    points and their mirror images; of walls alone where the sensor looked inside.
    """
    axis = find_axis(evidence)
    if axis is not None:
        hollow = is_hollow(convex_hull(_with_turns(evidence, axis)), evidence)
        return shell_distance(evidence, axis) if hollow else revolved_distance(evidence, axis)
    points = _with_images(evidence, find_mirror(evidence))
    hull = convex_hull(points)
    distance = hull.distance(evidence.grid, possible)
    if is_hollow(hull, evidence):
        distance = np.maximum(distance, wall_distance(points, evidence))
    return distance


def _with_turns(evidence: Evidence, axis: Axis) -> FloatArray:
    """Observed points and their images under rotation about an axis."""
    points = thinned(evidence.points.points_m.astype(np.float64), TURNED_POINTS)
    return np.concatenate([points, axis.turned(points).reshape(-1, 3)])


def _possible(evidence: Evidence) -> BoolArray:
    possible: BoolArray = (evidence.free | evidence.outside | evidence.below) == 0
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
    steepness = np.array([0.25, 1.0], np.float32) / np.float32(evidence.grid.voxel_m)
    odds = distance_m * steepness.take(evidence.surface > 0)
    probability: Float32Array = 1.0 / (1.0 + np.exp(np.clip(odds, -30.0, 30.0)))
    return probability
