# SPDX-License-Identifier: Apache-2.0
"""Meshes as binary PLY: object frame, metres, vertex colours; labels and confidence on faces."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Mesh

_VERTEX = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])
_FACE = np.dtype([('n', 'u1'), ('abc', '<i4', 3), ('label', 'u1'), ('confidence', '<f4')])
_HEADER = """ply
format binary_little_endian 1.0
comment metres, object frame
element vertex {vertices}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face {faces}
property list uchar int vertex_indices
property uchar label
property float confidence
end_header
"""
_PATTERN = re.compile(
    re.escape(_HEADER.format(vertices='N', faces='N')).replace('\\ N', r'\ (\d+)').encode()
)


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write a mesh; equal meshes give equal bytes. ``label`` is :class:`core.types.FaceLabel`.

    :param path: of the file.
    """
    vertices = np.zeros(len(mesh.vertices_m), _VERTEX)
    vertices['xyz'], vertices['rgb'] = mesh.vertices_m, mesh.colors
    faces = np.zeros(len(mesh.faces), _FACE)
    faces['n'], faces['abc'] = 3, mesh.faces
    faces['label'], faces['confidence'] = mesh.face_labels, mesh.face_confidence
    header = _HEADER.format(vertices=len(vertices), faces=len(faces))
    path.write_bytes(header.encode() + vertices.tobytes() + faces.tobytes())


def read_ply(path: Path) -> Mesh:
    """Return a mesh that :func:`write_ply` wrote.

    :raises InputError: when the file is missing, of another layout or cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error}') from error
    header = _PATTERN.match(data)
    if header is None:
        raise InputError(f'{path} has another layout', wanted='a mesh that this project wrote')
    end = header.end()
    split = end + int(header[1]) * _VERTEX.itemsize
    if len(data) != split + int(header[2]) * _FACE.itemsize:
        raise InputError(f'{path} is {len(data)} bytes long', wanted='a whole file')
    vertices = np.frombuffer(data[end:split], _VERTEX)
    faces = np.frombuffer(data[split:], _FACE)
    return Mesh(
        vertices_m=vertices['xyz'].astype(np.float32),
        faces=faces['abc'].astype(np.int32),
        colors=vertices['rgb'].copy(),
        face_labels=faces['label'].copy(),
        face_confidence=faces['confidence'].astype(np.float32),
    )
