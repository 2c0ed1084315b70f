# SPDX-License-Identifier: Apache-2.0
"""People as messages: everything that is known, padded capsules, frames, and their leaving."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.people import JOINTS, Capsule, Hand, People, Person, Skeleton
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.results.people import (
    along,
    collision_messages,
    keep_out_message,
    people_from,
    people_markers,
    people_message,
    person_transforms,
    reach_m,
)
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

CAPSULE = Capsule(np.array([1.0, 0.0, 0.3]), np.array([1.0, 0.0, 1.5]), 0.3)


def person(**fields: object) -> Person:
    known = Person(
        id=4,
        by_depth=True,
        by_image=False,
        in_view=True,
        score=0.7,
        position_m=np.array([1.0, 0.0, 1.0]),
        velocity_m_s=np.array([0.2, 0.0, 0.0]),
        covariance=np.diag([0.01] * 3 + [0.04] * 3),
        capsules=(CAPSULE,),
        first_seen_ns=1,
        last_seen_ns=2_500_000_000,
    )
    return replace(known, **fields)


def people(*items: Person) -> People:
    return People(2_500_000_000, 'world', items, 0.1)


def with_joints() -> Person:
    points = np.arange(99, dtype=np.float64).reshape(33, 3)
    skeleton = Skeleton(points, np.tile(np.eye(3), (33, 1, 1)), np.ones(33), np.ones(33, bool))
    hand = Hand(True, np.zeros((21, 3)), np.eye(3), True)
    return person(by_image=True, skeleton=skeleton, hands=(hand,), held=(9, 12))


def test_everything_that_is_known_is_told() -> None:
    message = people_message(StoreTypes(), people(with_joints()))
    typename = 'sam3d_msgs/msg/PersonArray'
    read = typestore().deserialize_cdr(encode(message, typename), typename)
    (item,) = read.people
    assert (item.id, item.label, item.held_object_ids) == ('4', 'person', ['9', '12'])
    assert [joint.name for joint in item.joints] == list(JOINTS)
    assert item.joints[1].position.x == 3.0 and item.joints[1].measured
    assert len(item.right_hand) == 21 and item.left_hand == []
    assert item.capsules[0].radius == pytest.approx(0.3)
    assert item.velocity.x == pytest.approx(0.2)
    assert read.header.frame_id == 'world'


def test_what_nobody_has_recognised_is_called_so() -> None:
    message = people_message(StoreTypes(), people(person()))
    assert message.people[0].label == 'tall_mover' and message.people[0].joints == []


def test_capsules_grow_by_errors_and_by_what_is_reached_until_the_next_frame() -> None:
    assert reach_m(person(), 0.1, 1.6) == pytest.approx(2 * 0.1 + 0.16)
    (message,) = collision_messages(StoreTypes(), people(person()), (), 1.6)
    assert message.id == 'person_4' and message.operation == 0
    radii = [primitive.dimensions[-1] for primitive in message.primitives]
    assert radii == pytest.approx([0.66] * 3)
    length = message.primitives[1].dimensions[0]
    assert length == pytest.approx(1.2)


def test_who_left_is_removed() -> None:
    (message,) = collision_messages(StoreTypes(), people(), (4,), 1.6)
    assert (message.id, message.operation, message.primitives) == ('person_4', 1, [])


def test_a_lying_capsule_points_along_its_line() -> None:
    T = along(Capsule(np.zeros(3), np.array([0.0, 2.0, 0.0]), 0.1))
    assert np.allclose(T[:3, 2], [0, 1, 0]) and np.allclose(T[:3, 3], [0, 1, 0])


def test_keep_out_points_lie_on_the_grown_capsules() -> None:
    cloud = keep_out_message(StoreTypes(), people(person()), 1.6)
    points = cloud.data.view('<f4').reshape(-1, 3)
    assert len(points) == cloud.width > 100
    high = np.clip(points[:, 2], 0.3, 1.5)
    apart = np.linalg.norm(points - np.column_stack([np.ones_like(high), 0 * high, high]), axis=1)
    assert np.allclose(apart, 0.66, atol=0.01)


def test_frames_and_markers_name_the_person() -> None:
    known = people(with_joints())
    (frame,) = person_transforms(known)
    assert (frame.parent, frame.child) == ('world', 'person_4')
    layers = {marker.ns for marker in people_markers(StoreTypes(), known).markers}
    assert {'people/skeleton', 'people/capsules', 'people/label'} <= layers
    assert people_markers(StoreTypes(), people()).markers[0].action == 3


def test_people_come_back_from_their_message() -> None:
    before = with_joints()
    (after,) = people_from(people_message(StoreTypes(), people(before))).items
    assert (after.id, after.label, after.score) == (before.id, before.label, before.score)
    assert np.allclose(after.position_m, before.position_m)
    assert np.allclose(after.covariance, before.covariance)
    assert np.allclose(after.skeleton.points_m, before.skeleton.points_m)
    assert [capsule.radius_m for capsule in after.capsules] == [0.3]
    assert after.held == before.held
