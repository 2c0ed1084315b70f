# SPDX-License-Identifier: Apache-2.0
"""A completion made to agree with the evidence, by construction.

Inside the result: nothing that a ray saw through, nothing of the neighbours, nothing under the
support. On its surface: what was observed. Everything else is the completion's.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.occupancy import grown, used_box

SKIN_VOXELS = 1.0
"""Depth behind the observed surface that is always inside, voxels."""

MARGIN_VOXELS = 0.3
"""Distance by which a voxel proven empty stays outside, voxels."""

TOLERANCE_SIGMAS = 1.0
"""Room around the measured surface in which the (smoother) completion is believed."""

SUPPORT_SKIN_VOXELS = 2.0
"""So near to the support a ray's end does not tell the support from a thin object."""

LEAK_VOXELS = 2
"""Half of the widest opening through which a cavity that no ray saw is still taken as enclosed."""

CUBE = np.ones((3, 3, 3), bool)

LEAST_PART = 0.03
"""A separate part is kept when it carries at least this share of the observed surface."""


def consistent_distance(evidence: Evidence, completion: Completion) -> Float32Array:
    """Return the completion's (N, N, N) float32 signed distance in metres (< 0 inside), made
    consistent with the evidence. Cracks and pinholes of a voxel or two that no ray has proven
    empty are closed: a wall has them where it is thinner than a voxel.
    """
    voxel = evidence.grid.voxel_m
    measured = evidence.distance_m
    empty = _proven_empty(evidence)
    near = (evidence.surface > 0) & ~evidence.outside.astype(bool)
    field = completion.distance_m.copy()
    tolerance = TOLERANCE_SIGMAS * float(np.median(evidence.points.sigmas_m))
    skin = near & (measured <= 0) & (measured > -SKIN_VOXELS * voxel - tolerance)
    field[skin] = np.minimum(field[skin], measured[skin] + tolerance)
    front = near & (measured > 0)
    field[front] = np.maximum(field[front], measured[front] - tolerance)
    cracks = ~grown(~grown(field < 0)) & (field >= 0)
    field[cracks] = -MARGIN_VOXELS * voxel
    field[empty] = np.maximum(field[empty], MARGIN_VOXELS * voxel)
    if evidence.support_m is not None:
        # Half a voxel of room lets thin things on the support exist; the mesh is cut flat later.
        depths = -evidence.grid.heights_m(evidence.support_m) - np.float32(0.5 * voxel)
        field = np.maximum(field, depths)
    return _solid(field, skin, evidence)


def _proven_empty(evidence: Evidence) -> BoolArray:
    """Clear, or on the skin of other things, less the support's, where thin things lie too."""
    skin = (evidence.outside & ~evidence.free).astype(bool)
    if evidence.support_m is not None:
        heights = evidence.grid.heights_m(evidence.support_m)
        skin &= heights > SUPPORT_SKIN_VOXELS * evidence.grid.voxel_m
    return skin | evidence.clear.astype(bool)


def _solid(field: Float32Array, skin: BoolArray, evidence: Evidence) -> Float32Array:
    """Drop parts that carry no observed surface; fill cavities that no ray has seen."""
    box = used_box(field < 0)
    part, inside = field[box], field[box] < 0
    outer = np.float32(MARGIN_VOXELS * evidence.grid.voxel_m)
    parts, count = ndimage.label(inside, CUBE)
    if count > 1:
        carried = np.bincount(parts[skin[box] & inside], minlength=count + 1).astype(float)
        carried[0] = 0.0
        kept = carried >= max(LEAST_PART * carried.sum(), 1.0)
        part = np.where(inside & ~kept[parts], outer, part)
    part = np.where(_cavities(part < 0, evidence, box), -outer, part)
    field[box] = part
    return field


def _cavities(inside: BoolArray, evidence: Evidence, box: tuple[slice, ...]) -> BoolArray:
    """Return the empty voxels of enclosed cavities that no ray has seen into.

    Nothing tells of such a cavity, and a solid is the likelier guess. Leaks between its walls are
    closed first, which is a morphological closing (Serra, 1982) with the openings kept.
    """
    room = np.pad(inside, LEAK_VOXELS + 1)
    walls = grown(room, LEAK_VOXELS)
    holes, count = ndimage.label(~walls)
    if count < 2:
        return np.zeros_like(inside)
    clear = np.pad((evidence.free | evidence.outside)[box].astype(bool), LEAK_VOXELS + 1)
    seen = np.zeros(count + 1, bool)
    seen[np.unique(holes[clear])] = True
    seen[holes[0, 0, 0]] = True
    cavity = grown((holes > 0) & ~seen[holes], LEAK_VOXELS + 1)
    core = (slice(LEAK_VOXELS + 1, -LEAK_VOXELS - 1),) * 3
    found: BoolArray = (cavity & ~room & ~clear)[core]
    return found
