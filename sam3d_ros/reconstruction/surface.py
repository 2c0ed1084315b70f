# SPDX-License-Identifier: Apache-2.0
"""Watertight, outward meshes from signed distance volumes: naive surface nets on repaired signs.

Gibson, "Constrained elastic surface nets", MICCAI 1998, without the elastic step; the signs are
made well-composed first, so that the mesh is a 2-manifold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array, IndexArray
from sam3d_ros.reconstruction.grid import Grid
from sam3d_ros.reconstruction.wellcomposed import well_composed


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
        vertices, faces = _net(distance_m, voxel)
        if len(faces) <= max_faces:
            return vertices, faces
        # The number of faces goes with the square of the resolution; 3 % to be sure.
        smaller = min(int(size * np.sqrt(0.97 * max_faces / len(faces))), size - 1)
        voxel, size = voxel * size / smaller, smaller
        distance_m = _resampled(distance_m, size)


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


def _net(distance_m: Float32Array, voxel_m: float) -> tuple[Float32Array, IndexArray]:
    low, part = _occupied(distance_m)
    if part.size == 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    field = np.pad(part, 2, constant_values=voxel_m)
    inside = well_composed(field)
    # A sign flipped by the repair gets a value that keeps its vertices at mid-edge.
    field = np.where(inside == (field < 0), field, np.where(inside, -1e-3, 1e-3) * voxel_m)
    crossings = [_crossings(field, inside, axis) for axis in range(3)]
    cells = np.concatenate([cell for cell, _, _ in crossings])
    positions = np.concatenate([position for _, position, _ in crossings])
    flips = np.concatenate([flip for _, _, flip in crossings])
    used = np.zeros(field.size, bool)
    used[cells] = True
    quads = (np.cumsum(used) - 1)[cells].astype(np.int32)
    count = np.bincount(quads.ravel())
    total = [np.bincount(quads.ravel(), np.repeat(positions[:, k], 4)) for k in range(3)]
    vertices = np.stack(total, axis=1) / count[:, None]
    quads[flips] = quads[flips, ::-1]
    centred = (vertices + low - 2.0 - (distance_m.shape[0] / 2 - 0.5)) * voxel_m
    return centred.astype(np.float32), _split(quads, centred)


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


def _crossings(
    field: Float32Array, inside: BoolArray, axis: int
) -> tuple[IndexArray, Float32Array, BoolArray]:
    """Grid edges along ``axis`` that the surface crosses.

    :returns: (M, 4) flat cells around each edge, right-handed about +axis; (M, 3) crossing
        points in voxels; (M,) bool, whether the outside lies on the lower side.
    """
    low = [slice(None)] * 3
    high = [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    edges = np.argwhere(inside[tuple(low)] != inside[tuple(high)])
    step = np.eye(3, dtype=np.int64)[axis]
    a = field[tuple(edges.T)]
    b = field[tuple((edges + step).T)]
    positions = edges.astype(np.float32)
    positions[:, axis] += a / (a - b)
    strides = np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
    u, v = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
    base = edges @ strides
    cells = base[:, None] + np.array([-u - v, -v, 0, -u])
    return cells, positions, a > 0


def _split(quads: npt.NDArray[np.integer], vertices: Float32Array) -> IndexArray:
    """Split quads along their shorter diagonal."""
    a, b, c, d = (vertices[quads[:, k]] for k in range(4))
    shorter = np.sum((a - c) ** 2, axis=1) <= np.sum((b - d) ** 2, axis=1)
    first = np.where(shorter[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    second = np.where(shorter[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.concatenate([first, second]).astype(np.int32)
