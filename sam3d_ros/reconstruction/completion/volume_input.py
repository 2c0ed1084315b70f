# SPDX-License-Identifier: Apache-2.0
"""Evidence as the input channels of the volume network, the same in training and in use."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.reconstruction.evidence.evidence import Evidence

CHANNELS = (
    'surface',
    'distance',
    'silhouette',
    'free',
    'outside',
    'occluded',
    'blocked',
    'unseen',
    'below',
    'height',
    'voxel',
    'red',
    'green',
    'blue',
)
"""What each channel holds, in order; all scaled to 0..255."""

LARGEST_VOXEL_M = 0.01


def volume_input(evidence: Evidence) -> ByteArray:
    """Return (channels, N, N, N) uint8, in the order of :data:`CHANNELS`.

    ``distance`` runs from -truncation (0) to +truncation (255); ``height`` over the support from
    0 to the side of the volume, 0 everywhere when there is no support; ``voxel`` is the voxel's
    side from 0 to 10 mm, so that the network knows the metric size. ``red``, ``green`` and
    ``blue`` are the mean colour of the points seen in each block of 2x2x2 voxels, which is what
    the network's first layer folds together; 0 where none was seen.

    :param evidence: with an even number of voxels along each side.
    """
    size = evidence.grid.size
    channels = np.empty((len(CHANNELS), size, size, size), np.uint8)
    channels[0] = _scaled(evidence.surface)
    channels[1] = _scaled(0.5 + 0.5 * evidence.distance_m / evidence.truncation_m)
    channels[2] = _scaled(evidence.silhouette)
    flags = (evidence.free, evidence.outside, evidence.occluded, evidence.blocked)
    for number, flag in enumerate((*flags, evidence.unseen, evidence.below), start=3):
        np.multiply(flag, 255, out=channels[number], casting='unsafe')
    channels[9] = _scaled(_heights(evidence))
    channels[10] = round(255 * min(evidence.grid.voxel_m / LARGEST_VOXEL_M, 1.0))
    half = size // 2
    blocks = channels[11:].reshape(3, half, 2, half, 2, half, 2)
    blocks[:] = _block_colors(evidence)[:, :, None, :, None, :, None]
    return channels


def _scaled(values: Float32Array) -> ByteArray:
    return np.rint(255.0 * np.clip(values, 0.0, 1.0)).astype(np.uint8)


def _block_colors(evidence: Evidence) -> ByteArray:
    """(3, N/2, N/2, N/2) uint8 mean colour of the points in each block, 0 = no point."""
    half = evidence.grid.size // 2
    at = evidence.grid.coordinates(evidence.points.points_m.astype(np.float64))
    block = np.clip(np.rint(at).astype(np.intp) // 2, 0, half - 1)
    flat = np.ravel_multi_index(tuple(block.T), (half,) * 3)
    count = np.maximum(np.bincount(flat, minlength=half**3), 1)
    total = [np.bincount(flat, color, half**3) for color in evidence.points.colors.T]
    return np.rint(np.stack(total) / count).astype(np.uint8).reshape(3, half, half, half)


def _heights(evidence: Evidence) -> Float32Array:
    """(N, N, N) float32 height over the support as a share of the volume's side."""
    grid = evidence.grid
    if evidence.support_m is None:
        return np.zeros((grid.size,) * 3, np.float32)
    return grid.heights_m(evidence.support_m) / np.float32(grid.size * grid.voxel_m)
