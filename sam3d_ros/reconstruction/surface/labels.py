# SPDX-License-Identifier: Apache-2.0
"""Where each face of a mesh comes from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, FaceLabel, Float32Array, IndexArray
from sam3d_ros.geometry.shapes.meshes import face_normals, lengths
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid

PROBE_VOXELS = 0.75
OBSERVED_LIKELIHOOD = 0.1


def face_labels(vertices: Float32Array, faces: IndexArray, evidence: Evidence) -> ByteArray:
    """Return (F,) uint8 of FaceLabel for a mesh in the grid frame.

    Observed: the surface that was measured passes through it. Contradicted: what lies under the
    face was seen through. Occluded: the rest.

    :param vertices: (V, 3), metres, grid frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param evidence: what was seen of the object.
    """
    centres, normals = centres_and_normals(vertices, faces)
    probe = PROBE_VOXELS * evidence.grid.voxel_m
    observed = sample(evidence.proven, centres, evidence.grid) > OBSERVED_LIKELIHOOD
    facing = _faces_a_view(centres, normals, evidence)
    under = centres - probe * normals
    empty = sample(evidence.free.astype(np.float32), under, evidence.grid) > 0.5
    labels = np.full(len(faces), FaceLabel.OCCLUDED, np.uint8)
    labels[empty] = FaceLabel.CONTRADICTED
    labels[observed & facing] = FaceLabel.OBSERVED
    return labels


def sample(volume: Float32Array, points_m: Float32Array, grid: Grid) -> Float32Array:
    """Return (P,) values of a volume at points of the grid frame, trilinear; border outside.

    :param points_m: (P, 3), grid frame.
    :param grid: whose values the volume holds.
    """
    size = grid.size
    at = np.clip(grid.coordinates(points_m.astype(np.float64)), 0, size - 1.001)
    low = at.astype(np.intp)
    share = np.ascontiguousarray((at - low).astype(np.float32).T)
    base = (low[:, 0] * size + low[:, 1]) * size + low[:, 2]
    flat = volume.ravel()

    def along_z(corner: npt.NDArray[np.intp]) -> Float32Array:
        before = flat.take(corner)
        return np.asarray(before + share[2] * (flat.take(corner + 1) - before), np.float32)

    def along_y(corner: npt.NDArray[np.intp]) -> Float32Array:
        before = along_z(corner)
        return before + share[1] * (along_z(corner + size) - before)

    before = along_y(base)
    return before + share[0] * (along_y(base + size * size) - before)


def centres_and_normals(
    vertices: Float32Array, faces: IndexArray
) -> tuple[Float32Array, Float32Array]:
    """Return the (F, 3) centres and unit normals of faces.

    :param vertices: (V, 3), in any frame.
    """
    a, b, c = (vertices.take(faces[:, k], axis=0) for k in range(3))
    normals = face_normals(vertices, faces)
    normals /= np.maximum(lengths(normals), 1e-20)[:, None]
    return (a + b + c) / np.float32(3), normals


def _faces_a_view(centres: Float32Array, normals: Float32Array, evidence: Evidence) -> BoolArray:
    facing = np.zeros(len(centres), bool)
    T_grid_ref = np.linalg.inv(evidence.grid.T_ref_grid)
    for view in evidence.views:
        eye = (T_grid_ref @ view.T_ref_cam)[:3, 3].astype(np.float32)
        facing |= np.einsum('fc,fc->f', eye - centres, normals) > 0
    return facing
