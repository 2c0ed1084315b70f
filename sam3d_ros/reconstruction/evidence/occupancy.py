# SPDX-License-Identifier: Apache-2.0
"""Which voxels lie inside a closed mesh: crossings counted along the columns of the grid."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, IndexArray
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.evidence.raster import cover, turned

ASIDE = np.array([1.3e-4, 2.1e-4])
"""Columns stand this far (voxels) beside the voxel centres, so that they meet no vertex."""


def inside_mesh(vertices: Float32Array, faces: IndexArray, grid: Grid) -> BoolArray:
    """Return (N, N, N) bool: the voxel centres inside a closed, outward mesh.

    :param vertices: (V, 3) float32, grid frame, metres.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    at = grid.coordinates(vertices.astype(np.float64))
    columns = (at[:, :2] - ASIDE).take(faces, axis=0)
    # Pixels of an image whose rows run along x and whose columns run along y.
    covered = cover(columns[..., ::-1], grid.size, grid.size)
    z = np.einsum('mc,mc->m', covered.weights, at[:, 2][faces[covered.face]])
    first = np.clip(np.ceil(z), 0, grid.size).astype(np.int64)
    # Upwards through a face that looks down one gets in, through one that looks up out.
    turns = np.bincount(
        covered.pixel * (grid.size + 1) + first,
        -np.sign(turned(columns))[covered.face],
        minlength=grid.size**2 * (grid.size + 1),
    )
    winding = np.cumsum(turns.reshape(grid.size, grid.size, grid.size + 1), axis=2)
    inside: BoolArray = winding[:, :, :-1] > 0.5
    return inside


def grown(inside: BoolArray, steps: int = 1) -> BoolArray:
    """Return (X, Y, Z) bool: the voxels set and all that so many steps lead to, each to any of a
    voxel's 26 neighbours.

    :param inside: (X, Y, Z) bool.
    """
    result = inside.copy()
    for axis in range(3):
        before = (slice(None),) * axis + (slice(None, -1),)
        after = (slice(None),) * axis + (slice(1, None),)
        for _ in range(steps):
            lines = result.copy()
            result[after] |= lines[before]
            result[before] |= lines[after]
    return result


def used_box(inside: BoolArray) -> tuple[slice, slice, slice]:
    """Return the slices of the smallest part with all voxels set, and a margin of one around."""
    slices = []
    for axis in range(3):
        used = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        first, last = (used[0], used[-1]) if len(used) else (0, -1)
        slices.append(slice(max(int(first) - 1, 0), int(last) + 2))
    return slices[0], slices[1], slices[2]
