# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one session: one id for each object, whoever sees it."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ObjectState
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
STEP_NS = 500_000_000
FRONT = {'camera_id': 'front', 'frame_id': 'front_optical'}
SIDE = {'camera_id': 'side', 'frame_id': 'side_optical'}


def session(say=print):
    config = Config()
    return Session.from_config(
        replace(
            config,
            segmentation=replace(config.segmentation, backend='geometric'),
            reconstruction=replace(config.reconstruction, backend='geometric'),
        ),
        say,
    )


@pytest.fixture
def look(boxes_world):
    """Return a function that draws what a camera sees at a time."""

    def draw(camera, number, eye, boxes=BOXES, target=(0.0, 0.0, 0.0)):
        frame, _ = boxes_world(eye, boxes, stamp_ns=number * STEP_NS, target=target)
        return replace(frame, **camera)

    return draw


def ids(scene):
    return [item.id for item in scene.objects]


@pytest.mark.parametrize(
    'side',
    [(0.6, 0.65, 0.7), (0.0, 0.9, 0.7), (-0.9, 0.0, 0.7)],
    ids=['45', '90', '180'],
)
def test_two_cameras_make_no_duplicates_and_no_id_changes(look, side):
    running = session()
    for number in range(1, 7):
        for frame in (look(FRONT, number, (0.9, 0.0, 0.7)), look(SIDE, number, side)):
            scene = running.step(frame).scene
            if number > 1:
                assert ids(scene) == [1, 2]
    for item, (center, *_) in zip(scene.objects, BOXES, strict=True):
        assert np.linalg.norm(apply(item.T_fixed_obj, item.box_center_m) - center) < 0.02


def test_a_camera_that_looks_elsewhere_takes_nothing_away(look):
    running = session()
    away = (0.9, 0.0, 0.7), (), (5.0, 0.0, 0.7)
    for number in range(1, 8):
        running.step(look(FRONT, number, (0.9, 0.0, 0.7)))
        scene = running.step(look(SIDE, number, *away)).scene
        assert ids(scene) == [1, 2]
        assert all(item.missed == 0 for item in scene.objects)
    assert {item.state for item in scene.objects} == {ObjectState.VISIBLE}


def test_what_the_only_camera_that_sees_it_loses_is_hidden_or_out_of_view(look):
    running = session()
    for number in range(1, 5):
        running.step(look(FRONT, number, (0.9, 0.0, 0.7)))
    away = (0.9, 0.0, 0.7), (), (5.0, 0.0, 0.7)
    for number in range(5, 9):
        scene = running.step(look(FRONT, number, *away)).scene
        scene = running.step(look(SIDE, number, *away)).scene
    assert {item.state for item in scene.objects} == {ObjectState.OUT_OF_VIEW}


def test_an_older_stamp_of_another_camera_is_no_jump_back(look):
    said = []
    running = session(said.append)
    for number in range(2, 5):
        running.step(look(FRONT, number, (0.9, 0.0, 0.7)))
        scene = running.step(look(SIDE, number - 1, (0.6, 0.65, 0.7))).scene
    assert ids(scene) == [1, 2] and said == []


def test_an_object_that_is_taken_away_goes_although_two_cameras_saw_it(look):
    running = session()
    for number in range(1, 5):
        running.step(look(FRONT, number, (0.9, 0.0, 0.7)))
        running.step(look(SIDE, number, (0.6, 0.65, 0.7)))
    for number in range(5, 9):
        running.step(look(FRONT, number, (0.9, 0.0, 0.7), BOXES[:1]))
        scene = running.step(look(SIDE, number, (0.6, 0.65, 0.7), BOXES[:1])).scene
    assert len(scene.objects) == 1


def test_cameras_must_share_a_fixed_frame(look):
    running = session()
    running.step(look(FRONT, 1, (0.9, 0.0, 0.7)))
    lost = replace(look(SIDE, 1, (0.6, 0.65, 0.7)), fixed_frame='side_optical')
    with pytest.raises(InputError, match=r'camera side is placed in "side_optical".*front'):
        running.step(lost)


def test_cameras_that_are_resumed_in_another_map_do_not_refuse_each_other(look, tmp_path):
    running, said = session(), []
    running.step(look(FRONT, 1, (0.9, 0.0, 0.7)))
    running.step(look(SIDE, 1, (0.0, 0.9, 0.7)))
    running.save(tmp_path)
    again = session(said.append)
    again.resume(tmp_path)
    for number in range(2, 5):
        for camera, eye in ((FRONT, (0.9, 0.0, 0.7)), (SIDE, (0.0, 0.9, 0.7))):
            scene = again.step(replace(look(camera, number, eye), fixed_frame='other')).scene
    assert len(scene.objects) == 2 and scene.fixed_frame == 'other'
    assert len(said) == 1 and 'no longer' in said[0]
