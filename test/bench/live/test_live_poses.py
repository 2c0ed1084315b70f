# SPDX-License-Identifier: Apache-2.0
"""Poses live: which frames count as answered, when, and which poses are true."""

import numpy as np
import pytest
import trimesh

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.live.live_poses import ObjectPoses, figures
from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.core.types import Camera
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.topics import TF
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.truth import FrameTruth, Truth

CUBE = trimesh.creation.box((0.1, 0.1, 0.1))
SOLID = Solid(
    'cube', np.float32(CUBE.vertices), np.int32(CUBE.faces), np.zeros((8, 3), np.uint8), 'boxes'
)
MESH = PosedMesh(CUBE.vertices, CUBE.faces)
STAMPS = range(20)
"""The first half warms up."""


def place(x_m):
    T = np.eye(4)
    T[0, 3] = x_m
    return T


def poses(count, shift_m=0.0):
    return {f'object_{k}': place(k + shift_m) for k in range(count)}


def truth_of(count, hidden=0):
    """Return cubes in a row, the last ones never to be seen, at all stamps."""
    occlusion = np.where(np.arange(count) < count - hidden, 0.1, 1.0)
    frames = tuple(
        FrameTruth(
            stamp,
            np.eye(4),
            np.stack([place(k) for k in range(count)]),
            np.ones(count, bool),
            np.zeros((1, 1), np.uint8),
            np.zeros((count, 1, 1), bool),
            occlusion,
        )
        for stamp in STAMPS
    )
    camera = Camera(1, 1, np.eye(3))
    return Truth('row', 0, '', 'world', 0.0, camera, (SOLID,) * count, frames)


def found(seen, truth, hz=1.0, told=None):
    sent = {stamp: float(stamp) for stamp in STAMPS}
    told = told or {}
    told = {stamp: told.get(stamp) or dict.fromkeys(seen[stamp], stamp + 0.1) for stamp in seen}
    meshes = {name: MESH for at in seen.values() for name in at}
    return figures(hz, sent, told, seen, meshes, truth)


def test_a_frame_is_answered_when_seven_of_eight_objects_have_a_pose():
    seen = {stamp: poses(8) for stamp in STAMPS}
    seen[12], seen[13] = poses(7), poses(6)
    del seen[14]
    # Of one stamp the seventh comes late, of another only the eighth.
    told = {
        19: {name: 19.5 - 0.4 * (k < 6) for k, name in enumerate(poses(8))},
        18: {name: 18.1 + 0.4 * (k > 6) for k, name in enumerate(poses(8))},
    }
    live = found(seen, truth_of(8), told=told)
    assert (live.objects, live.found) == (8, 8)
    assert live.answered == pytest.approx(8 / 10)
    assert live.poses_hz == pytest.approx(8 / 9.5)
    assert live.p50_s == pytest.approx(0.1)
    assert 0.1 < live.p95_s < 0.5
    assert (live.steady, live.right) == (1.0, 1.0)


def test_ghosts_answer_nothing_and_what_is_never_seen_is_not_asked_for():
    ghosts = {f'object_{k}': place(-k) for k in range(20, 25)}
    seen = {stamp: poses(4) | ghosts for stamp in STAMPS}
    seen[15] = poses(2) | ghosts
    live = found(seen, truth_of(8, hidden=3))
    assert (live.objects, live.found) == (5, 4)
    assert live.answered == pytest.approx(0.9)


def test_a_pose_beside_where_its_object_settles_is_neither_steady_nor_right():
    seen = {stamp: poses(4, 0.03 if stamp == 15 else 0.0) for stamp in STAMPS}
    live = found(seen, truth_of(4))
    assert live.steady == live.right == pytest.approx(0.9)


def test_an_object_that_settles_beside_the_truth_is_steady_and_not_right():
    live = found({stamp: poses(4, 0.03) for stamp in STAMPS}, truth_of(4))
    assert (live.answered, live.steady, live.right) == (1.0, 1.0, 0.0)


def test_no_answer_at_all_has_figures_too():
    live = found({}, truth_of(3))
    assert (live.objects, live.found, live.answered, live.poses_hz) == (3, 0, 0.0, 0.0)
    assert np.isnan(live.p50_s) and np.isnan(live.steady) and np.isnan(live.right)


def test_poses_of_objects_alone_are_read_and_the_first_of_a_stamp_counts():
    reader = ObjectPoses()

    def message(stamp_ns, x, *names):
        T = np.eye(4)
        T[0, 3] = x
        edges = [StampedTransform(stamp_ns, 'world', name, T) for name in names]
        return encode(transforms_message(StoreTypes(), edges), TF.type)

    assert reader(message(5, 1.0, 'camera_link')) is None
    assert reader(message(7, 1.0, 'object_1', 'object_2')) == 7
    assert reader(message(7, 9.0, 'object_1')) == 7
    assert {name: T[0, 3] for name, T in reader.by_stamp[7].items()} == {
        'object_1': 1.0,
        'object_2': 1.0,
    }
    assert reader(message(7, 3.0, 'object_2', 'object_3')) == 7
    assert [T[0, 3] for _, T in sorted(reader.by_stamp[7].items())] == [1.0, 1.0, 3.0]
    first, second, third = (reader.told_s[7][f'object_{k}'] for k in (1, 2, 3))
    assert first == second < third
