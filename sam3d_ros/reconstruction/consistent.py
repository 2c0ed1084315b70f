# SPDX-License-Identifier: Apache-2.0
"""A completion made to agree with the evidence, by construction.

Inside the result: nothing that a ray saw through, nothing of the neighbours, nothing under the
support. On its surface: what was observed. Everything else is the completion's.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.reconstruction.completion import Completion
from sam3d_ros.reconstruction.evidence import Evidence

SKIN_VOXELS = 1.0
"""Depth behind the observed surface that is always inside, voxels."""

MARGIN_VOXELS = 0.3
"""Distance by which a voxel proven empty stays outside, voxels."""

LEAST_PART = 0.08
"""A separate part is kept when it carries at least this share of the observed surface."""


def consistent_distance(evidence: Evidence, completion: Completion) -> Float32Array:
    """Return the completion's (N, N, N) float32 signed distance in metres (< 0 inside), made
    consistent with the evidence.
    """
    voxel = evidence.grid.voxel_m
    measured = evidence.distance_m
    empty = (evidence.free | evidence.outside).astype(bool)
    near = (evidence.surface > 0) & ~evidence.outside.astype(bool)
    field = completion.distance_m.copy()
    skin = near & (measured <= 0) & (measured > -SKIN_VOXELS * voxel)
    field[skin] = np.minimum(field[skin], measured[skin])
    front = near & (measured > 0)
    field[front] = np.maximum(field[front], measured[front])
    field[empty] = np.maximum(field[empty], MARGIN_VOXELS * voxel)
    if evidence.support_m is not None:
        field = np.maximum(field, -_support_heights(evidence))
    return _solid(field, skin, evidence)


def _support_heights(evidence: Evidence) -> Float32Array:
    a = evidence.grid.axis_m
    nx, ny, nz, d = evidence.support_m if evidence.support_m is not None else (0, 0, 0, 0)
    heights = (nx * a)[:, None, None] + (ny * a)[None, :, None] + (nz * a + d)[None, None, :]
    return heights.astype(np.float32)


def _solid(field: Float32Array, skin: BoolArray, evidence: Evidence) -> Float32Array:
    """Drop parts that carry no observed surface; fill cavities that no ray has seen."""
    inside = field < 0
    voxel = evidence.grid.voxel_m
    parts, count = ndimage.label(inside)
    if count > 1:
        carried = np.bincount(parts[skin & inside], minlength=count + 1).astype(float)
        carried[0] = 0.0
        kept = carried >= LEAST_PART * max(carried.sum(), 1.0)
        kept[
            np.argmax(carried) if carried.any() else np.argmax(np.bincount(parts.ravel())[1:]) + 1
        ] = True
        field = np.where(inside & ~kept[parts], np.float32(MARGIN_VOXELS * voxel), field)
    holes, count = ndimage.label(field >= 0)
    if count > 1:
        seen = np.zeros(count + 1, bool)
        seen[np.unique(holes[(evidence.free | evidence.outside).astype(bool)])] = True
        seen[holes[0, 0, 0]] = True
        field = np.where((holes > 0) & ~seen[holes], np.float32(-MARGIN_VOXELS * voxel), field)
    return field
