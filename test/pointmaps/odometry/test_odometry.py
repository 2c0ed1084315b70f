# SPDX-License-Identifier: Apache-2.0
"""Own odometry: a room whose truth is exact; and cameras that cannot be followed say so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import inverse, moved_by, rotation_angle, transform
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.odometry.dense_alignment import align
from sam3d_ros.pointmaps.odometry.levels import KeptLevel, levels_of, surface_of
from sam3d_ros.pointmaps.odometry.odometry import LostError, Odometry
from sam3d_ros.pointmaps.odometry.own_places import OwnPlaces
from sam3d_ros.world.cameras import looking_at

CAMERA = Camera(320, 240, np.array([[262.0, 0, 159.5], [0, 262.0, 119.5], [0, 0, 1]]))
ROOM = np.array([[-2.0, -2.0, 0.0], [2.0, 2.0, 2.5]])
TABLE = np.array([[-0.5, -0.4, 0.0], [0.5, 0.4, 0.7]])
STEP_NS = 100_000_000


@pytest.fixture(scope='module')
def boxes():
    """A room, a table in it and things on that, each with a random texture."""
    rng = np.random.default_rng(5)
    things = []
    for _ in range(6):
        middle = np.append(rng.uniform(-0.3, 0.3, 2), 0.7)
        size = rng.uniform(0.04, 0.12, 3)
        things.append(np.array([middle - [*size[:2], 0.0], middle + size]))
    return [
        (corners, rng.normal(size=(16, 16, 16)).astype(np.float32))
        for corners in (ROOM, TABLE, *things)
    ]


def seen(boxes, T_world_cam, seed=0):
    """Return colour and depth of boxes, the first seen from inside, with a sensor's noise."""
    rng = np.random.default_rng(seed)
    eye = T_world_cam[:3, 3]
    ray = rays(CAMERA).reshape(-1, 3).astype(np.float64) @ T_world_cam[:3, :3].T
    depth, gray = np.full(len(ray), np.inf), np.zeros(len(ray))
    for number, (corners, texture) in enumerate(boxes):
        hits = (corners[:, None] - eye) / ray
        near, far = hits.min(axis=0).max(axis=1), hits.max(axis=0).min(axis=1)
        hit = np.where((near < far) & (near > 0), near, np.inf) if number else far
        nearer = hit < depth
        depth[nearer] = hit[nearer]
        points = eye + ray[nearer] * depth[nearer, None]
        gray[nearer] = 115 + sum(
            amplitude * map_coordinates(texture, points.T / scale, order=1, mode='grid-wrap')
            for scale, amplitude in ((0.31, 22), (0.12, 18), (0.043, 12))
        )
    depth += (0.0012 + 0.0019 * (depth - 0.4) ** 2) * rng.normal(size=len(depth))
    gray = np.clip(gray + 2.5 * rng.normal(size=len(gray)), 0, 255).reshape(240, 320)
    rgb = np.repeat(gray[..., None], 3, axis=2).astype(np.uint8)
    return rgb, depth.reshape(240, 320).astype(np.float32)


def around(azimuth_deg, elevation_deg=40.0, distance_m=1.1):
    """Return T_world_cam that looks at the table from a place on an orbit."""
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    flat = np.array([np.cos(azimuth), np.sin(azimuth)]) * np.cos(elevation)
    target = np.array([0.0, 0.0, 0.75])
    return looking_at(target + distance_m * np.append(flat, np.sin(elevation)), target)


def off(T, truth):
    """Return metres and radians between two poses."""
    aside = inverse(truth) @ T
    return float(np.linalg.norm(aside[:3, 3])), rotation_angle(aside)


def test_a_level_is_kept_in_half_the_memory_and_as_good(boxes):
    for level in levels_of(*seen(boxes, around(0.0), 1), CAMERA):
        kept = KeptLevel.of(level)
        assert 2 * (kept.inverse_depth.nbytes + kept.brightness.nbytes) == level.image.nbytes
        again = kept.level().image
        np.testing.assert_array_equal(np.isnan(again), np.isnan(level.image))
        off = np.nanmax(np.abs(again - level.image), axis=(0, 1))
        # Of inverse depth less than a tenth of a millimetre at a metre; of brightness, 0..255.
        assert off[0] < 1e-4 and off[1] < 0.1


