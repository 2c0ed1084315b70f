# SPDX-License-Identifier: Apache-2.0
"""Meshes as binary glTF 2.0, with their texture where they have one, else with vertex colours.

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

from sam3d_ros.core.types import ByteArray, FloatArray, IndexArray, Mesh, Texture
from sam3d_ros.geometry.colors import linear
from sam3d_ros.messages.results.textures import encode_png

_FLOAT, _UNSIGNED_SHORT, _UNSIGNED_INT = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_LINEAR_FILTER, _LINEAR_MIPMAPS, _CLAMP = 9729, 9987, 33071


def write_glb(path: Path, parts: Sequence[tuple[str, Mesh, FloatArray]]) -> None:
    """Write what :func:`encode_glb` returns.

    :param path: of the file.
    :param parts: name, mesh and (4, 4) pose of each.
    """
    path.write_bytes(encode_glb(parts))


def encode_glb(parts: Sequence[tuple[str, Mesh, FloatArray]]) -> bytes:
    """Return a file of named meshes, each placed by a transform; equal input gives equal bytes.

    Vertex colours are stored linear and textures as sRGB, as glTF wants them.

    :param parts: name, mesh and (4, 4) pose of each.
    """
    assets = _Assets()
    nodes: list[dict[str, Any]] = []
    meshes: list[dict[str, Any]] = []
    for name, mesh, T in parts:
        node: dict[str, Any] = {'name': name}
        if len(mesh.faces):
            node['mesh'] = len(meshes)
            meshes.append({'name': name, 'primitives': [_primitive(assets, mesh)]})
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
        document |= assets.document()
    binary = bytes(assets.data)
    text = json.dumps(document, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 4)
    chunks = struct.pack('<II', len(text), _JSON_CHUNK) + text
    if binary:
        chunks += struct.pack('<II', len(binary), _BINARY_CHUNK) + binary
    return struct.pack('<4sII', b'glTF', 2, 12 + len(chunks)) + chunks


class _Assets:
    """The binary chunk, and what refers to it: accessors, images, materials."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._materials: list[dict[str, Any]] = []

    def add(self, values: np.ndarray[Any, Any], target: int, **accessor: Any) -> int:
        """Append an array and return its accessor's number."""
        view = self._append(values.tobytes(), target=target)
        self._accessors.append({'bufferView': view, **accessor})
        return len(self._accessors) - 1

    def material(self, image: ByteArray | None) -> int:
        """Return the number of a dull material, with an (h, w, 3) uint8 RGB image on it or not."""
        dull: dict[str, Any] = {'metallicFactor': 0.0, 'roughnessFactor': 1.0}
        if image is not None:
            view = self._append(encode_png(image))
            self._images.append({'bufferView': view, 'mimeType': 'image/png'})
            dull['baseColorTexture'] = {'index': len(self._images) - 1}
        material = {'pbrMetallicRoughness': dull}
        if material not in self._materials:
            self._materials.append(material)
        return self._materials.index(material)

    def document(self) -> dict[str, Any]:
        """Return the parts of the document that describe what was added."""
        described: dict[str, Any] = {'materials': self._materials}
        if self._images:
            described['images'] = self._images
            described['textures'] = [{'source': k, 'sampler': 0} for k in range(len(self._images))]
            described['samplers'] = [
                {
                    'magFilter': _LINEAR_FILTER,
                    'minFilter': _LINEAR_MIPMAPS,
                    'wrapS': _CLAMP,
                    'wrapT': _CLAMP,
                }
            ]
        return described | {
            'accessors': self._accessors,
            'bufferViews': self._views,
            'buffers': [{'byteLength': len(self.data)}],
        }

    def _append(self, data: bytes, **view: int) -> int:
        """Append bytes, padded to four, and return their view's number."""
        where = {'buffer': 0, 'byteOffset': len(self.data), 'byteLength': len(data)}
        self._views.append(where | view)
        self.data += data + bytes(-len(data) % 4)
        return len(self._views) - 1


def _primitive(assets: _Assets, mesh: Mesh) -> dict[str, Any]:
    if mesh.texture is None:
        positions, faces = mesh.vertices_m, mesh.faces
        name, look = 'COLOR_0', _vertex_colors(assets, mesh.colors)
    else:
        vertices, faces, uv = _cut_along_seams(mesh.faces, mesh.texture)
        positions = mesh.vertices_m[vertices]
        name, look = (
            'TEXCOORD_0',
            assets.add(uv, _ARRAY_BUFFER, componentType=_FLOAT, count=len(uv), type='VEC2'),
        )
    positions = positions.astype('<f4')
    return {
        'attributes': {
            'POSITION': assets.add(
                positions,
                _ARRAY_BUFFER,
                componentType=_FLOAT,
                count=len(positions),
                type='VEC3',
                min=positions.min(axis=0).astype(np.float64).tolist(),
                max=positions.max(axis=0).astype(np.float64).tolist(),
            ),
            name: look,
        },
        'indices': assets.add(
            faces.astype('<u4').reshape(-1),
            _ELEMENT_ARRAY_BUFFER,
            componentType=_UNSIGNED_INT,
            count=faces.size,
            type='SCALAR',
        ),
        'material': assets.material(mesh.texture.image if mesh.texture else None),
    }


def _vertex_colors(assets: _Assets, colors: ByteArray) -> int:
    light = np.full((len(colors), 4), 65535, '<u2')
    light[:, :3] = np.rint(65535 * linear(colors))
    return assets.add(
        light,
        _ARRAY_BUFFER,
        componentType=_UNSIGNED_SHORT,
        normalized=True,
        count=len(light),
        type='VEC4',
    )


def _cut_along_seams(
    faces: IndexArray, texture: Texture
) -> tuple[IndexArray, IndexArray, np.ndarray[Any, Any]]:
    """Return vertices that have one place in the texture each.

    :return: the mesh vertex (N,) that each is, faces (F, 3) of the new ones, their (N, 2) places.
    """
    places = texture.uv.reshape(-1, 2).astype('<f4')
    keys = np.column_stack([faces.reshape(-1).astype('<u4'), places.view('<u4')])
    unique, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    cut = index.reshape(-1, 3).astype(np.int32)
    return unique[:, 0].astype(np.int32), cut, places[first]
