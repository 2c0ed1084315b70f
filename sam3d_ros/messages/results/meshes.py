# SPDX-License-Identifier: Apache-2.0
"""Meshes to shape_msgs/Mesh, their content hash, and the check of meshes from outside."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import (
    Answers,
    Float32Array,
    FloatArray,
    IndexArray,
    Mesh,
    Surface,
)
from sam3d_ros.messages.headers import point_message, vector, vector_message
from sam3d_ros.messages.types import MessageTypes


def mesh_message(
    types: MessageTypes, vertices_m: Float32Array | FloatArray, faces: IndexArray
) -> Any:
    """Return a shape_msgs/Mesh of (V, 3) vertices and (F, 3) faces.

    :param types: makes the messages.
    :param vertices_m: (V, 3), metres.
    """
    return types.new(
        'shape_msgs/msg/Mesh',
        vertices=np.asarray(vertices_m, np.float64),
        triangles=np.asarray(faces, np.uint32),
    )


def canonical_fields(types: MessageTypes, mesh: Mesh) -> dict[str, Any]:
    """Return the fields of a SceneObject that say a mesh's symmetry and which way up it belongs.

    :param types: makes the messages.
    :param mesh: in the object frame.
    """
    known = mesh.symmetry
    return {
        'symmetry': '' if known is None else known.kind,
        'symmetry_fold': 1 if known is None else known.fold,
        'symmetry_axis': vector_message(types, np.zeros(3) if known is None else known.axis),
        'symmetry_origin': point_message(types, np.zeros(3) if known is None else known.origin_m),
        'canonical_up': vector_message(types, np.zeros(3) if mesh.up is None else mesh.up),
    }


def mesh_from(item: Any) -> Mesh:
    """Return the visual mesh of a SceneObject with its colours, labels and confidences.

    :raises InputError: when its arrays do not fit together.
    """
    vertices_m, faces = arrays_of(item.mesh)
    up = vector(item.canonical_up)
    symmetry = Symmetry(
        str(item.symmetry),
        int(item.symmetry_fold),
        vector(item.symmetry_axis),
        vector(item.symmetry_origin),
    )
    mesh = Mesh(
        vertices_m=vertices_m,
        faces=faces,
        colors=np.array(item.vertex_colors, np.uint8).reshape(-1, 3),
        face_labels=np.array(item.face_labels, np.uint8),
        face_confidence=np.array(item.face_confidence, np.float32),
        symmetry=symmetry if symmetry.kind else None,
        up=up if up.any() else None,
        answers=_answers_from(item),
    )
    return checked(mesh, f'the mesh of object {item.id}')


def arrays_of(message: Any) -> tuple[Float32Array, IndexArray]:
    """Return the (V, 3) vertices and (F, 3) faces of a shape_msgs/Mesh."""
    triangles = [triangle.vertex_indices for triangle in message.triangles]
    points = [(point.x, point.y, point.z) for point in message.vertices]
    vertices_m = np.array(points, np.float32).reshape(-1, 3)
    return vertices_m, np.array(triangles, np.int32).reshape(-1, 3)


def _answers_from(item: Any) -> Answers | None:
    """What else a SceneObject may look like; None where it does not say."""
    if not len(item.outer_hull.triangles):
        return None
    others = [
        Surface(*arrays_of(mesh), float(score))
        for mesh, score in zip(item.answers, item.answer_scores, strict=True)
    ]
    inner, outer = (Surface(*arrays_of(mesh)) for mesh in (item.inner_hull, item.outer_hull))
    return Answers(tuple(others), inner, outer)


def mesh_hash(mesh: Mesh) -> str:
    """Return the sha256 of all that a mesh holds, in hexadecimal."""
    digest = sha256(b'%d %d ' % (len(mesh.vertices_m), len(mesh.faces)))
    for values, dtype in (
        (mesh.vertices_m, '<f4'),
        (mesh.faces, '<i4'),
        (mesh.colors, 'u1'),
        (mesh.face_labels, 'u1'),
        (mesh.face_confidence, '<f4'),
    ):
        digest.update(np.ascontiguousarray(values, dtype).tobytes())
    return digest.hexdigest()


def checked(mesh: Mesh, name: str) -> Mesh:
    """Return a mesh from outside whose arrays fit together.

    :raises InputError: when they do not; ``name`` says whose mesh it is.
    """
    vertices, faces = len(mesh.vertices_m), len(mesh.faces)
    sizes = (len(mesh.colors), len(mesh.face_labels), len(mesh.face_confidence))
    if sizes != (vertices, faces, faces):
        raise InputError(
            f'{name} with {vertices} vertices, {faces} faces, {sizes[0]} colours, {sizes[1]} '
            f'labels, {sizes[2]} confidences',
            wanted='a colour for each vertex, a label and a confidence for each face',
        )
    if faces and not (mesh.faces.min() >= 0 and mesh.faces.max() < vertices):
        raise InputError(f'{name} with faces of vertices that are not there')
    return mesh
