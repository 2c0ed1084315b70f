# SPDX-License-Identifier: Apache-2.0
"""Fewer triangles by vertex clustering: fast, deterministic, and good enough to look at.

J. Rossignac and P. Borrel, "Multi-resolution 3D approximations for rendering complex scenes",
1993: the vertices in one cell of a grid become their mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import Mesh

IndexRows = npt.NDArray[np.int64]

_GROWTH = 1.2


def decimated(mesh: Mesh, most_faces: int) -> Mesh:
    """Return a mesh of at most ``most_faces`` faces; the same object when it has no more."""
    if len(mesh.faces) <= most_faces:
        return mesh
    corners = mesh.vertices_m[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * float(np.linalg.norm(normals, axis=1).sum())
    # A surface of area A has about 2 A / c^2 faces after clustering in cells of size c.
    cell = max(np.sqrt(2.0 * area / most_faces), 1e-9)
    while True:
        smaller = _clustered(mesh, cell)
        if len(smaller.faces) <= most_faces:
            return smaller
        cell *= _GROWTH


def _clustered(mesh: Mesh, cell: float) -> Mesh:
    keys = np.floor((mesh.vertices_m - mesh.vertices_m.min(axis=0)) / cell).astype(np.int64)
    cluster = _numbered(keys)[1]
    counts = np.bincount(cluster).astype(np.float64)

    def mean(values: np.ndarray) -> np.ndarray:
        columns = [np.bincount(cluster, values[:, at]) / counts for at in range(3)]
        return np.stack(columns, axis=1)

    faces = cluster[mesh.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2])
    whole &= faces[:, 2] != faces[:, 0]
    kept = np.flatnonzero(whole)
    first, _ = _numbered(np.sort(faces[kept], axis=1))
    kept = kept[np.sort(first)]
    return Mesh(
        vertices_m=mean(mesh.vertices_m).astype(np.float32),
        faces=faces[kept].astype(np.int32),
        colors=np.rint(mean(mesh.colors)).astype(np.uint8),
        face_labels=mesh.face_labels[kept],
        face_confidence=mesh.face_confidence[kept],
    )


def _numbered(rows: IndexRows) -> tuple[IndexRows, IndexRows]:
    """Return where each distinct row of (N, 3) counts first appears, and each row's number."""
    _, second, third = rows.max(axis=0, initial=0) + 1
    keys = (rows[:, 0] * second + rows[:, 1]) * third + rows[:, 2]
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    return first, number
