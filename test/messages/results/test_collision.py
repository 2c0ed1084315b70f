# SPDX-License-Identifier: Apache-2.0
"""A planner that applies the messages knows the scene, and is not told more than it must."""

from dataclasses import replace

import numpy as np
from made_up_scenes import ball, points_of, scene, scene_object

from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.headers import pose_matrix
from sam3d_ros.messages.results.collision import ADD, MOVE, REMOVE, TYPE, CollisionState
from sam3d_ros.messages.results.products import MeshLibrary
from sam3d_ros.messages.types import StoreTypes


class Planner:
    """Applies collision objects as MoveIt does."""

    def __init__(self) -> None:
        self.state = CollisionState(StoreTypes(), OutputConfig())
        self.library = MeshLibrary(1000)
        self.poses = {}

    def update(self, value):
        messages = self.state.update(value, self.library.update(value))
        for message in messages:
            encode(message, TYPE)
            if message.operation == REMOVE:
                del self.poses[message.id]
                continue
            if message.operation == MOVE:
                assert message.id in self.poses
                assert len(message.meshes) == len(message.mesh_poses) == 0
            else:
                assert message.operation == ADD
                assert 1 <= len(message.meshes) == len(message.mesh_poses) <= 8
                assert all(len(mesh.vertices) <= 64 for mesh in message.meshes)
            assert message.header.frame_id == 'world'
            self.poses[message.id] = pose_matrix(message.pose)
        return [(message.id, message.operation) for message in messages]


def moved(item, step_m):
    T = item.T_fixed_obj.copy()
    T[0, 3] += step_m
    return replace(item, T_fixed_obj=T)


def test_geometry_once_then_poses():
    planner = Planner()
    one, two = scene_object(3), scene_object(4)
    assert planner.update(scene(one, two)) == [('object_3', ADD), ('object_4', ADD)]
    assert planner.update(scene(one, two)) == []
    assert planner.update(scene(moved(one, 0.0015), two)) == []
    # Small steps add up: what counts is the pose that the planner was told.
    assert planner.update(scene(moved(one, 0.0030), two)) == [('object_3', MOVE)]
    assert np.allclose(planner.poses['object_3'], moved(one, 0.0030).T_fixed_obj)


def test_a_turn_is_a_move():
    planner = Planner()
    item = scene_object(3)
    planner.update(scene(item))
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]]
    turned = replace(item, T_fixed_obj=item.T_fixed_obj @ turn)
    assert planner.update(scene(turned)) == [('object_3', MOVE)]


def test_gone_is_removed_once_and_tentative_never_added():
    planner = Planner()
    planner.update(scene(scene_object(3), scene_object(4, ObjectState.TENTATIVE)))
    assert set(planner.poses) == {'object_3'}
    assert planner.update(scene()) == [('object_3', REMOVE)]
    assert planner.update(scene()) == []


def test_hidden_objects_stay_known():
    planner = Planner()
    planner.update(scene(scene_object(3)))
    assert planner.update(scene(scene_object(3, ObjectState.OUT_OF_VIEW))) == []
    assert set(planner.poses) == {'object_3'}


def test_a_new_shape_is_added_again_but_a_touched_up_one_is_not():
    planner = Planner()
    item = scene_object(3)
    planner.update(scene(item))
    almost = replace(item.mesh, vertices_m=item.mesh.vertices_m * np.float32(1.005))
    assert planner.update(scene(replace(item, mesh=almost))) == []
    grown = replace(item.mesh, vertices_m=item.mesh.vertices_m * np.float32(1.2))
    assert planner.update(scene(replace(item, mesh=grown))) == [('object_3', ADD)]
    assert planner.update(scene(replace(item, mesh=ball(9)))) == [('object_3', ADD)]


def test_a_late_planner_is_told_everything():
    planner = Planner()
    value = scene(scene_object(3), scene_object(4))
    planner.update(value)
    again = planner.state.all_known(value, planner.library.update(value))
    assert [message.operation for message in again] == [ADD, ADD]
    assert planner.update(value) == []


def test_a_planner_hears_of_an_object_when_it_has_a_surface():
    planner = Planner()
    assert planner.update(scene(scene_object(3, mesh=points_of(ball(3))))) == []
    assert planner.update(scene(scene_object(3))) == [('object_3', ADD)]
