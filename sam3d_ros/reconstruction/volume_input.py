# SPDX-License-Identifier: Apache-2.0
"""Evidence as the input channels of the volume network, the same in training and in use."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.reconstruction.evidence import Evidence

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
)
"""What each channel holds, in order; all scaled to 0..255."""

LARGEST_VOXEL_M = 0.01


def volume_input(evidence: Evidence) -> ByteArray:
    """Return (channels, N, N, N) uint8, in the order of :data:`CHANNELS`.

    ``distance`` runs from -truncation (0) to +truncation (255); ``height`` over the support from
    0 to the side of the volume, 0 everywhere when there is no support; ``voxel`` is the voxel's
    side from 0 to 10 mm, so that the network knows the metric size.
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
    return channels


def _scaled(values: Float32Array) -> ByteArray:
    return np.rint(255.0 * np.clip(values, 0.0, 1.0)).astype(np.uint8)


def _heights(evidence: Evidence) -> Float32Array:
    """(N, N, N) float32 height over the support as a share of the volume's side."""
    grid = evidence.grid
    if evidence.support_m is None:
        return np.zeros((grid.size,) * 3, np.float32)
    return grid.heights_m(evidence.support_m) / np.float32(grid.size * grid.voxel_m)
