# SPDX-License-Identifier: Apache-2.0
"""Blocks of a coarse volume near its surface, with halos, and evidence at twice its resolution.

The same in training and in use. A block has CORE coarse voxels along each side, and HALO more
around that only inform; its fine voxels are FACTOR times as many along each side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS, volume_input
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.evidence.occupancy import grown
from sam3d_ros.reconstruction.evidence.rays import cast_at

FACTOR, CORE, HALO = 2, 8, 2
COARSE_CHANNELS = ('completed', 'probability', *CHANNELS[: CHANNELS.index('red')])
"""What each channel of a block holds at the coarse resolution, see :mod:`.volume_input`."""
FINE_CHANNELS = ('distance', 'surface', 'empty')
"""What each channel of a block holds at the fine resolution."""
FEATURES = 32
"""Channels of the coarse network's last layer, at half the coarse resolution."""

NEAR_VOXELS = 1.5
"""Coarse voxels this near to the completed surface are decoded again."""
TRUNCATION_VOXELS = 4.0
"""Truncation of signed distances at the fine resolution, in its voxels."""
OBSERVED = 0.1
"""Likelihood from which on a coarse voxel near an observed surface is decoded again."""
THIN_VOXELS, THIN_SHARE = 2, 0.5
"""A thing is thin where its walls go within so many coarse voxels, and it is so on the whole when
that is this share of it."""


