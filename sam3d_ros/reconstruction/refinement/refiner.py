# SPDX-License-Identifier: Apache-2.0
"""Thin things refined: blocks near the surface decoded again by a network, in agreement with rays.

The network is this project's own (``models/refinement.md``) and runs through ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import MARGIN_VOXELS, TOLERANCE_SIGMAS
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.refinement.blocks import (
    CORE,
    FACTOR,
    FineEvidence,
    block_features,
    block_inputs,
    fine_evidence,
    fine_grid,
    is_thin,
    near_blocks,
    near_voxels,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WEIGHTS = 'refinement'


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A thin thing at FACTOR times the resolution of its evidence.

    :param distance_m: (M, M, M) float32 signed distance, < 0 inside, in ``grid``.
    :param thickness_m: (M, M, M) float32 thickness of the wall next to each voxel.
    :param near: (N, N, N) bool, the coarse voxels that were decoded again.
    :param grid: the fine grid.
    """

    distance_m: Float32Array
    thickness_m: Float32Array
    near: BoolArray
    grid: Grid


class Refiner:
    """The refinement stage; the weights are read at the first thin thing."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config.evidence
        self._device = config.device

    def refine(
        self, evidence: Evidence, distance_m: Float32Array, completion: Completion
    ) -> Refined | None:
        """Return a thin thing refined; None for any other, which the coarse volume holds well,
        and for what was not completed by ``volume``.

        :param evidence: at the coarse resolution.
        :param distance_m: (N, N, N) float32 completed signed distance, consistent with it.
        :param completion: what it was made from.
        :raises BackendError: when the weights are missing or not the registered ones.
        """
        if completion.features is None or not is_thin(distance_m < 0):
            return None
        near = near_voxels(evidence, distance_m)
        blocks = near_blocks(near)
        fine = fine_evidence(evidence, near, self._config)
        coarse, sharp = block_inputs(evidence, distance_m, completion.probability, fine, blocks)
        grid = fine_grid(evidence.grid)
        features = block_features(completion.features, blocks)
        decoded, thickness = run_network(self._session, coarse, sharp, features)
        x, y, z = fine.voxels.T
        voxel = np.float32(grid.voxel_m)
        values = voxel * _scattered(decoded, blocks, grid.size)[x, y, z]
        field = distance_m.repeat(FACTOR, 0).repeat(FACTOR, 1).repeat(FACTOR, 2)
        field[x, y, z] = _consistent(values, evidence, fine, grid)
        return Refined(field, voxel * _scattered(thickness, blocks, grid.size), near, grid)

    @cached_property
    def _session(self) -> InferenceSession:
        return open_session(verified_file(WEIGHTS), device=self._device)


def run_network(
    session: InferenceSession, coarse: ByteArray, fine: ByteArray, features: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Return (B, 16, 16, 16) signed distance and wall thickness of blocks, in fine voxels.

    :param session: the network's.
    :param coarse: (B, C, 12, 12, 12) uint8, see :func:`.blocks.block_inputs`; ``fine`` likewise.
    :param features: (B, L, 6, 6, 6) float32, see :func:`.blocks.block_features`.
    """
    unit = np.float32(255.0)
    inputs = {
        'coarse': coarse.astype(np.float32) / unit,
        'fine': fine.astype(np.float32) / unit,
        'features': features,
    }
    distance, thickness = session.run(['distance', 'thickness'], inputs)
    return distance, thickness


def _scattered(cores: Float32Array, blocks: npt.NDArray[np.intp], size: int) -> Float32Array:
    """(size, size, size) float32: cores of blocks in their places, 0 elsewhere."""
    side = FACTOR * CORE
    count = size // side
    volume = np.zeros((count, count, count, side, side, side), np.float32)
    volume[tuple(blocks.T)] = cores
    return volume.transpose(0, 3, 1, 4, 2, 5).reshape(size, size, size)


def _consistent(
    values: Float32Array, evidence: Evidence, fine: FineEvidence, grid: Grid
) -> Float32Array:
    """Decoded distances of fine voxels, (P,), made to agree with the rays, metres.

    As :mod:`sam3d_ros.reconstruction.completion.consistent` does with the coarse volume, but for
    skins of other things and the support: they carved that, and the network keeps close to it.
    """
    measured, voxel = fine.distance_m, np.float32(grid.voxel_m)
    tolerance = np.float32(TOLERANCE_SIGMAS * np.median(evidence.points.sigmas_m))
    own = ~fine.empty & np.isfinite(measured)
    behind = own & (measured <= 0) & (measured > -voxel - tolerance)
    values = np.where(behind, np.minimum(values, measured + tolerance), values)
    return np.where(fine.clear, np.maximum(values, MARGIN_VOXELS * voxel), values)
