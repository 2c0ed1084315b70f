# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes as arrays of vertices and faces."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from scipy import sparse

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray

Vectors = TypeVar('Vectors', FloatArray, Float32Array)


def sample_surface(
    vertices: FloatArray, faces: IndexArray, count: int, seed: int = 0
) -> FloatArray:
    """Return (count, 3) points spread uniformly over a mesh's area.

    :param vertices: (V, 3).
    :param faces: (F, 3) indices of vertices.
    :param seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    corners = vertices[faces].astype(np.float64)
    edges = corners[:, 1:] - corners[:, :1]
    areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    chosen = rng.choice(len(faces), count, p=areas / areas.sum())
    u, v = rng.random((2, count))
    outside = u + v > 1
    u[outside], v[outside] = 1 - u[outside], 1 - v[outside]
    points: FloatArray = (
        corners[chosen, 0] + u[:, None] * edges[chosen, 0] + v[:, None] * edges[chosen, 1]
    )
    return points


def adjacency(faces: IndexArray, count: int) -> sparse.csr_array:
    """Return the (count, count) matrix with a one for every edge of a closed mesh, both ways.

    :param faces: (F, 3) indices of vertices, closed.
    """
    ones = np.ones(faces.size)
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    return sparse.csr_array((ones, (start, end)), shape=(count, count))


def cross(a: Float32Array, b: Float32Array) -> Float32Array:
    """Return the (N, 3) cross products of two (N, 3) arrays; several times faster than numpy's.

    :param a: (N, 3), the left factors.
    :param b: (N, 3), the right factors.
    """
    product = np.empty_like(a)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        product[:, k] = a[:, i] * b[:, j] - a[:, j] * b[:, i]
    return product


def squared_lengths(vectors: Vectors) -> Vectors:
    """Return the (N,) squared lengths of (N, 3) vectors."""
    x, y, z = vectors.T
    squared: Vectors = x * x + y * y + z * z
    return squared


def lengths(vectors: Vectors) -> Vectors:
    """Return the (N,) lengths of (N, 3) vectors; several times faster than numpy's norm."""
    length: Vectors = np.sqrt(squared_lengths(vectors))
    return length


def face_normals(vertices: Float32Array, faces: IndexArray) -> Float32Array:
    """Return (F, 3) normals whose length is twice the face's area.

    :param vertices: (V, 3), in any frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    a, b, c = (vertices.take(faces[:, k], axis=0) for k in range(3))
    return cross(b - a, c - a)


def vertex_normals(vertices: Float32Array, faces: IndexArray) -> Float32Array:
    """Return (V, 3) unit normals, area-weighted; zero where degenerate.

    :param vertices: (V, 3), in any frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    """
    normals = face_normals(vertices, faces)
    total = [
        np.bincount(faces.ravel(), np.repeat(normals[:, k], 3), len(vertices)) for k in range(3)
    ]
    stacked: FloatArray = np.stack(total, axis=1).astype(np.float64)
    return (stacked / np.maximum(lengths(stacked), 1e-20)[:, None]).astype(np.float32)