Number = TypeVar('Number', np.uint8, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class FineEvidence:
    """What rays say about fine voxels, (P,) each.

    :param voxels: (P, 3) int32 indices in the fine grid.
    :param distance_m: float32 signed distance along own rays, mean, clipped; NaN where none.
    :param surface: float32 0..1, likelihood of the observed surface.
    :param empty: bool, seen through or of another thing.
    :param clear: bool, empty even if depth edges are off by a pixel.
    """

    voxels: npt.NDArray[np.int32]
    distance_m: Float32Array
    surface: Float32Array
    empty: BoolArray
    clear: BoolArray


def fine_grid(grid: Grid) -> Grid:
    """Return the grid of the same volume with FACTOR times as many voxels along each side."""
    return Grid(FACTOR * grid.size, grid.voxel_m / FACTOR, grid.T_ref_grid)


def is_thin(inside: BoolArray) -> bool:
    """Whether most of a solid is walls, blades or handles of a few voxels.

    :param inside: (N, N, N) bool. What an opening (Serra, 1982) leaves is not thin.
    """
    core = ~grown(~inside, THIN_VOXELS)
    kept = int((grown(core, THIN_VOXELS) & inside).sum())
    return kept < (1.0 - THIN_SHARE) * int(inside.sum())


def near_voxels(evidence: Evidence, distance_m: Float32Array) -> BoolArray:
    """Return (N, N, N) bool: the coarse voxels that are decoded again.

    :param distance_m: (N, N, N) float32 completed signed distance, consistent with the evidence.
    """
    near = np.abs(distance_m) < NEAR_VOXELS * evidence.grid.voxel_m
    observed = (evidence.surface > OBSERVED) & (evidence.outside == 0)
    return np.asarray(near | observed)


def near_blocks(near: BoolArray) -> npt.NDArray[np.intp]:
    """Return (B, 3) indices of the blocks whose cores hold a voxel that is decoded again."""
    count = len(near) // CORE
    held = near.reshape(count, CORE, count, CORE, count, CORE).any(axis=(1, 3, 5))
    return np.argwhere(held)


def fine_evidence(evidence: Evidence, near: BoolArray, config: EvidenceConfig) -> FineEvidence:
    """Return what the rays of all views say about the fine voxels in the coarse ones of ``near``.

    :param evidence: at the coarse resolution.
    :param near: (N, N, N) bool.
    :param config: how sure a ray must be of free space.
    """
    grid = fine_grid(evidence.grid)
    children = np.indices((FACTOR,) * 3).reshape(3, -1).T
    voxels = (FACTOR * np.argwhere(near)[:, None] + children).reshape(-1, 3).astype(np.int32)
    points = (voxels + np.float32(0.5 - grid.size / 2)) * np.float32(grid.voxel_m)
    truncation_m = TRUNCATION_VOXELS * grid.voxel_m
    total, weight, surface = (np.zeros(len(voxels), np.float32) for _ in range(3))
    empty, clear = np.zeros((2, len(voxels)), bool)
    for view in evidence.views:
        rays = cast_at(view, points.astype(np.float32), grid, truncation_m, config)
        total += rays.distance_m
        weight += rays.near
        np.maximum(surface, rays.surface, out=surface)
        empty |= rays.free | rays.outside
        clear |= rays.clear
    distance_m = np.where(weight > 0, total / np.maximum(weight, 1.0), np.float32(np.nan))
    return FineEvidence(voxels, distance_m, surface, empty, clear)


def block_inputs(
    evidence: Evidence,
    distance_m: Float32Array,
    probability: Float32Array,
    fine: FineEvidence,
    blocks: npt.NDArray[np.intp],
) -> tuple[ByteArray, ByteArray]:
    """Return the network's inputs: (B, C, 12, 12, 12) coarse and (B, F, 24, 24, 24) fine uint8.

    :param distance_m: (N, N, N) float32 completed signed distance.
    :param probability: (N, N, N) float32 0..1 of being inside.
    :param fine: evidence in the fine voxels; where there is none, nothing is known.
    :param blocks: (B, 3) indices of blocks.
    """
    stacked = np.stack([0.5 + 0.5 * distance_m / evidence.truncation_m, probability])
    core = np.rint(255.0 * np.clip(stacked, 0.0, 1.0)).astype(np.uint8)
    core = np.concatenate([core, volume_input(evidence)[: len(COARSE_CHANNELS) - 2]])
    coarse = np.pad(core, ((0, 0), *((HALO, HALO),) * 3), mode='edge')
    wide = FACTOR * HALO
    side = FACTOR * evidence.grid.size + 2 * wide
    volume = np.zeros((len(FINE_CHANNELS), *(side,) * 3), np.uint8)
    volume[0] = 128
    truncation = TRUNCATION_VOXELS * evidence.grid.voxel_m / FACTOR
    known = np.nan_to_num(fine.distance_m / truncation, nan=0.0)
    x, y, z = (fine.voxels + wide).T
    volume[0, x, y, z] = np.rint(128 + 127 * np.clip(known, -1.0, 1.0)).astype(np.uint8)
    volume[1, x, y, z] = np.rint(255 * fine.surface).astype(np.uint8)
    volume[2, x, y, z] = 255 * fine.empty.astype(np.uint8)
    return _gathered(coarse, CORE, HALO, blocks), _gathered(volume, FACTOR * CORE, wide, blocks)


def block_features(features: Float32Array, blocks: npt.NDArray[np.intp]) -> Float32Array:
    """Return the network's third input: (B, L, 6, 6, 6) float32; 0 beyond the volume.

    :param features: (L, N/2, N/2, N/2) float32, the coarse network's last layer.
    :param blocks: (B, 3) indices of blocks.
    """
    halo = HALO // 2
    padded = np.pad(features, ((0, 0), *((halo, halo),) * 3))
    return _gathered(padded, CORE // 2, halo, blocks)


def _gathered(
    volume: npt.NDArray[Number], core: int, halo: int, blocks: npt.NDArray[np.intp]
) -> npt.NDArray[Number]:
    """(B, C, n, n, n) blocks with halos of a (C, X, Y, Z) volume that is padded by the halo."""
    side = core + 2 * halo
    windows = np.lib.stride_tricks.sliding_window_view(volume, (side,) * 3, axis=(1, 2, 3))
    x, y, z = core * blocks.T
    return np.ascontiguousarray(windows[:, x, y, z].swapaxes(0, 1))
