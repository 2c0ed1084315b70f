# SPDX-License-Identifier: Apache-2.0
"""GLB files follow the specification and place every mesh where it belongs."""

import json
import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from made_up_scenes import ball, pose

from sam3d_ros.core.types import Texture
from sam3d_ros.export.glb import write_glb


def chunks(path):
    """Return the document and the binary chunk; checks the container."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from('<4sII', data)
    assert (magic, version, length) == (b'glTF', 2, len(data))
    size, kind = struct.unpack_from('<I4s', data, 12)
    assert kind == b'JSON' and size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    if 20 + size == len(data):
        return document, b''
    binary_size, kind = struct.unpack_from('<I4s', data, 20 + size)
    assert kind == b'BIN\0' and binary_size % 4 == 0
    binary = data[28 + size :]
    assert len(binary) == binary_size == document['buffers'][0]['byteLength']
    return document, binary


def textured(seed):
    """A ball with a random image; half of its faces have their corners elsewhere in it."""
    rng = np.random.default_rng(seed)
    mesh = ball(seed)
    places = rng.random((2, len(mesh.vertices_m), 2)).astype(np.float32)
    side = np.arange(len(mesh.faces)) % 2
    uv = places[side[:, None], mesh.faces]
    image = rng.integers(0, 256, (20, 33, 3)).astype(np.uint8)
    return replace(mesh, texture=Texture(image, uv))


@pytest.mark.parametrize('first', [ball(1), textured(1)], ids=['colours', 'texture'])
def test_the_container_and_its_accessors(tmp_path, first):
    write_glb(tmp_path / 's.glb', [('1', first, np.eye(4)), ('2', ball(2), pose(2))])
    document, binary = chunks(tmp_path / 's.glb')
    assert document['asset']['version'] == '2.0'
    sizes = {5126: 4, 5123: 2, 5125: 4}
    widths = {'SCALAR': 1, 'VEC2': 2, 'VEC3': 3, 'VEC4': 4}
    for accessor in document['accessors']:
        view = document['bufferViews'][accessor['bufferView']]
        size = sizes[accessor['componentType']]
        assert view['byteOffset'] % size == 0
        assert view['byteLength'] == accessor['count'] * size * widths[accessor['type']]
        assert view['byteOffset'] + view['byteLength'] <= len(binary)
        if 'min' in accessor:
            start = view['byteOffset']
            values = np.frombuffer(binary[start : start + view['byteLength']], '<f4')
            assert np.array_equal(values.reshape(-1, 3).min(axis=0), accessor['min'])
            assert np.array_equal(values.reshape(-1, 3).max(axis=0), accessor['max'])
    assert 'matrix' not in document['nodes'][0]
    assert np.allclose(np.reshape(document['nodes'][1]['matrix'], (4, 4)).T, pose(2))


def test_others_read_it_in_the_fixed_frame(tmp_path):
    trimesh = pytest.importorskip('trimesh')
    mesh, T = ball(1), pose(4)
    write_glb(tmp_path / 's.glb', [('7', mesh, T)])
    other = trimesh.load(tmp_path / 's.glb', process=False)
    (name,) = other.graph.nodes_geometry
    placed = other.to_geometry()
    expected = mesh.vertices_m @ T[:3, :3].T + T[:3, 3]
    assert name == '7'
    assert np.allclose(placed.vertices, expected, atol=1e-6)
    assert np.array_equal(placed.faces, mesh.faces)


def test_colours_are_linear(tmp_path):
    mesh = ball(1)
    mesh.colors[:2] = [[0, 128, 255], [255, 255, 255]]
    write_glb(tmp_path / 's.glb', [('1', mesh, np.eye(4))])
    document, binary = chunks(tmp_path / 's.glb')
    primitive = document['meshes'][0]['primitives'][0]
    accessor = document['accessors'][primitive['attributes']['COLOR_0']]
    start = document['bufferViews'][accessor['bufferView']]['byteOffset']
    first = np.frombuffer(binary[start : start + 16], '<u2').reshape(2, 4) / 65535
    assert accessor['normalized'] is True
    assert np.allclose(first, [[0, 0.2158605, 1, 1], [1, 1, 1, 1]], atol=1e-4)


def test_a_texture_comes_with_its_places_and_without_vertex_colours(tmp_path):
    mesh = textured(3)
    write_glb(tmp_path / 's.glb', [('1', mesh, np.eye(4)), ('2', ball(2), np.eye(4))])
    document, binary = chunks(tmp_path / 's.glb')
    first, second = (item['primitives'][0] for item in document['meshes'])
    assert first['attributes'].keys() == {'POSITION', 'TEXCOORD_0'}
    assert second['attributes'].keys() == {'POSITION', 'COLOR_0'}
    first, second = (document['materials'][item['material']] for item in (first, second))
    assert 'baseColorTexture' not in second['pbrMetallicRoughness']
    dull = first['pbrMetallicRoughness']
    assert (dull['metallicFactor'], dull['roughnessFactor']) == (0.0, 1.0)
    image = document['images'][document['textures'][dull['baseColorTexture']['index']]['source']]
    view = document['bufferViews'][image['bufferView']]
    png = binary[view['byteOffset'] : view['byteOffset'] + view['byteLength']]
    assert image['mimeType'] == 'image/png'
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(shown, mesh.texture.image)


def test_others_read_the_texture_where_it_belongs(tmp_path):
    trimesh = pytest.importorskip('trimesh')
    mesh = textured(4)
    write_glb(tmp_path / 's.glb', [('1', mesh, np.eye(4))])
    (other,) = trimesh.load(tmp_path / 's.glb', process=False).geometry.values()
    corners = other.vertices[other.faces]
    assert np.allclose(corners, mesh.vertices_m[mesh.faces], atol=1e-7)
    uv = np.asarray(other.visual.uv)[other.faces]
    assert np.allclose(uv[..., 0], mesh.texture.uv[..., 0], atol=1e-6)
    assert np.allclose(1 - uv[..., 1], mesh.texture.uv[..., 1], atol=1e-6), 'trimesh has v upward'
    assert len(other.vertices) <= 2 * len(mesh.vertices_m), 'corners of equal place are shared'
    assert np.array_equal(
        np.asarray(other.visual.material.baseColorTexture.convert('RGB')), mesh.texture.image
    )


def test_an_empty_scene_is_a_valid_file(tmp_path):
    write_glb(tmp_path / 's.glb', [])
    document, binary = chunks(tmp_path / 's.glb')
    assert binary == b''
    assert 'meshes' not in document and 'nodes' not in document and 'buffers' not in document


def test_same_input_same_bytes(tmp_path):
    for name in ('1', '2'):
        parts = [('1', ball(1), pose(1)), ('2', textured(2), pose(2))]
        write_glb(tmp_path / f'{name}.glb', parts)
    assert (tmp_path / '1.glb').read_bytes() == (tmp_path / '2.glb').read_bytes()
