# SPDX-License-Identifier: Apache-2.0
"""scene.json has the documented keys and comes back as a scene."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, scene, scene_object
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import Answers, ObjectState, Surface
from sam3d_ros.export.scene_files import read_scene, write_scene

KEYS = {
    'state_reason',
    'moved_ns',
    'held',
    'contact',
    'id',
    'state',
    'label',
    'label_score',
    'labels',
    'colors',
    'appearance',
    'score',
    'pose',
    'size',
    'box_center',
    'scale_sigma',
    'mesh',
    'observed_fraction',
    'backend',
    'last_seen_ns',
}


def test_exactly_the_documented_keys(tmp_path):
    item = scene_object(3)
    write_scene(scene(item), tmp_path)
    tree = json.loads((tmp_path / 'scene.json').read_text())
    assert set(tree) == {
        'frame', 'stamp_ns', 'objects', 'relations', 'up', 'camera', 'version',
    }  # fmt: skip
    assert (tree['frame'], tree['stamp_ns']) == ('world', STAMP_NS)
    (entry,) = tree['objects']
    assert set(entry) == KEYS
    assert set(entry['pose']) == {'position', 'orientation', 'covariance'}
    assert (entry['id'], entry['state'], entry['label']) == ('3', 'visible', 'cup')
    assert np.allclose(entry['pose']['position'], item.T_fixed_obj[:3, 3], rtol=0, atol=0)
    rotation = Rotation.from_quat(entry['pose']['orientation']).as_matrix()
    assert np.allclose(rotation, item.T_fixed_obj[:3, :3], atol=1e-12)
    assert entry['pose']['covariance'] == item.covariance.reshape(-1).tolist()
    assert (tmp_path / entry['mesh']).is_file()


def test_states_by_name(tmp_path):
    states = [ObjectState.TENTATIVE, ObjectState.OCCLUDED, ObjectState.OUT_OF_VIEW]
    write_scene(scene(*(scene_object(at, state) for at, state in enumerate(states))), tmp_path)
    tree = json.loads((tmp_path / 'scene.json').read_text())
    names = [entry['state'] for entry in tree['objects']]
    assert names == ['tentative', 'occluded', 'out_of_view']


def test_there_and_back(tmp_path):
    seen = replace(scene_object(3), appearance=(0.6, 0.8))
    before = scene(seen, scene_object(8, ObjectState.OUT_OF_VIEW))
    write_scene(before, tmp_path)
    after = read_scene(tmp_path)
    assert (after.stamp_ns, after.fixed_frame) == (before.stamp_ns, before.fixed_frame)
    for one, other in zip(before.objects, after.objects, strict=True):
        assert np.allclose(one.T_fixed_obj, other.T_fixed_obj, rtol=0, atol=1e-12)
        for name in ('covariance', 'size_m', 'box_center_m'):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for name in (
            'id', 'state', 'label', 'appearance', 'score', 'scale_sigma', 'last_seen_ns',
        ):  # fmt: skip
            assert getattr(one, name) == getattr(other, name)
        assert np.array_equal(one.mesh.vertices_m, other.mesh.vertices_m)
        assert other.provenance.backend == 'geometric'


def test_other_answers_there_and_back(tmp_path):
    item = scene_object(3)
    one = Surface(item.mesh.vertices_m + np.float32(0.01), item.mesh.faces, 1.25)
    nothing = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    answers = Answers((one,), nothing, replace(one, score=0.0))
    write_scene(scene(replace(item, mesh=replace(item.mesh, answers=answers))), tmp_path)
    (entry,) = json.loads((tmp_path / 'scene.json').read_text())['objects']
    assert set(entry) == KEYS | {'answers', 'inner_hull', 'outer_hull'}
    assert (tmp_path / entry['answers'][0]['mesh']).is_file()
    read = read_scene(tmp_path).objects[0].mesh.answers
    assert np.array_equal(read.others[0].vertices_m, one.vertices_m)
    assert read.others[0].score == 1.25
    assert len(read.inner.faces) == 0
    assert np.array_equal(read.outer.faces, one.faces)


def test_an_empty_scene(tmp_path):
    write_scene(scene(), tmp_path)
    assert json.loads((tmp_path / 'scene.json').read_text())['objects'] == []
    assert read_scene(tmp_path).objects == ()


@pytest.mark.parametrize('text', ['', '{}', '{"objects": [{"id": "x"}]}', '[1]'])
def test_files_that_are_no_scene(tmp_path, text):
    (tmp_path / 'scene.json').write_text(text)
    with pytest.raises(InputError, match=r'scene\.json cannot be read'):
        read_scene(tmp_path)


def test_a_missing_mesh(tmp_path):
    files = write_scene(scene(scene_object(3)), tmp_path)
    files[3].unlink()
    with pytest.raises(InputError, match=r'\.ply cannot be read'):
        read_scene(tmp_path)


def test_symmetry_and_up_are_told_where_they_are_known(tmp_path):
    item, axis = scene_object(3), np.array([0.0, 0.6, 0.8])
    symmetry = Symmetry('rotation', 4, axis, np.array([0.01, 0.0, -0.02]))
    item = replace(item, mesh=replace(item.mesh, symmetry=symmetry, up=axis))
    write_scene(scene(item), tmp_path)
    (entry,) = json.loads((tmp_path / 'scene.json').read_text())['objects']
    assert entry['symmetry']['kind'] == 'rotation' and entry['up'] == axis.tolist()
    back = read_scene(tmp_path).objects[0].mesh
    assert (back.symmetry.kind, back.symmetry.fold) == ('rotation', 4)
    np.testing.assert_array_equal(back.symmetry.axis, axis)
    np.testing.assert_array_equal(back.symmetry.origin_m, symmetry.origin_m)
    np.testing.assert_array_equal(back.up, axis)
