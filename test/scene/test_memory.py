# SPDX-License-Identifier: Apache-2.0
"""States of remembered objects against scenes whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.types import (
    EvidenceScore,
    FaceLabel,
    Instance,
    Instances,
    Mesh,
    ObjectState,
    Provenance,
    Reconstruction,
    Reconstructions,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.memory import INFERRED, ObjectMemory

CENTER, SIZE = np.array([0.0, 0.0, 0.05]), np.array([0.08, 0.10, 0.10])
BOX = (CENTER, SIZE, (200, 30, 30))
EYE = (0.8, 0.0, 0.5)
SECOND_NS = 1_000_000_000


def box_mesh():
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    faces = np.array([[0, 1, 3], [4, 6, 7]], np.int32)
    return Mesh(
        (signs * SIZE / 2).astype(np.float32),
        faces,
        np.zeros((8, 3), np.uint8),
        np.full(2, FaceLabel.OBSERVED, np.uint8),
        np.ones(2, np.float32),
    )


def observe(memory, frame, *, seen, hits, missed=0, alive=True, mesh=None, inferred=0.0):
    """Feed one frame in which the box is (or is not) segmented."""
    mask = np.zeros(frame.depth_m.shape, bool)
    instances = Instances(
        frame.stamp_ns, (Instance(mask, 0.8, (0, 0, 1, 1), 'truth:0'),) if seen else ()
    )
    state = TrackState.CONFIRMED if hits >= 3 else TrackState.TENTATIVE
    track = Track(1, state, hits, 0, frame.stamp_ns, missed, 0 if seen else -1)
    tracks = Tracks(frame.stamp_ns, instances, (track,) if alive else ())
    rebuilt = Reconstruction(
        track_id=1,
        mesh=mesh or box_mesh(),
        T_cam_obj=inverse(frame.T_fixed_cam) @ transform(np.eye(3), CENTER),
        covariance=np.diag([1e-6, 1e-6, 4e-6, 1e-4, 1e-4, 1e-4]),
        scale_sigma=0.02,
        observed_fraction=0.5,
        confidence=0.9,
        score=EvidenceScore(1.0, 0.0, 1.0),
        provenance=Provenance('truth'),
        inferred=inferred,
    )
    return memory.update(
        frame, tracks, Reconstructions(frame.stamp_ns, (rebuilt,) if seen else ())
    )


@pytest.fixture
def memory(boxes_world):
    memory = ObjectMemory(SceneConfig())
    for k in range(3):
        frame, _ = boxes_world(EYE, [BOX], stamp_ns=k * SECOND_NS)
        observe(memory, frame, seen=True, hits=k + 1)
    return memory


def test_seen_object_is_visible_where_it_is(memory, boxes_world):
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    (item,) = observe(memory, frame, seen=True, hits=4).objects
    assert item.state == ObjectState.VISIBLE
    np.testing.assert_allclose(item.T_fixed_obj[:3, 3], CENTER, atol=1e-9)
    np.testing.assert_allclose(item.size_m, SIZE, atol=1e-6)
    assert item.score == pytest.approx(0.72)


def test_covariance_is_rotated_into_the_fixed_frame(memory, boxes_world):
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    (item,) = observe(memory, frame, seen=True, hits=4).objects
    view = frame.T_fixed_cam[:3, 2]
    assert view @ item.covariance[:3, :3] @ view == pytest.approx(4e-6)


def test_hidden_object_is_occluded_and_its_sigma_grows(memory, boxes_world):
    screen = ((0.3, 0.0, 0.15), (0.02, 0.5, 0.30), (0, 0, 255))
    sigmas = []
    for k in range(3, 6):
        frame, _ = boxes_world(EYE, [BOX, screen], stamp_ns=k * SECOND_NS)
        (item,) = observe(memory, frame, seen=False, hits=3, missed=k - 2).objects
        assert item.state == ObjectState.OCCLUDED
        sigmas.append(item.covariance[0, 0])
    np.testing.assert_allclose(np.diff(sigmas), SceneConfig().drift_m_per_s ** 2, rtol=1e-6)


def test_what_returns_no_range_is_seen_in_frames_that_nobody_segments(boxes_world):
    screen = ((0.3, 0.0, 0.15), (0.02, 0.5, 0.30), (0, 0, 255))
    elsewhere = ((0.0, 0.4, 0.05), SIZE, (0, 0, 255))
    through, _ = boxes_world(EYE, [elsewhere], stamp_ns=3 * SECOND_NS, floor=False)
    hidden, _ = boxes_world(EYE, [screen], stamp_ns=3 * SECOND_NS)

    def state_of(frame, inferred, missed):
        memory = ObjectMemory(SceneConfig())
        for k in range(3):
            shown = replace(through, stamp_ns=k * SECOND_NS)
            observe(memory, shown, seen=True, hits=k + 1, inferred=inferred)
        (item,) = observe(memory, frame, seen=False, hits=3, missed=missed).objects
        return item

    followed = state_of(through, 0.9, 0)
    assert followed.state == ObjectState.VISIBLE
    assert followed.state_reason == f'seen; {INFERRED}'
    assert state_of(through, 0.9, 1).state == ObjectState.OCCLUDED
    assert state_of(through, 0.1, 0).state == ObjectState.OCCLUDED
    assert state_of(hidden, 0.9, 0).state == ObjectState.OCCLUDED


def test_what_own_odometry_drifts_is_added_to_what_is_not_seen(memory, boxes_world):
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    told = []
    for at in range(1, 4):
        placed = replace(frame, pose_covariance=1e-4 * at * np.eye(6))
        (item,) = observe(memory, placed, seen=False, hits=3, missed=at).objects
        told.append(item.covariance)
    assert np.allclose(np.diff(told, axis=0), 1e-4 * np.eye(6))
    # Masks that join an earlier frame bring it again, and the latest one after it.
    late = replace(frame, stamp_ns=2 * SECOND_NS, pose_covariance=1e-4 * np.eye(6))
    for again in (late, placed):
        (item,) = observe(memory, again, seen=False, hits=3, missed=3).objects
    assert np.allclose(item.covariance, told[-1])


def test_object_outside_the_image_is_out_of_view(memory, boxes_world):
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS, target=(2.0, 0.0, 0.5))
    (item,) = observe(memory, frame, seen=False, hits=3, missed=1).objects
    assert item.state == ObjectState.OUT_OF_VIEW and item.state_reason == 'outside the image'
    assert item.last_seen_ns == 2 * SECOND_NS


def test_ended_track_is_removed_once(memory, boxes_world):
    frame, _ = boxes_world(EYE, [], stamp_ns=3 * SECOND_NS)
    scene = observe(memory, frame, seen=False, hits=3, alive=False)
    assert (scene.objects, scene.removed) == ((), (1,))
    assert observe(memory, frame, seen=False, hits=3, alive=False).removed == ()


def test_tentative_object_is_listed_only_when_never_missed(boxes_world):
    memory = ObjectMemory(SceneConfig())
    frame, _ = boxes_world(EYE, [BOX])
    assert observe(memory, frame, seen=True, hits=1).objects[0].state == ObjectState.TENTATIVE
    assert observe(memory, frame, seen=False, hits=1, missed=1).objects == ()
    assert observe(memory, frame, seen=True, hits=2, missed=1).objects == ()
    assert (
        observe(memory, frame, seen=True, hits=3, missed=1).objects[0].state == ObjectState.VISIBLE
    )


@pytest.mark.parametrize('is_named', [False, True])
def test_what_is_believed_no_longer_is_told_of_only_where_it_has_a_name(
    memory, boxes_world, is_named
):
    if is_named:
        memory.edit(1, 'mug', None)
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    # Two hits make it a track that is not confirmed.
    scene = observe(memory, frame, seen=False, hits=2, missed=1)
    assert [item.state for item in scene.objects] == [ObjectState.VISIBLE] * is_named
    scene = observe(memory, frame, seen=False, hits=3, missed=1)
    assert [item.state for item in scene.objects] == [ObjectState.VISIBLE]


def test_removed_object_stays_away_until_clear(memory, boxes_world):
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    memory.remove(1)
    scene = observe(memory, frame, seen=True, hits=4)
    assert (scene.objects, scene.removed) == ((), (1,))
    memory.clear()
    assert len(observe(memory, frame, seen=True, hits=5).objects) == 1
    with pytest.raises(NotFoundError, match='no object 7; wanted one of: 1'):
        memory.remove(7)


def test_box_of_a_mesh_with_off_centre_origin(memory, boxes_world):
    mesh = box_mesh()
    shifted = Mesh(
        mesh.vertices_m + np.float32(0.1),
        mesh.faces,
        mesh.colors,
        mesh.face_labels,
        mesh.face_confidence,
    )
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    (item,) = observe(memory, frame, seen=True, hits=4, mesh=shifted).objects
    np.testing.assert_allclose(item.box_center_m, 0.1, atol=1e-6)
    np.testing.assert_allclose(item.size_m, SIZE, atol=1e-6)


def test_a_name_and_a_lock_stay(memory, boxes_world):
    memory.edit(1, 'lid', True)
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=3 * SECOND_NS)
    (item,) = observe(memory, frame, seen=True, hits=4).objects
    assert (item.label, item.locked) == ('lid', True)
    with pytest.raises(InputError, match='locked'):
        memory.remove(1)
    again = ObjectMemory(SceneConfig())
    again.restore(memory.state())
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=4 * SECOND_NS)
    (item,) = observe(again, frame, seen=True, hits=5).objects
    assert (item.label, item.locked) == ('lid', True)
    again.edit(1, '', False)
    frame, _ = boxes_world(EYE, [BOX], stamp_ns=5 * SECOND_NS)
    (item,) = observe(again, frame, seen=True, hits=6).objects
    assert (item.label, item.locked) == ('', False)
