# SPDX-License-Identifier: Apache-2.0
"""Watertight, outward meshes from signed distance volumes: naive surface nets on repaired signs.

Gibson, "Constrained elastic surface nets", MICCAI 1998, without the elastic step; the signs are
made well-composed first, so that the mesh is a 2-manifold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import squared_lengths
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.surface.wellcomposed import well_composed

PADDING = 2
"""Voxels outside around what has an inside: a layer for the cells, one for the repair."""

Indices = npt.NDArray[np.intp]


def extract_surface(
    distance_m: Float32Array, grid: Grid, max_faces: int = 1_000_000
) -> tuple[Float32Array, IndexArray]:
    """Return the zero surface of a signed distance volume, in the grid frame.

    The volume's border counts as outside, so that the surface closes. A net of more than
    ``max_faces`` faces is made again from a coarser sampling of the volume.

    :param distance_m: (N, N, N) float32, < 0 inside.
    :returns: (V, 3) float32 vertices in metres, (F, 3) int32 faces, counter-clockwise from
        outside; both empty when nothing is inside.
    """
    voxel, size = grid.voxel_m, grid.size
    while True:
        lattice = _lattice(distance_m, voxel)
        count = lattice.faces
        if count <= max_faces:
            return _net(lattice)
        # The number of faces goes with the square of the resolution; 3 % to be sure.
        smaller = min(int(size * np.sqrt(0.97 * max_faces / count)), size - 1)
        voxel, size = voxel * size / smaller, smaller
        distance_m = _resampled(distance_m, size)


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """The part of a volume that has an inside, and where the surface crosses its edges.

    :param field: (X, Y, Z) float32 signed distances, metres; outside ``PADDING`` from the border.
    :param inside: (X, Y, Z) bool, well-composed.
    :param edges: per axis, (M,) flat indices of the lower ends of the edges crossed.
    :param first: (3,) place of the part in the volume, voxels.
    :param size: voxels along each side of the volume.
    """

    field: Float32Array
    inside: BoolArray
    edges: tuple[Indices, ...]
    first: IndexArray
    size: int
    voxel_m: float

    @property
    def faces(self) -> int:
        """Number of faces of the surface."""
        return 2 * sum(len(edges) for edges in self.edges)


def _lattice(distance_m: Float32Array, voxel_m: float) -> _Lattice:
    first, part = _occupied(distance_m)
    field = np.pad(part, PADDING, constant_values=voxel_m)
    inside = well_composed(field)
    # Where the repair put voxels inside, the surface passes just in front of them.
    field[inside & (field >= 0)] = -1e-3 * voxel_m
    states = inside.ravel()
    # Lines end outside, so that none of them crosses over to the next one.
    edges = tuple(
        np.flatnonzero(states[:-stride] != states[stride:]) for stride in _strides(field)
    )
    return _Lattice(field, inside, edges, first, len(distance_m), voxel_m)


def _net(lattice: _Lattice) -> tuple[Float32Array, IndexArray]:
    if lattice.faces == 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    cells = np.concatenate([_cells(lattice, axis) for axis in range(3)])
    positions = np.concatenate([_crossings(lattice, axis) for axis in range(3)])
    leaves = lattice.inside.ravel()[np.concatenate(lattice.edges)]
    used = np.zeros(lattice.field.size, bool)
    used[cells] = True
    quads = (np.cumsum(used, dtype=np.int32) - 1).take(cells)
    count = np.bincount(quads.ravel())
    total = [np.bincount(quads.ravel(), np.repeat(positions[:, k], 4)) for k in range(3)]
    vertices = np.stack(total, axis=1) / count[:, None]
    quads[~leaves] = quads[~leaves, ::-1]
    centred = (vertices + lattice.first - PADDING - (lattice.size / 2 - 0.5)) * lattice.voxel_m
    return centred.astype(np.float32), _split(quads, centred)


def _resampled(distance_m: Float32Array, size: int) -> Float32Array:
    """The same volume on size^3 voxels, trilinear."""
    scale = distance_m.shape[0] / size
    a = (np.arange(size) + 0.5) * scale - 0.5
    low = np.clip(np.floor(a).astype(np.intp), 0, distance_m.shape[0] - 2)
    share = np.clip(a - low, 0.0, 1.0).astype(np.float32)
    for axis in range(3):
        weights = share.reshape([-1 if k == axis else 1 for k in range(3)])
        before, after = distance_m.take(low, axis), distance_m.take(low + 1, axis)
        distance_m = before + weights * (after - before)
    return distance_m


def _occupied(distance_m: Float32Array) -> tuple[IndexArray, Float32Array]:
    """The part of a volume that has an inside, one voxel around it, less the volume's border.

    :returns: (3,) index of its first voxel, and the part (empty when nothing is inside).
    """
    core = distance_m[1:-1, 1:-1, 1:-1] < 0
    lines = [np.flatnonzero(core.any(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
    if len(lines[0]) == 0:
        return np.zeros(3, np.int32), distance_m[:0]
    # Indices in the core are one less than in the volume: this is one voxel to either side.
    low = np.array([max(line[0], 1) for line in lines], np.int32)
    high = [min(int(line[-1]) + 3, n - 1) for line, n in zip(lines, distance_m.shape, strict=True)]
    return low, distance_m[low[0] : high[0], low[1] : high[1], low[2] : high[2]]


def _strides(field: Float32Array) -> tuple[int, int, int]:
    """Flat distances between neighbours along each axis."""
    return field.shape[1] * field.shape[2], field.shape[2], 1


def _cells(lattice: _Lattice, axis: int) -> Indices:
    """(M, 4) flat cells around each edge along ``axis``, right-handed about it."""
    strides = _strides(lattice.field)
    u, v = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
    return lattice.edges[axis][:, None] + np.array([-u - v, -v, 0, -u])


def _crossings(lattice: _Lattice, axis: int) -> Float32Array:
    """(M, 3) voxels, where the surface crosses the edges along ``axis``."""
    edges, field = lattice.edges[axis], lattice.field
    values = field.ravel()
    a, b = (values[ends].astype(np.float64) for ends in (edges, edges + _strides(field)[axis]))
    positions = np.stack(np.unravel_index(edges, field.shape), axis=1).astype(np.float32)
    positions[:, axis] += a / (a - b)
    return positions


def _split(quads: IndexArray, vertices: FloatArray) -> IndexArray:
    """Split quads along their shorter diagonal."""
    a, b, c, d = (vertices.take(quads[:, k], axis=0) for k in range(4))
    shorter = squared_lengths(a - c) <= squared_lengths(b - d)
    first = np.where(shorter[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    second = np.where(shorter[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.concatenate([first, second])
