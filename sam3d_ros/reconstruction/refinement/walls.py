# SPDX-License-Identifier: Apache-2.0
"""A refined volume as a surface with the coarse volume's budget of faces.

The coarse lattice gives the faces: a coarse voxel counts as inside when any of its fine ones is,
so that walls thinner than a coarse voxel stay closed. The fine volume then says where they lie,
and how far what looks one way must stay from what looks the other way.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import vertex_normals
from sam3d_ros.reconstruction.completion.consistent import CUBE, LEAST_PART
from sam3d_ros.reconstruction.refinement.blocks import FACTOR
from sam3d_ros.reconstruction.refinement.refiner import Refined
from sam3d_ros.reconstruction.surface.labels import sample

STEPS, SHARE = 3, 0.8
"""Steps of each vertex along its normal, and how much of its distance each covers."""
FARTHEST_VOXELS = 1.5
"""Coarse voxels that a vertex moves at most."""
THINNEST_VOXELS = 1.6
"""Thickness, in fine voxels, that the network was taught to give thinner walls."""
ROOM = 0.4
"""Share of a wall's thickness that one side of it may be pulled towards the other one."""


def closed_walls(
    distance_m: Float32Array, refined: Refined, observed: Float32Array
) -> Float32Array:
    """Return (N, N, N) float32: a coarse signed distance whose inside holds the fine volume's.

    :param distance_m: (N, N, N) float32 coarse signed distance.
    :param refined: the fine volume.
    :param observed: (N, N, N) float32 likelihood of the observed surface; parts that carry hardly
        any of it are left out.
    """
    size = len(distance_m)
    fine = refined.distance_m.reshape((size, FACTOR) * 3)
    closed = np.where(refined.near, fine.min(axis=(1, 3, 5)), distance_m)
    parts, count = ndimage.label(closed < 0, CUBE)
    carried = np.bincount(parts.ravel(), observed.ravel(), count + 1)
    carried[0] = 0.0
    dropped = carried < LEAST_PART * carried.sum()
    dropped[0] = False
    return np.where(dropped[parts], np.abs(closed), closed)


def drawn_in(vertices: Float32Array, faces: IndexArray, refined: Refined) -> Float32Array:
    """Return the vertices moved along their normals onto the surface of the fine volume.

    :param vertices: (V, 3) float32, grid frame, metres.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    most = np.float32(FARTHEST_VOXELS * FACTOR * refined.grid.voxel_m)
    moved = vertices
    for _ in range(STEPS):
        off = sample(refined.distance_m, moved, refined.grid)
        moved = moved - SHARE * off[:, None] * vertex_normals(moved, faces)
        moved = vertices + np.clip(moved - vertices, -most, most)
    return np.asarray(moved, np.float32)


def kept_apart(
    vertices: Float32Array,
    drawn: Float32Array,
    normals: Float32Array,
    refined: Refined,
    support_m: FloatArray | None,
) -> Float32Array:
    """Return the vertices, those put back that were pulled through their walls: by points of the
    side that was seen, or onto the support.

    :param vertices: (V, 3) float32, grid frame, metres, as they were pulled.
    :param drawn: (V, 3) float32, before that, with ``normals`` outward, unit.
    :param support_m: (4,) plane under the object.
    """
    thinnest = np.float32(THINNEST_VOXELS * refined.grid.voxel_m)
    thickness_m = refined.thickness_m
    known = np.where(thickness_m > 0, thickness_m, thickness_m.max(initial=0.0))
    room = ROOM * np.maximum(sample(known, drawn, refined.grid), thinnest)
    inward = np.einsum('vc,vc->v', drawn - vertices, normals)
    vertices = vertices + np.maximum(inward - room, 0.0)[:, None] * normals
    if support_m is None:
        return vertices
    up = support_m[:3].astype(np.float32)
    heights = vertices @ up + np.float32(support_m[3])
    least = (1.0 - ROOM) * thinnest * np.clip(normals @ up, 0.0, 1.0)
    return vertices + np.maximum(least - heights, 0.0)[:, None] * up
