# SPDX-License-Identifier: Apache-2.0
"""A session that is resumed in another map knows its objects again, or says why it does not."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.session.config import Config, SessionConfig
from sam3d_ros.session.session import Session

STEP_NS = 300_000_000
BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
    ((-0.18, -0.02, 0.08), (0.08, 0.06, 0.16), (40, 40, 200)),
)
OTHERS = tuple((place, size, (200, 200, 40)) for place, size, _ in BOXES)
T_NOW_SAVED = transform(Rotation.from_rotvec([0, 0, 2.0]).as_matrix(), [3.0, -1.0, 0.2])


def session(said, folder=''):
    """A session of the geometric backends."""
    default = Config()
    config = replace(
        default,
        reconstruction=replace(default.reconstruction, backend='geometric'),
        segmentation=replace(default.segmentation, backend='geometric'),
        session=SessionConfig(folder=str(folder)),
    )
    return Session.from_config(config, said.append)


def shown(running, boxes_world, first, boxes=BOXES, T=None, frame_id='odom', **changes):
    """The last scene of four frames; their map began elsewhere by T."""
    for at in range(first, first + 4):
        eye = (0.9, 0.04 * at, 0.7)
        frame, _ = boxes_world(eye, boxes, stamp_ns=(at + 1) * STEP_NS)
        T_fixed_cam = frame.T_fixed_cam if T is None else T @ frame.T_fixed_cam
        placed = replace(frame, T_fixed_cam=T_fixed_cam, fixed_frame=frame_id, **changes)
        scene = running.step(placed).scene
    return scene


def run(boxes_world, folder, first, boxes=BOXES, T=None, frame_id='odom', **changes):
    """The last scene of a session in a folder, and what it said."""
    said = []
    running = session(said, folder)
    scene = shown(running, boxes_world, first, boxes, T, frame_id, **changes)
    running.close()
    return scene, said


def places(scene):
    return {i.id: apply(i.T_fixed_obj, i.box_center_m) for i in scene.objects}


@pytest.fixture(scope='module')
def saved(boxes_world, tmp_path_factory):
    """A folder that a session was saved in, and the places of what it knew."""
    folder = tmp_path_factory.mktemp('saved')
    scene, said = run(boxes_world, folder, 0)
    assert len(scene.objects) == 3 and said == []
    return folder, places(scene)


@pytest.fixture
def before(saved, tmp_path):
    """The places of what the session knew that ``tmp_path`` holds a copy of."""
    shutil.copytree(saved[0], tmp_path, dirs_exist_ok=True)
    return saved[1]


@pytest.mark.parametrize(
    ('frame_id', 'changes', 'why'),
    [
        ('map', {}, 'the fixed frame is "map" and no longer "odom"'),
        ('odom', {'pose_covariance': np.eye(6) * 1e-8}, 'own odometry began anew'),
    ],
)
def test_what_was_known_comes_back_with_its_ids(
    boxes_world, tmp_path, before, frame_id, changes, why
):
    scene, said = run(boxes_world, tmp_path, 5, T=T_NOW_SAVED, frame_id=frame_id, **changes)
    assert why in said[0]
    assert 'what was known before is recognised by 3 objects, moved by' in said[-1]
    after = places(scene)
    assert after.keys() == before.keys()
    for object_id, place in before.items():
        assert np.linalg.norm(apply(T_NOW_SAVED, place) - after[object_id]) < 0.03


def test_what_is_not_recognised_is_told_once_and_waits_over_the_next_start(
    boxes_world, tmp_path, before
):
    scene, said = run(boxes_world, tmp_path, 5, OTHERS[:2], frame_id='map')
    assert not before.keys() & places(scene).keys() and len(said) == 1
    scene, said = run(boxes_world, tmp_path, 10, BOXES, T=T_NOW_SAVED, frame_id='other')
    assert places(scene).keys() == before.keys()


def test_places_that_were_known_since_do_not_replace_those_before(boxes_world, tmp_path, before):
    colors = ((200, 200, 40), (40, 200, 200), (200, 40, 200))
    since = [(place, size, color) for (place, size, _), color in zip(BOXES, colors, strict=True)]
    scene, _ = run(boxes_world, tmp_path, 5, since, frame_id='map')
    ids_since = places(scene).keys()
    for first, boxes, ids in ((10, BOXES, before.keys()), (15, since, ids_since)):
        scene, said = run(boxes_world, tmp_path, first, boxes, T_NOW_SAVED, f'map{first}')
        assert places(scene).keys() == ids
        assert 'what was known before is recognised by 3 objects, moved by' in said[-1]


def test_other_things_are_not_taken_for_what_was_known(boxes_world, tmp_path, before):
    scene, said = run(boxes_world, tmp_path, 5, OTHERS, frame_id='map')
    assert len(said) == 2 and 'not recognised yet: 3 saved objects and 3 that are' in said[1]
    assert not before.keys() & places(scene).keys()


def test_what_was_known_is_known_again_where_odometry_finds_its_way_back(boxes_world):
    """Two objects are too few to be recognised; the third was seen from the map between alone."""
    own, said = {'pose_covariance': np.eye(6) * 1e-8}, []
    running = session(said)
    before = places(shown(running, boxes_world, 0, BOXES[:2], **own))
    between = shown(running, boxes_world, 4, BOXES, T_NOW_SAVED, 'odom_2', **own)
    assert len(between.objects) == 3 and not before.keys() & places(between).keys()
    after = places(shown(running, boxes_world, 8, BOXES, **own))
    assert 'own odometry has found its way back into "odom"' in said[-1]
    assert (
        len(after) == 3 and before.keys() < after.keys() <= before.keys() | places(between).keys()
    )
    for object_id, place in before.items():
        assert np.linalg.norm(place - after[object_id]) < 0.03
    (third,) = after.keys() - before.keys()
    assert np.linalg.norm(apply(T_NOW_SAVED, after[third]) - places(between)[third]) < 0.03


def test_after_time_began_anew_no_fixed_frame_is_that_of_before(boxes_world):
    """Odometry begins again under the names it had; its second "odom" is another place."""
    own, said = {'pose_covariance': np.eye(6) * 1e-8}, []
    running = session(said)
    before = places(shown(running, boxes_world, 10, BOXES[:2], **own))
    shown(running, boxes_world, 14, BOXES, T_NOW_SAVED, 'odom_2', **own)
    shown(running, boxes_world, 0, OTHERS[:2], T_NOW_SAVED, 'odom', **own)
    after = places(shown(running, boxes_world, 18, OTHERS[:2], T_NOW_SAVED, 'odom', **own))
    assert sum('tracks start anew' in sentence for sentence in said) == 2
    assert not any('found its way back' in sentence for sentence in said)
    assert not before.keys() & after.keys()
