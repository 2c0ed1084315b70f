# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest

from sam3d_ros.cli.console import plain
from sam3d_ros.cli.live.demo_table import compare, table
from sam3d_ros.core.types import (
    Camera,
    Mesh,
    ObjectState,
    Provenance,
    Scene,
    SceneObject,
)
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.truth import FrameTruth, Truth

CUBE = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T.astype(np.float32) * 0.05
PLACES = ((0.0, 0.0, 0.1), (0.3, 0.0, 0.1))


def at(place):
    T = np.eye(4)
    T[:3, 3] = place
    return T


def truth() -> Truth:
    solids = tuple(
        Solid(name, CUBE, np.zeros((0, 3), np.int32), np.zeros((8, 3), np.uint8), 'box')
        for name in ('box_0', 'box_1')
    )
    nothing = np.zeros((2, 2, 2), bool)
    frame = FrameTruth(
        0,
        np.eye(4),
        np.stack([at(place) for place in PLACES]),
        np.array([True, True]),
        nothing[0].astype(np.uint8),
        nothing,
        np.zeros(2),
    )
    camera = Camera(2, 2, np.eye(3))
    return Truth('demo', 0, 'test', 'world', 0.0, camera, solids, (frame,))


def found(number, place, offset=(0.0, 0.0, 0.0), state=ObjectState.VISIBLE) -> SceneObject:
    """Return a cube at ``place`` whose mesh lies ``offset`` away from its origin."""
    faces = np.zeros((0, 3), np.int32)
    mesh = Mesh(
        CUBE + np.float32(offset),
        faces,
        np.zeros((8, 3), np.uint8),
        np.zeros(0, np.uint8),
        np.zeros(0, np.float32),
    )
    T = at(np.subtract(place, offset))
    size, center = np.full(3, 0.1), np.asarray(offset, float)
    return SceneObject(
        number, state, '', 1.0, T, np.eye(6), size, center, 0.1, mesh, 0.5,
        Provenance('test'), 0, 0, 3, 0,
    )  # fmt: skip


def test_objects_at_their_places_are_good_whatever_their_mesh_origin() -> None:
    scene = Scene(0, 'world', (found(4, PLACES[1]), found(5, PLACES[0], offset=(0.2, 0.1, 0.0))))
    verdict = compare(scene, truth())
    assert verdict.good
    assert [row.found.id for row in verdict.rows] == [5, 4]
    assert max(row.error_m for row in verdict.rows) < 1e-6


@pytest.mark.parametrize(('off_m', 'good'), [(0.019, True), (0.021, False)])
def test_two_centimetres_are_the_limit(off_m, good) -> None:
    moved = (PLACES[0][0] + off_m, *PLACES[0][1:])
    verdict = compare(Scene(0, 'world', (found(1, moved), found(2, PLACES[1]))), truth())
    assert verdict.good is good
    assert ('more than 20 mm' in plain(table(verdict))) is not good


def test_a_missing_object_is_named_and_tentative_ones_do_not_count() -> None:
    objects = (found(1, PLACES[0]), found(2, PLACES[1], state=ObjectState.TENTATIVE))
    verdict = compare(Scene(0, 'world', objects), truth())
    assert not verdict.good
    assert re.search('box_1.* missing', plain(table(verdict)))


def test_objects_that_belong_to_nothing_are_listed_and_harmless() -> None:
    objects = (found(1, PLACES[0]), found(2, PLACES[1]), found(3, (2.0, 0.0, 0.0)))
    verdict = compare(Scene(0, 'world', objects), truth())
    assert verdict.good
    assert [item.id for item in verdict.extra] == [3]
    assert '(extra)' in plain(table(verdict))


def test_an_empty_scene_misses_everything() -> None:
    verdict = compare(Scene(0, 'world'), truth())
    assert not verdict.good
    assert plain(table(verdict)).count('missing') == 2
