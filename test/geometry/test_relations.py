# SPDX-License-Identifier: Apache-2.0
"""Relations of solids whose places are known."""

from dataclasses import replace

import numpy as np
import pytest

trimesh = pytest.importorskip('trimesh')

from sam3d_ros.core.types import Mesh, ObjectState, Provenance, Scene, SceneObject
from sam3d_ros.geometry.relations import KnownRelations, RelationKind, relations

UP = np.array([0.0, 0.0, 1.0])
ON, IN, LEANING, NEXT_TO, HELD = RelationKind


def thing(number, solid, place=(0.0, 0.0, 0.0)):
    solid = solid.copy()
    while np.linalg.norm(np.ptp(solid.vertices[solid.faces], axis=1), axis=1).max() > 0.01:
        solid = solid.subdivide()
    vertices, faces = np.asarray(solid.vertices, np.float32), np.asarray(solid.faces, np.int32)
    labels = np.zeros(len(faces), np.uint8)
    colors = np.zeros((len(vertices), 3), np.uint8)
    mesh = Mesh(vertices, faces, colors, labels, labels.astype(np.float32))
    T = np.eye(4)
    T[:3, 3] = place
    return SceneObject(
        number, ObjectState.VISIBLE, '', 1.0, T, np.eye(6), np.ptp(vertices, axis=0),
        np.zeros(3), 0.1, mesh, 0.5, Provenance('test'), 0, 0, 3, 0,
    )  # fmt: skip


def box(*size):
    return trimesh.creation.box(size)


def told(*objects, up=UP):
    found = relations(Scene(0, 'world', objects, up=up))
    return [(item.subject, item.kind, item.other) for item in found]


def test_a_box_on_a_box_beside_a_box():
    low, top = (
        thing(1, box(0.1, 0.1, 0.1), (0, 0, 0.05)),
        thing(2, box(0.06, 0.06, 0.06), (0, 0, 0.13)),
    )
    beside = thing(3, box(0.08, 0.08, 0.1), (0.12, 0, 0.05))
    assert told(low, top, beside) == [(1, NEXT_TO, 3), (2, ON, 1)]


def test_far_things_have_nothing_to_do_with_each_other():
    assert told(thing(1, box(0.1, 0.1, 0.1)), thing(2, box(0.1, 0.1, 0.1), (0.3, 0, 0))) == []


def test_a_ball_in_a_bowl_is_in_it():
    outline = [[0, 0], [0.08, 0], [0.08, 0.1], [0.07, 0.1], [0.07, 0.01], [0, 0.01]]
    bowl = trimesh.creation.revolve(outline)
    ball = trimesh.creation.icosphere(3, 0.03)
    assert told(thing(1, bowl), thing(2, ball, (0, 0, 0.04))) == [(2, IN, 1)]


def test_a_ball_in_a_corner_is_not_in_what_makes_the_corner():
    walls = [box(0.01, 0.2, 0.1), box(0.2, 0.01, 0.1)]
    walls[0].apply_translation((-0.1, 0.0, 0.0))
    walls[1].apply_translation((0.0, -0.1, 0.0))
    corner = trimesh.util.concatenate(walls)
    ball = trimesh.creation.icosphere(3, 0.03)
    assert told(thing(1, corner, (0, 0, 0.05)), thing(2, ball, (-0.04, -0.04, 0.03))) == [
        (1, NEXT_TO, 2)
    ]


def test_a_board_against_a_box_leans_on_it():
    angle = np.radians(30)
    turn = trimesh.transformations.rotation_matrix(angle, (0, 1, 0))
    board = box(0.01, 0.06, 0.2).apply_transform(turn)
    lift = -float(board.vertices[:, 2].min())
    top_x = float(board.vertices[np.argmax(board.vertices[:, 2]), 0])
    support = thing(2, box(0.1, 0.1, 0.16), (top_x + 0.045, 0, 0.08))
    assert told(thing(1, board, (0, 0, lift)), support) == [(1, LEANING, 2)]


def test_up_may_be_any_axis_and_without_it_nothing_is_told():
    left, right = thing(1, box(0.1, 0.1, 0.1)), thing(2, box(0.06, 0.06, 0.06), (0.08, 0, 0))
    assert told(left, right, up=np.array([1.0, 0, 0])) == [(2, ON, 1)]
    assert told(left, right, up=None) == []


def test_relations_of_objects_that_stay_are_not_found_again():
    known = KnownRelations()
    low, top = (
        thing(1, box(0.1, 0.1, 0.1), (0, 0, 0.05)),
        thing(2, box(0.06, 0.06, 0.06), (0, 0, 0.13)),
    )
    beside = thing(3, box(0.06, 0.06, 0.06), (0.1, 0.0, 0.03))
    before = known.of(Scene(0, 'world', (low, top, beside), up=UP))
    away = replace(beside, T_fixed_obj=np.eye(4) + np.eye(4, k=3))
    after = known.of(Scene(0, 'world', (low, top, away), up=UP))
    assert [(item.subject, item.other) for item in before] == [(1, 3), (2, 1)]
    assert len(after) == 1 and after[0] is before[1]


def test_relations_are_found_anew_when_an_object_moves_and_not_before():
    known = KnownRelations()
    low, top = thing(1, box(0.1, 0.1, 0.1), (0, 0, 0.05)), thing(2, box(0.06, 0.06, 0.06))

    def scene(x_m, up=UP):
        T = np.eye(4)
        T[:3, 3] = x_m, 0.0, 0.13
        return Scene(0, 'world', (low, replace(top, T_fixed_obj=T)), up=up)

    first = known.of(scene(0.0))
    assert [item.kind for item in first] == [ON]
    assert known.of(scene(0.001))[0] is first[0]
    assert known.of(scene(0.3)) == ()
    assert [item.kind for item in known.of(scene(0.0))] == [ON]
    assert known.of(scene(0.0, up=None)) == ()