@pytest.mark.parametrize('seed', range(3))
def test_a_view_is_aligned_from_wherever_it_is_thought_to_be(boxes, seed):
    rng = np.random.default_rng(seed)
    key, cam = around(20.0), around(20.0 + rng.uniform(-12, 12), 40.0 + rng.uniform(-5, 5))
    surfaces = [surface_of(level) for level in levels_of(*seen(boxes, key, 1), CAMERA)]
    truth = inverse(key) @ cam
    guess = moved_by(truth, rng.normal(0.0, 0.02, 6))
    found = align(surfaces, levels_of(*seen(boxes, cam, 2), CAMERA), guess, 3)
    shift_m, turn_rad = off(found.T_key_cam, truth)
    assert shift_m < 0.003 and turn_rad < 0.003
    assert found.agreeing > 0.8 and found.likeness > 0.8
    assert np.allclose(found.T_key_cam[:3, :3] @ found.T_key_cam[:3, :3].T, np.eye(3), atol=1e-9)


def followed(boxes, poses, odometry=None):
    """Return the places of views along a way, None where odometry was lost."""
    odometry = odometry or Odometry('odom', poses[0])
    places = []
    for number, T in enumerate(poses):
        try:
            places.append(odometry.place(number * STEP_NS, *seen(boxes, T, number), CAMERA))
        except LostError:
            places.append(None)
    return places


def test_a_way_drifts_little_and_says_how_much(boxes):
    poses = [around(6.0 * k, 40 + 4 * np.sin(k)) for k in range(10)]
    places = followed(boxes, poses)
    path_m = places[-1].path_m
    assert path_m == pytest.approx(
        sum(np.linalg.norm(b[:3, 3] - a[:3, 3]) for a, b in pairwise(poses)),
        rel=0.03,
    )
    for place, T in zip(places, poses, strict=True):
        assert off(place.T_odom_cam, T)[0] < 0.007 * max(path_m, 0.5)
    drift_m = [place.drift_m for place in places]
    assert drift_m[0] == 0 and drift_m[-1] > drift_m[1] > 0
    assert off(places[-1].T_odom_cam, poses[-1])[0] < 3 * drift_m[-1]


def test_what_is_moved_in_view_does_not_move_the_camera(boxes):
    poses = [around(2.0 * k) for k in range(4)]
    (corners, texture), rest = boxes[2], [*boxes[:2], *boxes[3:]]
    odometry = Odometry('odom', poses[0])
    for number, T in enumerate(poses):
        moved = [*rest, (corners + [0.02 * number, 0, 0], texture)]
        place = odometry.place(number * STEP_NS, *seen(moved, T, number), CAMERA)
        assert off(place.T_odom_cam, T)[0] < 0.006


def test_a_place_that_was_left_is_known_again(boxes):
    """The camera is carried away in one frame, and back: lost, said, and found, in one frame."""
    away = moved_by(around(10.0), np.array([0, 0, 0, 0, 0, np.radians(150)]))
    poses = [around(0.0), around(4.0), around(8.0), away, away, around(12.0), around(14.0)]
    places = followed(boxes, poses)
    assert [place is None for place in places] == [False] * 3 + [True] * 2 + [False] * 2
    assert off(places[-1].T_odom_cam, poses[-1])[0] < 0.01
    assert places[-1].frame == 'odom'


def test_who_stays_lost_begins_anew_in_another_frame(boxes):
    away = moved_by(around(8.0), np.array([0, 0, 0, 0, 0, np.radians(150)]))
    odometry = Odometry()
    followed(boxes, [around(0.0), around(4.0), around(8.0)], odometry)
    later = 10 * STEP_NS
    with pytest.raises(LostError, match=r'lost for 0\.8 s.*begins anew'):
        odometry.place(later, *seen(boxes, away, 3), CAMERA)
    with pytest.raises(LostError):
        odometry.place(later + 25 * STEP_NS, *seen(boxes, away, 4), CAMERA)
    place = odometry.place(later + 26 * STEP_NS, *seen(boxes, away, 5), CAMERA)
    assert place.frame == 'odom_2' and np.array_equal(place.T_odom_cam, np.eye(4))


