# SPDX-License-Identifier: Apache-2.0
"""What a gripper holds goes where the gripper goes, seen or not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.types import ObjectState
from sam3d_ros.geometry.relations import RelationKind, relations
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

STEP_NS = 100_000_000
GRIPPED, OTHER = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
EYE = (0.9, 0.1, 0.7)
RAISED = ((0.0, 0.15, 0.18), *GRIPPED[1:])
OVER = np.array([0.0, 0.15, 0.12])


def at(height_m, degrees=0.0):
    """Where a gripper is that has taken hold at the top of the first box."""
    turn = Rotation.from_rotvec([0, 0, np.radians(degrees)]).as_matrix()
    return transform(turn, OVER + [0, 0, height_m])


class Rig:
    """A session, a still camera, and a gripper."""

    def __init__(self, boxes_world):
        default = Config()
        config = replace(
            default,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
        )
        self.said = []
        self.session = Session.from_config(config, self.said.append)
        self.boxes_world = boxes_world
        self.stamp_ns = 0
        for _ in range(4):
            self.step((GRIPPED, OTHER), at(0.0))
        (self.gripped,) = (
            item.id for item in self.session.scene().objects if item.T_fixed_obj[1, 3] > 0
        )

    def step(self, boxes, T_fixed_gripper, target=(0.0, 0.0, 0.0)):
        self.stamp_ns += STEP_NS
        frame, _ = self.boxes_world(EYE, boxes, stamp_ns=self.stamp_ns, target=target)
        grippers = {} if T_fixed_gripper is None else {'tcp': T_fixed_gripper}
        scene = self.session.step(replace(frame, grippers=grippers)).scene
        return {item.id: item for item in scene.objects}


@pytest.fixture
def rig(boxes_world):
    return Rig(boxes_world)


def test_a_held_object_is_told_and_let_go(rig):
    rig.session.hold(rig.gripped, 'tcp')
    scene = rig.session.scene()
    assert [item.held for item in scene.objects if item.id == rig.gripped] == ['tcp']
    told = [(item.kind, item.subject, item.other) for item in relations(scene)]
    assert (RelationKind.HELD, rig.gripped, 'tcp') in told
    rig.session.hold(rig.gripped, '')
    scene = rig.session.scene()
    assert not any(item.held for item in scene.objects)
    assert all(item.kind != RelationKind.HELD for item in relations(scene))


def test_it_moves_with_the_gripper_out_of_view(rig):
    rig.session.hold(rig.gripped, 'tcp')
    before = rig.session.get(rig.gripped)
    for height_m in (0.1, 0.3, 0.6):
        T = at(height_m, 100 * height_m)
        items = rig.step((OTHER,), T, target=(0.0, -1.0, 0.0))
    item = items[rig.gripped]
    np.testing.assert_allclose(
        item.T_fixed_obj, T @ inverse(at(0.0)) @ before.T_fixed_obj, atol=1e-9
    )
    assert item.state == ObjectState.OUT_OF_VIEW and item.held == 'tcp'
    assert item.moved_ns == rig.stamp_ns
    # Its place in the gripper is no less sure for not being seen.
    assert np.trace(item.covariance[:3, :3]) <= np.trace(before.covariance[:3, :3]) + 1e-12
    assert not any(other.held for other in items.values() if other.id != rig.gripped)


def test_it_is_seen_where_the_gripper_has_put_it_under_its_id(rig):
    rig.session.hold(rig.gripped, 'tcp')
    before = rig.session.get(rig.gripped).T_fixed_obj[:3, 3]
    # Raised by more than its own height in one step: nothing but the gripper says what it is.
    for _ in range(3):
        items = rig.step((RAISED, OTHER), at(0.12))
    assert len(items) == 2
    item = items[rig.gripped]
    assert item.state == ObjectState.VISIBLE
    np.testing.assert_allclose(item.T_fixed_obj[:3, 3] - before, [0, 0, 0.12], atol=0.005)
    rig.session.hold(rig.gripped, '')
    items = rig.step((RAISED, OTHER), at(0.5))
    np.testing.assert_allclose(
        items[rig.gripped].T_fixed_obj[:3, 3] - before, [0, 0, 0.12], atol=0.005
    )


def test_a_loaded_object_is_held_by_nobody(rig):
    rig.session.hold(rig.gripped, 'tcp')
    rig.session.load(rig.session.scene())
    before = rig.session.get(rig.gripped)
    item = rig.step((OTHER,), at(0.4), target=(0.0, -1.0, 0.0))[rig.gripped]
    assert before.held == item.held == ''
    np.testing.assert_allclose(item.T_fixed_obj, before.T_fixed_obj, atol=1e-6)


def test_what_was_taken_for_a_part_hands_its_gripper_on(rig):
    (other,) = (item.id for item in rig.session.scene().objects if item.id != rig.gripped)
    rig.session.hold(rig.gripped, 'tcp')
    rig.session._holding.merge(other, rig.gripped)
    before = rig.session.get(other)
    items = rig.step((), at(0.4), target=(0.0, -1.0, 0.0))
    assert items[other].held == 'tcp'
    T_move = at(0.4) @ inverse(at(0.0))
    np.testing.assert_allclose(items[other].T_fixed_obj, T_move @ before.T_fixed_obj, atol=1e-9)


def test_a_saved_session_still_knows_what_is_held(rig, tmp_path):
    rig.session.hold(rig.gripped, 'tcp')
    before = rig.session.get(rig.gripped)
    rig.session.save(tmp_path)
    rig.session.clear()
    rig.session.resume(tmp_path)
    items = rig.step((OTHER,), at(0.4), target=(0.0, -1.0, 0.0))
    T_move = at(0.4) @ inverse(at(0.0))
    np.testing.assert_allclose(items[rig.gripped].T_fixed_obj, T_move @ before.T_fixed_obj)


def test_a_gripper_that_is_not_known_is_refused_and_one_that_is_lost_is_told_once(rig):
    with pytest.raises(InputError, match=r'hand.*tcp.*pointmaps\.grippers'):
        rig.session.hold(rig.gripped, 'hand')
    with pytest.raises(NotFoundError):
        rig.session.hold(99, 'tcp')
    rig.session.hold(rig.gripped, 'tcp')
    before = rig.session.get(rig.gripped).T_fixed_obj[:3, 3]
    for _ in range(15):
        items = rig.step((GRIPPED, OTHER), None)
    (sentence,) = rig.said
    assert '"tcp"' in sentence
    np.testing.assert_allclose(items[rig.gripped].T_fixed_obj[:3, 3], before, atol=0.005)
