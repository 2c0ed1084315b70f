# SPDX-License-Identifier: Apache-2.0
"""Files are named by id and content, and all are there."""

from dataclasses import replace

import numpy as np
from made_up_scenes import ball, scene, scene_object

from sam3d_ros.export.scene_files import write_scene
from sam3d_ros.geometry.shapes.gaussians import decode_gaussians, moved_gaussians, object_gaussians
from sam3d_ros.messages.results.meshes import mesh_hash


def test_every_object_has_both_files(tmp_path):
    items = (scene_object(3), scene_object(12))
    files = write_scene(scene(*items), tmp_path / 'new')
    names = {path.name for path in (tmp_path / 'new' / 'meshes').iterdir()}
    stems = {f'{item.id}_{mesh_hash(item.mesh)[:8]}' for item in items}
    assert names == {f'{stem}.{suffix}' for stem in stems for suffix in ('ply', 'glb')}
    assert {path.stem for path in files.values()} == stems
    assert {path.name for path in (tmp_path / 'new').iterdir()} == {
        'meshes',
        'scene.glb',
        'scene.json',
    }


def test_a_new_mesh_has_a_new_name(tmp_path):
    item = scene_object(3)
    first = write_scene(scene(item), tmp_path)[3]
    second = write_scene(scene(replace(item, mesh=ball(5))), tmp_path)[3]
    assert first != second and first.is_file()


def test_same_scene_same_bytes(tmp_path):
    for run in '12':
        write_scene(scene(scene_object(3), scene_object(4)), tmp_path / run)
    first, second = (
        {
            path.relative_to(tmp_path / run): path.read_bytes()
            for path in sorted((tmp_path / run).rglob('*.*'))
        }
        for run in '12'
    )
    assert first == second


def test_gaussians_of_those_that_have_them_are_written_in_both_frames(tmp_path):
    plain, shown = scene_object(3), scene_object(12)
    made = object_gaussians(shown.mesh)
    shown = replace(shown, mesh=replace(shown.mesh, gaussians=made))
    files = write_scene(scene(plain, shown), tmp_path)
    (written,) = (tmp_path / 'gaussians').iterdir()
    assert written.name == files[12].name
    np.testing.assert_allclose(decode_gaussians(written.read_bytes()).means_m, made.means_m)
    everything = decode_gaussians((tmp_path / 'scene_gaussians.ply').read_bytes())
    expected = moved_gaussians(made, shown.T_fixed_obj).means_m
    np.testing.assert_allclose(everything.means_m, expected, atol=1e-6)