def test_a_covered_camera_is_nowhere_until_it_sees_again(boxes):
    """Where it would begin anew it sees nothing, and the frame of before is not told of again."""
    odometry = Odometry()
    followed(boxes, [around(0.0), around(4.0), around(8.0)], odometry)
    covered = np.zeros((240, 320, 3), np.uint8), np.full((240, 320), np.nan, np.float32)
    for number in range(5, 45, 4):
        with pytest.raises(LostError):
            odometry.place(number * STEP_NS, *covered, CAMERA)
    place = odometry.place(50 * STEP_NS, *seen(boxes, around(8.0), 3), CAMERA)
    assert (place.frame, odometry.lost, odometry.rejoined) == ('odom', 10, 1)
    assert off(place.T_odom_cam, inverse(around(0.0)) @ around(8.0))[0] < 0.01


def test_a_camera_that_is_lost_again_and_again_keeps_no_more_views(boxes, monkeypatch):
    monkeypatch.setattr('sam3d_ros.pointmaps.odometry.odometry.MOST_KEYFRAMES', 4)
    odometry = Odometry('odom', around(0.0))
    followed(boxes, [around(0.0), around(4.0), around(8.0)], odometry)
    covered = np.zeros((240, 320, 3), np.uint8), np.full((240, 320), np.nan, np.float32)
    for number in range(4, 20, 2):
        with pytest.raises(LostError):
            odometry.place(number * STEP_NS, *covered, CAMERA)
        T = around(8.0 + 0.1 * number)
        place = odometry.place((number + 1) * STEP_NS, *seen(boxes, T, number), CAMERA)
        assert place.frame == 'odom' and off(place.T_odom_cam, T)[0] < 0.01
        assert len(odometry._keyframes) <= 4


def test_who_has_begun_anew_goes_on_in_the_map_of_before_where_that_is_seen(boxes):
    """It comes back from another side, where it is known by landmarks before it looks the same."""
    odometry = Odometry('odom', around(0.0))
    followed(boxes, [around(0.0), around(4.0)], odometry)
    with pytest.raises(LostError):
        odometry.place(30 * STEP_NS, *seen(boxes, around(75.0), 2), CAMERA)
    for number, azimuth_deg in enumerate(np.arange(75.0, 10.0, -8.0)):
        T = around(azimuth_deg, 45.0)
        place = odometry.place((31 + 10 * number) * STEP_NS, *seen(boxes, T, number), CAMERA)
        if place.frame == 'odom':
            break
    assert odometry.begun == 2 and odometry.rejoined == 1
    assert 15.0 < azimuth_deg < 60.0
    assert off(place.T_odom_cam, T)[0] < 0.01 < place.path_m
    assert place.drift_m > 0
    T = around(azimuth_deg - 6.0, 44.0)
    place = odometry.place(200 * STEP_NS, *seen(boxes, T, 20), CAMERA)
    assert place.frame == 'odom' and off(place.T_odom_cam, T)[0] < 0.01


def test_a_lost_camera_that_changes_its_size_is_lost_and_begins_anew(boxes):
    odometry = Odometry()
    followed(boxes, [around(0.0), around(4.0), around(8.0)], odometry)
    away = moved_by(around(8.0), np.array([0, 0, 0, 0, 0, np.radians(150)]))
    rgb, depth = (image[:180] for image in seen(boxes, away, 3))
    cut = Camera(320, 180, CAMERA.K)
    with pytest.raises(LostError):
        odometry.place(10 * STEP_NS, rgb, depth, cut)
    with pytest.raises(LostError):
        odometry.place(40 * STEP_NS, rgb, depth, cut)
    assert odometry.place(41 * STEP_NS, rgb, depth, cut).frame == 'odom_2'


def test_a_blank_wall_tells_too_little_and_is_not_guessed_at():
    """A camera goes along a wall on which only the first half metre is painted."""
    texture = np.random.default_rng(0).normal(size=(64, 64))

    def wall(shift_m):
        rng = np.random.default_rng(round(1e4 * shift_m))
        places = rays(CAMERA)[..., :2].astype(np.float64) + [shift_m, 0.0]
        paint = 40 * map_coordinates(texture, places.reshape(-1, 2).T / 0.05, order=1, mode='wrap')
        gray = 120 + np.where(places[..., 0] < 0.5, paint.reshape(240, 320), 0.0)
        gray = np.clip(gray + 2.0 * rng.normal(size=gray.shape), 0, 255).astype(np.uint8)
        depth = 1.0 + 0.002 * rng.normal(size=gray.shape)
        return np.repeat(gray[..., None], 3, axis=2), depth.astype(np.float32)

    odometry = Odometry()
    told = []
    with pytest.raises(LostError, match=r'lost for .*(tell only|looks different)'):
        for number in range(30):
            place = odometry.place(number * STEP_NS, *wall(0.06 * number), CAMERA)
            told.append(float(place.T_odom_cam[0, 3]))
    assert len(told) > 10
    assert np.allclose(told, 0.06 * np.arange(len(told)), atol=0.015)


