# SPDX-License-Identifier: Apache-2.0
"""When the map jumps and not the camera, objects go along: none lost, doubled or in the air."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import apply, interpolate, inverse, rotation_angle, transform
from sam3d_ros.session.config import Config, SessionConfig
from sam3d_ros.session.map_jumps import MapJumps
from sam3d_ros.session.session import Session

STEP_NS = 100_000_000
ON_TABLE = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
    ((-0.18, -0.02, 0.08), (0.08, 0.06, 0.16), (40, 40, 200)),
)
ELSEWHERE = (
    ((1.9, 0.1, 0.07), (0.12, 0.08, 0.14), (200, 200, 40)),
    ((2.1, -0.12, 0.05), (0.08, 0.14, 0.10), (200, 40, 200)),
    ((2.1, 0.22, 0.04), (0.10, 0.10, 0.08), (40, 200, 200)),
)


def turned(degrees, shift):
    return transform(Rotation.from_rotvec([0, 0, np.radians(degrees)]).as_matrix(), shift)


def session(said=None, **options):
    default = Config()
    config = replace(
        default,
        reconstruction=replace(default.reconstruction, backend='geometric'),
        segmentation=replace(default.segmentation, backend='geometric'),
        session=SessionConfig(**options),
    )
    return Session.from_config(config, [].append if said is None else said.append)


def told(frame, T_told_true):
    """A frame as a map tells of it that is off."""
    return replace(frame, T_fixed_cam=T_told_true @ frame.T_fixed_cam)


def centres(scene):
    return {item.id: apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects}


@pytest.mark.parametrize(('degrees', 'shift'), [(8, (0.24, 0.18, 0.02)), (2, (0.05, 0.0, 0.0))])
def test_objects_go_along_with_a_map_that_jumps(boxes_world, degrees, shift):
    said = []
    running = session(said)
    T_new_old = turned(degrees, shift)
    for at in range(10):
        eye = (0.9 - 0.02 * at, 0.06 * at, 0.7)
        frame, _ = boxes_world(eye, ON_TABLE, stamp_ns=(at + 1) * STEP_NS)
        scene = running.step(told(frame, T_new_old) if at >= 5 else frame).scene
        assert [item.id for item in scene.objects] == [1, 2, 3]
        assert scene.removed == ()
        if at == 4:
            before = {item.id: item.T_fixed_obj for item in scene.objects}
        for item in scene.objects if at >= 5 else ():
            off = item.T_fixed_obj @ inverse(T_new_old @ before[item.id])
            place = apply(item.T_fixed_obj, item.box_center_m)
            assert np.linalg.norm(apply(off, place) - place) < 0.006
            assert rotation_angle(off) < np.radians(2.0)
            assert item.moved_ns == 0
    assert len(said) == 1 and 'the map jumped' in said[0] and '3 objects went along' in said[0]


def test_without_the_option_they_do_not(boxes_world):
    running = session(map_jumps=False)
    for at in range(10):
        frame, _ = boxes_world((0.9, 0.06 * at, 0.7), ON_TABLE, stamp_ns=(at + 1) * STEP_NS)
        scene = running.step(told(frame, turned(8, (0.4, 0.2, 0))) if at >= 5 else frame).scene
    assert all(item.moved_ns for item in scene.objects)


def test_a_camera_that_is_carried_elsewhere_is_no_jump_of_the_map(boxes_world):
    """It turns away within one frame, or steps aside by half a metre: the surfaces say so."""
    jumps = MapJumps()
    boxes = (*ON_TABLE, *ELSEWHERE)
    eyes = [((0.9, 0.02 * at, 0.7), (0.0, 0.0, 0.0)) for at in range(4)]
    eyes += [((0.9, 0.08, 0.7), (2.0, 0.0, 0.0)), ((0.9, 0.6, 0.7), (0.0, 0.0, 0.0))]
    for at, (eye, target) in enumerate(eyes):
        frame, _ = boxes_world(eye, boxes, stamp_ns=at * STEP_NS, target=target)
        assert jumps.jump(frame) is None


def test_an_object_that_is_taken_is_no_jump_of_the_map(boxes_world):
    jumps = MapJumps()
    for at in range(8):
        boxes = ON_TABLE if at < 4 else ON_TABLE[:2]
        frame, _ = boxes_world((0.9, 0.03 * at, 0.7), boxes, stamp_ns=at * STEP_NS)
        assert jumps.jump(frame) is None


def test_a_closed_loop_moves_what_was_seen_on_it_by_its_share(boxes_world):
    """The camera drives to another place and back while the map drifts; then the loop closes.

    What was seen where the loop began stays, what was seen halfway moves by half, and what was
    taken for another thing on the way back is the one that was known.
    """
    said = []
    running = session(said)
    drift = turned(6, (0.02, 1.5, 0.0))
    places = [0.0] * 5 + list(np.linspace(0.0, 2.0, 21)[1:]) + [2.0] * 5
    places += list(np.linspace(2.0, 0.0, 21)[1:]) + [0.0] * 4
    path_m = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(places)))])
    for at, (x, path) in enumerate(zip(places, path_m, strict=True)):
        eye, target = (x + 0.3, 0.0, 0.9), (x, 0.0, 0.0)
        frame, _ = boxes_world(
            eye, (*ON_TABLE, *ELSEWHERE), stamp_ns=at * STEP_NS, target=target, size=(160, 120)
        )
        is_closed = at == len(places) - 2
        drifted = interpolate(np.eye(4), drift, path / path_m[-1])
        if is_closed:
            assert len(running.scene().objects) == 9  # what was known is seen as something else
        scene = running.step(told(frame, np.eye(4) if at >= len(places) - 2 else drifted)).scene
    found = centres(scene)
    assert list(found) == [1, 2, 3, 4, 5, 6]
    true = np.array([box[0] for box in (*ON_TABLE, *ELSEWHERE)])
    for centre in found.values():
        assert np.linalg.norm(true - centre, axis=1).min() < 0.06
    nearest = {int(np.linalg.norm(true - centre, axis=1).argmin()) for centre in found.values()}
    assert len(nearest) == 6
    assert '9 objects went along, 3 of which were known already' in said[-1]


def test_a_loop_of_the_recording_starts_anew_without_ghosts(boxes_world):
    """Stamps go back; where objects were at the end is nothing to what is seen now."""
    said = []
    running = session(said)
    for turn in range(3):
        for at in range(5):
            moved = ((ON_TABLE[0][0], *ON_TABLE[0][1:]), *ON_TABLE[1:]) if at < 4 else ON_TABLE[:2]
            frame, _ = boxes_world((0.9, 0.05 * at, 0.7), moved, stamp_ns=(at + 1) * STEP_NS)
            scene = running.step(frame).scene
            if at == 0:
                assert len(scene.objects) == 3
                assert [item.id for item in scene.objects] == [3 * turn + k for k in (1, 2, 3)]
    assert len(said) == 2 and all('stamps went back' in sentence for sentence in said)
