# SPDX-License-Identifier: Apache-2.0
"""Completion: from an object's evidence to a guess of its whole volume, by interchangeable
backends (entry points ``sam3d_ros.reconstruction``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import ByteArray, Float32Array, IndexArray
from sam3d_ros.reconstruction.evidence.evidence import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class MadeSurface:
    """A surface with colours that a backend made itself, grid frame, metres.

    :param vertices: (V, 3) float32.
    :param faces: (F, 3) int32 indices of vertices, counter-clockwise seen from outside.
    :param colors: (V, 3) uint8 RGB.
    :param gaussians: its look, where the backend made them too.
    """

    vertices: Float32Array
    faces: IndexArray
    colors: ByteArray
    gaussians: Gaussians | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Completion:
    """A whole object in its evidence's grid, before it is made consistent with the evidence.

    :param distance_m: (N, N, N) float32 signed distance to the surface at the voxel centres,
        metres, < 0 inside; exact near the surface, may be truncated far from it.
    :param probability: (N, N, N) float32 0..1, calibrated probability that the voxel's centre
        is inside the object.
    :param backend: name of the backend.
    :param weights_hash: sha256 of its weights, empty when it has none.
    :param seed: seed it drew from, 0 when it draws nothing.
    :param surface: kept as the object's, with its colours, only pulled onto what was observed and
        cut where the evidence contradicts; None = the surface of ``distance_m``.
    :param features: (L, N/2, N/2, N/2) float32, last layer of the network of ``volume``, which
        the refinement goes on from; None when it was another backend, or the range was inferred.
    """

    distance_m: Float32Array
    probability: Float32Array
    backend: str
    weights_hash: str = ''
    seed: int = 0
    surface: MadeSurface | None = None
    features: Float32Array | None = None


class CompletionBackend(Protocol):
    """A way to complete objects; made once with the stage's configuration.

    One that has a method ``cancel`` is told, from another thread, that nobody wants the answer
    any more; one that has ``close`` is told at the end.
    """

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object, all in one batch."""
        ...
