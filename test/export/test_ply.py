# SPDX-License-Identifier: Apache-2.0
"""PLY files are read by others and come back whole."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import ball

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Mesh
from sam3d_ros.export.ply import read_ply, write_ply

EMPTY = Mesh(
    np.zeros((0, 3), np.float32),
    np.zeros((0, 3), np.int32),
    np.zeros((0, 3), np.uint8),
    np.zeros(0, np.uint8),
    np.zeros(0, np.float32),
)


@pytest.mark.parametrize('mesh', [ball(1), ball(2, corners=300), EMPTY])
def test_there_and_back(tmp_path, mesh):
    write_ply(tmp_path / 'm.ply', mesh)
    back = read_ply(tmp_path / 'm.ply')
    assert back.texture is None, 'a PLY has vertex colours only'
    derived = {'texture', 'parts', 'gaussians', 'symmetry', 'up', 'answers'}
    for name in set(mesh.__slots__) - derived:
        expected, got = getattr(mesh, name), getattr(back, name)
        assert np.array_equal(expected, got) and expected.dtype == got.dtype


def test_others_read_it(tmp_path):
    trimesh = pytest.importorskip('trimesh')
    mesh = ball(1)
    write_ply(tmp_path / 'm.ply', mesh)
    other = trimesh.load(tmp_path / 'm.ply', process=False)
    assert np.array_equal(other.vertices, mesh.vertices_m)
    assert np.array_equal(other.faces, mesh.faces)
    assert np.array_equal(other.visual.vertex_colors[:, :3], mesh.colors)
    assert other.is_watertight and other.volume > 0


def test_open3d_reads_it(tmp_path):
    open3d = pytest.importorskip('open3d')
    mesh = ball(1)
    write_ply(tmp_path / 'm.ply', mesh)
    other = open3d.io.read_triangle_mesh(str(tmp_path / 'm.ply'))
    assert np.allclose(np.asarray(other.vertices), mesh.vertices_m)
    assert np.allclose(np.asarray(other.vertex_colors) * 255, mesh.colors, atol=1e-6)
    assert np.array_equal(np.asarray(other.triangles), mesh.faces)


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: data[:-1],
        lambda data: data[:200],
        lambda data: b'',
        lambda data: data.replace(b'uchar label', b'uchar other'),
    ],
)
def test_files_that_are_not_whole(tmp_path, damage):
    path = tmp_path / 'm.ply'
    write_ply(path, ball(1))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r'm\.ply'):
        read_ply(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match='cannot be read'):
        read_ply(tmp_path / 'm.ply')


def test_same_mesh_same_bytes(tmp_path):
    mesh = ball(1)
    copy = replace(mesh, vertices_m=np.asfortranarray(mesh.vertices_m))
    write_ply(tmp_path / '1.ply', mesh)
    write_ply(tmp_path / '2.ply', copy)
    assert (tmp_path / '1.ply').read_bytes() == (tmp_path / '2.ply').read_bytes()
