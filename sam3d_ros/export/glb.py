# SPDX-License-Identifier: Apache-2.0
"""Meshes as binary glTF 2.0 with vertex colours.

Coordinates stay those of the source frame (z up where it is gravity's), so that positions in the
file are positions in the frame; a viewer that takes glTF's y for up shows the scene lying down.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.types import FloatArray, Mesh

_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942


def write_glb(path: Path, parts: Sequence[tuple[str, Mesh, FloatArray]]) -> None:
    """Write named meshes, each placed by a (4, 4) transform; equal input gives equal bytes.

    Colours are stored linear, as glTF wants them.
    """
    buffer = _Buffer()
    nodes: list[dict[str, Any]] = []
    meshes: list[dict[str, Any]] = []
    for name, mesh, T in parts:
        node: dict[str, Any] = {'name': name}
        if len(mesh.faces):
            node['mesh'] = len(meshes)
            meshes.append({'name': name, 'primitives': [_primitive(buffer, mesh)]})
        if not np.array_equal(T, np.eye(4)):
            node['matrix'] = np.asarray(T, np.float64).T.reshape(-1).tolist()
        nodes.append(node)
    document: dict[str, Any] = {
        'asset': {'version': '2.0', 'generator': 'sam3d_ros'},
        'scene': 0,
        'scenes': [{'nodes': list(range(len(nodes)))} if nodes else {}],
    }
    if nodes:
        document['nodes'] = nodes
    if meshes:
        document['meshes'] = meshes
        document['materials'] = [
            {'pbrMetallicRoughness': {'metallicFactor': 0.0, 'roughnessFactor': 1.0}}
        ]
        document |= buffer.document()
    path.write_bytes(_container(document, bytes(buffer.data)))


class _Buffer:
    """The binary chunk and the accessors into it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray[Any, Any], target: int, **accessor: Any) -> int:
        """Append an array and return its accessor's number."""
        self.views.append(
            {
                'buffer': 0,
                'byteOffset': len(self.data),
                'byteLength': values.nbytes,
                'target': target,
            }
        )
        self.accessors.append({'bufferView': len(self.views) - 1, **accessor})
        self.data += values.tobytes()
        self.data += bytes(-len(self.data) % 4)
        return len(self.accessors) - 1

    def document(self) -> dict[str, Any]:
        """Return the parts of the document that describe the buffer."""
        return {
            'accessors': self.accessors,
            'bufferViews': self.views,
            'buffers': [{'byteLength': len(self.data)}],
        }


def _primitive(buffer: _Buffer, mesh: Mesh) -> dict[str, Any]:
    positions = mesh.vertices_m.astype('<f4')
    colors = np.full((len(mesh.colors), 4), 65535, '<u2')
    colors[:, :3] = _LINEAR[mesh.colors]
    return {
        'attributes': {
            'POSITION': buffer.add(
                positions,
                _ARRAY_BUFFER,
                componentType=_FLOAT,
                count=len(positions),
                type='VEC3',
                min=positions.min(axis=0).astype(np.float64).tolist(),
                max=positions.max(axis=0).astype(np.float64).tolist(),
            ),
            'COLOR_0': buffer.add(
                colors,
                _ARRAY_BUFFER,
                componentType=_UNSIGNED_SHORT,
                normalized=True,
                count=len(colors),
                type='VEC4',
            ),
        },
        'indices': buffer.add(
            mesh.faces.astype('<u4').reshape(-1),
            _ELEMENT_ARRAY_BUFFER,
            componentType=_UNSIGNED_INT,
            count=mesh.faces.size,
            type='SCALAR',
        ),
        'material': 0,
    }


def _linear() -> np.ndarray[Any, Any]:
    """Return the (256,) uint16 linear values of 8-bit sRGB (IEC 61966-2-1)."""
    encoded = np.arange(256) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.rint(65535 * linear).astype(np.uint16)


_LINEAR = _linear()


def _container(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 4)
    chunks = struct.pack('<II', len(text), _JSON_CHUNK) + text
    if binary:
        chunks += struct.pack('<II', len(binary), _BINARY_CHUNK) + binary
    return struct.pack('<4sII', b'glTF', 2, 12 + len(chunks)) + chunks
