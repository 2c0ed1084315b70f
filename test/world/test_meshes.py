# SPDX-License-Identifier: Apache-2.0
"""Folders of meshes: formats, splits, textures, closed surfaces."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.meshes import list_scans, load_scan
from sam3d_ros.world.setting.placing import is_closed
from sam3d_ros.world.sources import ScanSource


@pytest.fixture
def folder(tmp_path):
    box = trimesh.creation.box((0.1, 0.06, 0.04))
    box.apply_translation([0.5, 0.0, 0.0])
    box.visual.vertex_colors = np.tile([200, 10, 20, 255], (8, 1)).astype(np.uint8)
    box.export(tmp_path / 'red.ply')
    trimesh.creation.icosphere(radius=0.05).export(tmp_path / 'ball.obj')
    uv = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)
    picture = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8))
    quad = trimesh.Trimesh(
        np.column_stack([uv * 0.1, np.zeros(4)]), [[0, 1, 2], [1, 3, 2]], process=False
    )
    quad.visual = trimesh.visual.TextureVisuals(uv=uv, image=picture)
    quad.export(tmp_path / 'quad.glb')
    return tmp_path


def test_every_format_is_listed_by_name_and_loaded_in_metres(folder):
    entries = list_scans(folder, 'test')
    assert [entry.name for entry in entries] == ['ball', 'quad', 'red']
    ball, quad, red = (load_scan(entry) for entry in entries)
    assert np.allclose(red.extents_m, [0.1, 0.06, 0.04], atol=1e-6)
    assert np.allclose(red.vertices_m.mean(axis=0), 0, atol=1e-6), 'centred on its box'
    assert (red.colors == [200, 10, 20]).all()
    assert is_closed(red) and is_closed(ball)
    assert quad.texture is not None and quad.texture.image.shape == (1, 2, 3)


def test_scan_without_colour_is_painted_the_same_every_time(folder):
    entry = list_scans(folder)[0]
    assert np.array_equal(load_scan(entry).colors, load_scan(entry).colors)


def test_index_split_is_respected_and_large_scans_stay_out(folder):
    listed = [
        {'name': 'red', 'file': 'x/red.ply', 'category': 'box', 'split': 'test',
         'extents_m': [0.1, 0.06, 0.04]},
        {'name': 'ball', 'file': 'x/ball.obj', 'category': 'ball', 'split': 'train',
         'extents_m': [0.1, 0.1, 0.1]},
        {'name': 'quad', 'file': 'x/quad.glb', 'category': 'sheet', 'split': 'test',
         'extents_m': [0.9, 0.1, 0.0]},
    ]  # fmt: skip
    (folder / 'index.json').write_text(json.dumps({'objects': listed}))
    assert [e.name for e in list_scans(folder, 'train')] == ['ball']
    assert [e.name for e in list_scans(folder, 'test')] == ['quad', 'red']
    source = ScanSource(folder, 'test')
    assert [body.solid.name for body in source.draw(1, np.random.default_rng(0))] == ['red']
    with pytest.raises(ConfigurationError, match='at least 2'):
        source.draw(2, np.random.default_rng(0))


def test_empty_folder_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match='no mesh'):
        list_scans(tmp_path)


def test_shared_scans_have_the_extents_of_their_index(shared_data):
    listed = {
        item['name']: item
        for item in json.loads((shared_data / 'objects/index.json').read_text())['objects']
    }
    for entry in list_scans(shared_data / 'objects', 'test')[::6]:
        solid = load_scan(entry)
        assert np.allclose(solid.extents_m, listed[entry.name]['extents_m'], atol=2e-4)
        assert is_closed(solid) == listed[entry.name]['watertight']
        assert solid.colors.std() > 1
