# SPDX-License-Identifier: Apache-2.0
"""A saved scene is known again from another place by its objects, or refused with the reason."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Mesh, ObjectState, Provenance, Scene, SceneObject
from sam3d_ros.export.scene_files import read_scene, write_scene
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform
from sam3d_ros.session.config import Config
from sam3d_ros.session.places.recognition import recognise
from sam3d_ros.session.session import Session

STEP_NS = 100_000_000
BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
    ((-0.18, -0.02, 0.08), (0.08, 0.06, 0.16), (40, 40, 200)),
    ((0.2, 0.05, 0.04), (0.06, 0.12, 0.08), (200, 200, 40)),
)
UP = np.array([0.0, 0.0, 1.0])


def thing(object_id, place, size, color):
    """An object of eight corners."""
    corners = (np.indices((2, 2, 2)).reshape(3, -1).T - 0.5) * size
    mesh = Mesh(
        corners.astype(np.float32),
        np.zeros((0, 3), np.int32),
        np.tile(np.uint8(color), (8, 1)),
        np.zeros(0, np.uint8),
        np.zeros(0, np.float32),
    )
    return SceneObject(
        id=object_id,
        state=ObjectState.VISIBLE,
        label='',
        score=1.0,
        T_fixed_obj=transform(np.eye(3), np.array(place, float)),
        covariance=np.eye(6) * 1e-6,
        size_m=np.array(size, float),
        box_center_m=np.zeros(3),
        scale_sigma=0.05,
        mesh=mesh,
        observed_fraction=0.5,
        provenance=Provenance('test'),
        first_seen_ns=0,
        last_seen_ns=0,
        hits=1,
        missed=0,
    )


def scene_of(things, up=UP):
    return Scene(1, 'map', tuple(things), up=up)


def random_things(rng, count):
    places = np.column_stack([rng.uniform(-0.5, 0.5, (count, 2)), rng.uniform(0, 0.1, count)])
    sizes = rng.uniform(0.05, 0.2, (count, 3))
    colors = rng.integers(0, 256, (count, 3))
    return [thing(k + 1, *it) for k, it in enumerate(zip(places, sizes, colors, strict=True))]


@pytest.mark.parametrize('seed', range(12))
@pytest.mark.parametrize('up', [UP, None], ids=['up', 'no up'])
def test_the_motion_is_found_among_objects_that_came_and_went(seed, up):
    rng = np.random.default_rng(seed)
    saved = random_things(rng, 7)
    R = (
        Rotation.random(random_state=seed)
        if up is None
        else Rotation.from_rotvec([0, 0, rng.uniform(-np.pi, np.pi)])
    )
    T = transform(R.as_matrix(), rng.uniform(-3, 3, 3))
    kept = [replace(item, id=item.id + 20) for item in saved[:5]]
    now = [
        replace(
            item,
            T_fixed_obj=transform(np.eye(3), rng.normal(0, 0.004, 3)) @ T @ item.T_fixed_obj,
            size_m=item.size_m * rng.uniform(0.9, 1.1, 3),
        )
        for item in kept
    ] + [replace(it, id=40 + it.id) for it in random_things(rng, 3)]
    found = recognise(scene_of(saved, up), scene_of(now, None if up is None else R.apply(UP)))
    assert {k: v for k, v in found.pairs.items() if k <= 5} == {k: k + 20 for k in range(1, 6)}
    off = found.T_now_saved @ inverse(T)
    assert rotation_angle(off) < np.radians(3.0)
    centre = T[:3, 3]
    assert np.linalg.norm(apply(off, centre) - centre) < 0.02


def test_two_objects_are_too_few():
    saved = random_things(np.random.default_rng(0), 6)
    with pytest.raises(InputError, match=r'6 saved objects and 2 that are seen, of which 2 may'):
        recognise(scene_of(saved), scene_of(saved[:2]))


def test_what_stands_otherwise_is_not_recognised():
    saved = random_things(np.random.default_rng(1), 5)
    places = [item.T_fixed_obj for item in saved]
    now = [
        replace(item, T_fixed_obj=T)
        for item, T in zip(saved, [*places[1:], places[0]], strict=True)
    ]
    with pytest.raises(InputError, match='in the same arrangement'):
        recognise(scene_of(saved), scene_of(now))


def test_three_equal_things_in_a_triangle_fit_in_more_than_one_way():
    angles = np.radians([0, 120, 240])
    places = np.column_stack([0.3 * np.cos(angles), 0.3 * np.sin(angles), np.zeros(3)])
    same = [thing(k + 1, place, (0.1, 0.1, 0.1), (200, 30, 30)) for k, place in enumerate(places)]
    with pytest.raises(InputError, match='in more than one way'):
        recognise(scene_of(same), scene_of(same))


def test_things_in_a_line_need_to_know_what_is_up():
    things = [
        thing(k, (0.2 * k * k, 0, 0.05), (0.1, 0.05, 0.1), color)
        for k, color in ((1, (200, 0, 0)), (2, (0, 200, 0)), (3, (0, 0, 200)))
    ]
    assert recognise(scene_of(things), scene_of(things)).is_at_home
    with pytest.raises(InputError, match='not all in one line'):
        recognise(scene_of(things, None), scene_of(things, None))


def session(say=None):
    default = Config()
    return Session.from_config(
        replace(
            default,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
        ),
        say or [].append,
    )


@pytest.fixture(scope='module')
def saved(boxes_world, tmp_path_factory):
    """A folder with the scene of four boxes."""
    running = session()
    for at in range(4):
        frame, _ = boxes_world((0.9, 0.05 * at, 0.7), BOXES, stamp_ns=(at + 1) * STEP_NS)
        running.step(frame)
    folder = tmp_path_factory.mktemp('saved')
    write_scene(running.scene(), folder)
    return folder


def seen_from_elsewhere(boxes_world, T_now_saved, boxes=BOXES):
    """A session whose map began at another place, and that looks from the side."""
    running = session()
    for at in range(4):
        frame, _ = boxes_world((0.2 - 0.05 * at, -0.9, 0.7), boxes, stamp_ns=(at + 9) * STEP_NS)
        running.step(replace(frame, T_fixed_cam=T_now_saved @ frame.T_fixed_cam))
    return running, frame


def test_a_saved_scene_is_recognised_from_another_place(boxes_world, saved):
    T = transform(Rotation.from_rotvec([0, 0, 2.0]).as_matrix(), [3.0, -1.0, 0.2])
    running, frame = seen_from_elsewhere(boxes_world, T, BOXES[:3])
    before = read_scene(saved)
    assert 'recognised by 3 objects, moved by 3.1' in running.load(before)
    known = {
        item.id: item
        for item in running.step(
            replace(frame, stamp_ns=20 * STEP_NS, T_fixed_cam=T @ frame.T_fixed_cam)
        ).scene.objects
    }
    seen = [item for item in before.objects if item.id in known]
    assert len(seen) == len(known) >= 3
    for item in seen:
        place = apply(T @ item.T_fixed_obj, item.box_center_m)
        at = apply(known[item.id].T_fixed_obj, known[item.id].box_center_m)
        assert np.linalg.norm(place - at) < 0.03


def test_where_it_was_saved_it_is_at_home(boxes_world, saved):
    running, _ = seen_from_elsewhere(boxes_world, np.eye(4))
    assert running.load(read_scene(saved)) == 'recognised by 4 objects, where it was saved'
    assert [item.id for item in running.scene().objects] == [1, 2, 3, 4]


def test_what_is_seen_to_be_elsewhere_is_refused_and_changes_nothing(boxes_world, saved):
    moved = (((0.3, -0.3, 0.06), *BOXES[0][1:]), ((-0.3, 0.3, 0.05), *BOXES[1][1:]))
    running, _ = seen_from_elsewhere(boxes_world, np.eye(4), moved)
    before = [item.id for item in running.scene().objects]
    with pytest.raises(InputError, match='not where it was saved, and not recognised: 4 saved'):
        running.load(read_scene(saved))
    assert [item.id for item in running.scene().objects] == before


def test_older_files_are_read_and_newer_ones_refused(saved, tmp_path):
    tree = json.loads((saved / 'scene.json').read_text())
    (tmp_path / 'meshes').symlink_to(saved / 'meshes')
    assert tree['version'] == 1 and np.allclose(tree['up'], UP)
    older = {
        key: value for key, value in tree.items() if key not in ('version', 'up', 'relations')
    }
    (tmp_path / 'scene.json').write_text(json.dumps(older))
    assert read_scene(tmp_path).up is None and len(read_scene(tmp_path).objects) == 4
    (tmp_path / 'scene.json').write_text(json.dumps(tree | {'version': 2}))
    with pytest.raises(InputError, match='of version 2; wanted version 1 or older'):
        read_scene(tmp_path)


@pytest.mark.parametrize('boxes', [BOXES[:3], BOXES[:2]], ids=['three', 'two'])
def test_what_was_known_before_odometry_was_lost_is_known_again(boxes_world, boxes):
    said = []
    running = session(said.append)
    for at in range(4):
        frame, _ = boxes_world((0.9, 0.05 * at, 0.7), BOXES, stamp_ns=(at + 1) * STEP_NS)
        running.step(replace(frame, fixed_frame='odom', pose_covariance=np.eye(6) * 1e-6))
    before = {item.id: item for item in running.scene().objects}
    # Lost for a while, it begins anew elsewhere: nothing says how both frames lie.
    T = transform(Rotation.from_rotvec([0, 0, 2.0]).as_matrix(), [3.0, -1.0, 0.2])
    for at in range(4):
        frame, _ = boxes_world((0.2 - 0.05 * at, -0.9, 0.7), boxes, stamp_ns=(at + 40) * STEP_NS)
        frame = replace(frame, T_fixed_cam=T @ frame.T_fixed_cam)
        running.step(replace(frame, fixed_frame='odom_2', pose_covariance=np.eye(6) * 1e-6))
    known = {item.id: item for item in running.scene().objects}
    assert running.scene().fixed_frame == 'odom_2' and 'no longer "odom"' in said[0]
    if len(boxes) < 3:
        # Too few to tell: both stay apart.
        assert not any('recognised by' in each for each in said)
        assert not before.keys() & known.keys()
        return
    assert 'what was known before is recognised by 3 objects, moved by' in said[-1]
    again = before.keys() & known.keys()
    assert len(again) >= 3 and len(known) <= len(before)
    for object_id in again:
        item, now = before[object_id], known[object_id]
        place = apply(T @ item.T_fixed_obj, item.box_center_m)
        at = apply(now.T_fixed_obj, now.box_center_m)
        assert np.linalg.norm(place - at) < 0.03
