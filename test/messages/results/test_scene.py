# SPDX-License-Identifier: Apache-2.0
"""Scenes survive the way through a message, its bytes and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from made_up_scenes import scene, scene_object

from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import Answers, ObjectState, Surface
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.results.products import MeshLibrary
from sam3d_ros.messages.results.scene import scene_from, scene_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'sam3d_msgs/msg/SceneObjectArray'


def sent(value, files=None):
    """Return the message as its receiver sees it."""
    products = MeshLibrary(1000).update(value)
    data = encode(scene_message(StoreTypes(), value, products, files), TYPE)
    return typestore().deserialize_cdr(data, TYPE)


def test_nothing_is_lost():
    before = scene(scene_object(3), scene_object(8, ObjectState.OUT_OF_VIEW))
    after = scene_from(sent(before))
    assert (after.stamp_ns, after.fixed_frame) == (before.stamp_ns, 'world')
    for one, other in zip(before.objects, after.objects, strict=True):
        for name in ('vertices_m', 'faces', 'colors', 'face_labels', 'face_confidence'):
            assert np.array_equal(getattr(one.mesh, name), getattr(other.mesh, name))
        assert np.allclose(one.T_fixed_obj, other.T_fixed_obj, rtol=0, atol=1e-12)
        for name in ('covariance', 'size_m', 'box_center_m'):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for name in one.__slots__:
            if not isinstance(getattr(one, name), np.ndarray) and name != 'mesh':
                assert getattr(one, name) == getattr(other, name), name


def test_files_convex_parts_and_hash():
    value = scene(scene_object(3), scene_object(4))
    message = sent(value, {3: Path('/data/3_ab.ply')})
    first, second = message.objects
    assert (first.mesh_uri, first.mesh_path) == ('file:///data/3_ab.ply', '/data/3_ab.ply')
    assert (second.mesh_uri, second.mesh_path) == ('', '')
    assert len(first.mesh_hash) == 64 and first.mesh_hash != second.mesh_hash
    assert 1 <= len(first.convex_parts) <= 8
    assert first.header.frame_id == message.header.frame_id == 'world'
    assert first.id == '3' and first.state == 1


def test_other_answers_are_not_lost():
    item = scene_object(3)
    one = Surface(item.mesh.vertices_m + np.float32(0.01), item.mesh.faces, 1.25)
    nothing = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    outer = Surface(2 * item.mesh.vertices_m, item.mesh.faces)
    mesh = replace(item.mesh, answers=Answers((one,), nothing, outer))
    answers = scene_from(sent(scene(replace(item, mesh=mesh)))).objects[0].mesh.answers
    assert answers.others[0].score == 1.25
    assert np.allclose(answers.others[0].vertices_m, one.vertices_m, rtol=0, atol=1e-7)
    assert len(answers.inner.faces) == 0
    assert np.array_equal(answers.outer.faces, outer.faces)
    assert scene_from(sent(scene(item))).objects[0].mesh.answers is None


def test_an_empty_scene():
    assert scene_from(sent(scene())).objects == ()


def test_symmetry_and_up_go_along_where_they_are_known():
    item, axis = scene_object(3), np.array([0.0, 0.6, 0.8])
    symmetry = Symmetry('revolution', 0, axis, np.array([0.01, 0.0, -0.02]))
    known = replace(item, mesh=replace(item.mesh, symmetry=symmetry, up=axis))
    back, unknown = (scene_from(sent(scene(one))).objects[0].mesh for one in (known, item))
    assert (back.symmetry.kind, back.symmetry.fold) == ('revolution', 0)
    np.testing.assert_array_equal(back.symmetry.axis, axis)
    np.testing.assert_array_equal(back.symmetry.origin_m, symmetry.origin_m)
    np.testing.assert_array_equal(back.up, axis)
    assert unknown.symmetry is None and unknown.up is None