def test_a_camera_that_stands_still_stays_where_it_is(boxes):
    """Whatever passes before it; and a blank wall is no reason to doubt it."""
    blank = np.full((240, 320, 3), 120, np.uint8), np.ones((240, 320), np.float32)
    odometry = Odometry()
    places = [odometry.place(number * STEP_NS, *blank, CAMERA) for number in range(3)]
    assert all(np.array_equal(place.T_odom_cam, np.eye(4)) for place in places)
    rgb, depth = seen(boxes, around(0.0))
    odometry = Odometry()
    odometry.place(0, rgb, depth, CAMERA)
    hand = depth.copy()
    hand[60:, 100:250] = 0.3
    place = odometry.place(STEP_NS, rgb, hand, CAMERA)
    assert off(place.T_odom_cam, np.eye(4))[0] < 0.002


def frame(boxes, T, number, **changes):
    """Return a frame as intake places it without TF."""
    rgb, depth = seen(boxes, T, number)
    points = rays(CAMERA) * depth[..., None]
    made = Frame(number * STEP_NS, 'optical', CAMERA, rgb, points, 'optical', np.eye(4))
    return replace(made, **changes)


@pytest.mark.parametrize(
    ('option', 'above', 'is_followed'),
    [
        ('auto', None, True),
        ('auto', 'camera_link', True),
        ('auto', 'world', False),
        ('on', 'world', True),
        ('off', None, False),
    ],
)
def test_odometry_is_at_work_where_tf_is_not(boxes, option, above, is_followed):
    tree, fixed = TransformTree(), above or 'optical'
    height_m = 1.5 if above == 'world' else 0.05
    if above:
        tree.add(above, 'optical', transform(np.eye(3), np.array([0.0, 0.0, height_m])))
    notes = Notes()
    places = OwnPlaces(PointmapConfig(odometry=option), notes)
    poses = [around(0.0), around(4.0)]
    got = [places.placed(frame(boxes, T, k, fixed_frame=fixed), tree) for k, T in enumerate(poses)]
    assert (got[1].pose_covariance is not None) == is_followed
    assert got[1].fixed_frame == ('odom' if is_followed else fixed)
    assert any('own odometry' in sentence for sentence in notes.sentences) == is_followed
    if is_followed:
        moved = inverse(got[0].T_fixed_cam) @ got[1].T_fixed_cam
        assert off(moved, inverse(poses[0]) @ poses[1])[0] < 0.004


def test_it_is_said_that_a_camera_was_lost_and_is_back(boxes):
    notes = Notes()
    places = OwnPlaces(PointmapConfig(), notes)
    for number, azimuth_deg in enumerate((0.0, 4.0)):
        places.placed(frame(boxes, around(azimuth_deg), number), TransformTree())
    covered = frame(boxes, around(4.0), 40)
    covered = replace(covered, pointmap=np.full_like(covered.pointmap, np.nan))
    with pytest.raises(LostError):
        places.placed(covered, TransformTree())
    back = places.placed(frame(boxes, around(8.0), 41), TransformTree())
    assert back.fixed_frame == 'odom'
    assert any('frames are left out' in sentence for sentence in notes.sentences)
    assert 'has found its way back into "odom"' in notes.sentences[-1]


def test_grippers_go_along_into_the_frame_of_odometry(boxes):
    tree = TransformTree()
    tree.add('world', 'optical', transform(np.eye(3), np.array([0.0, 0.0, 1.5])))
    places = OwnPlaces(PointmapConfig(odometry='on'), Notes())
    T_world_cam = transform(np.eye(3), np.array([0.0, 0.0, 1.5]))
    T_cam_gripper = transform(np.eye(3), np.array([0.1, 0.0, 0.4]))
    given = frame(
        boxes,
        around(0.0),
        0,
        fixed_frame='world',
        T_fixed_cam=T_world_cam,
        grippers={'tool': T_world_cam @ T_cam_gripper},
    )
    got = places.placed(given, tree)
    assert np.allclose(inverse(got.T_fixed_cam) @ got.grippers['tool'], T_cam_gripper)
