# SPDX-License-Identifier: Apache-2.0
"""A localisation corrects itself, live: objects go along, a saved scene is found again."""

import numpy as np
import pytest
from sam3d_msgs.srv import ClearScene, LoadScene, SaveScene
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import transform
from sam3d_ros.messages import topics
from sam3d_ros.messages.transforms import StampedTransform, transforms_message

pytestmark = pytest.mark.dds

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
    ((-0.18, -0.02, 0.08), (0.08, 0.06, 0.16), (40, 40, 200)),
)
T_NEW_OLD = transform(Rotation.from_rotvec([0, 0, 0.2]).as_matrix(), [0.3, -0.2, 0.0])
WITHIN_M = 0.02
OTHER_SIDE_M = 0.05
"""From another side the middle of what is seen is elsewhere."""
MOST_FRAMES = 200
"""Shapes come from a process of their own; by so many frames they are there."""


@pytest.fixture(scope='module')
def graph(ros):
    return ros.graph('/corrected')


def test_objects_live_through_a_jump_and_a_saved_scene_through_another_map(
    graph, ros, boxes_world, tmp_path
):
    camera, objects, shaped = graph.camera(), graph.listen(topics.OBJECTS), set()

    def show(T_map_odom, eye):
        """Have a frame seen from a place in odom; return where its objects are in the map."""
        frame, _ = boxes_world(eye, BOXES, stamp_ns=ros.stamp())
        at = frame.stamp_ns
        edges = [
            StampedTransform(at, 'map', 'odom', T_map_odom),
            StampedTransform(at, 'odom', frame.frame_id, frame.T_fixed_cam),
        ]
        camera.show(frame, tf=transforms_message(camera._types, edges))
        told = objects.wait(lambda m: m.header.stamp.sec * 10**9 + m.header.stamp.nanosec == at)
        shaped.update(item.id for item in told.objects if item.backend)
        return {
            item.id: [getattr(item.pose.pose.position, axis) for axis in 'xyz']
            for item in told.objects
        }

    def show_until_shaped(T_map_odom, eye):
        """Have frames seen from about a place until all objects have shapes."""
        shaped.clear()
        for step in range(MOST_FRAMES):
            places = show(T_map_odom, (eye[0], eye[1] + 0.002 * step, eye[2]))
            if len(places) == len(BOXES) and shaped.issuperset(places):
                return places
        raise AssertionError(f'of {list(places)} only {shaped} have shapes')

    for step in range(5):
        show(np.eye(4), (0.9, 0.04 * step, 0.7))
    before = show_until_shaped(np.eye(4), (0.9, 0.2, 0.7))
    assert list(before) == ['1', '2', '3']
    for step in range(3):
        after = show(T_NEW_OLD, (0.9, 0.24 + 0.04 * step, 0.7))
        assert list(after) == list(before)
        for object_id, place in after.items():
            moved = T_NEW_OLD @ [*before[object_id], 1.0]
            assert np.linalg.norm(moved[:3] - place) < WITHIN_M

    assert graph.call(SaveScene, 'scene/save', path=str(tmp_path)).success
    assert graph.call(ClearScene, 'scene/clear').success
    elsewhere = transform(Rotation.from_rotvec([0, 0, 2.0]).as_matrix(), [5.0, 1.0, 0.0])
    for step in range(4):
        show(elsewhere, (0.1, -0.9 - 0.02 * step, 0.7))
    show_until_shaped(elsewhere, (0.1, -1.0, 0.7))
    loaded = graph.call(LoadScene, 'scene/load', path=str(tmp_path))
    assert loaded.success and 'recognised by 3 objects' in loaded.message, loaded.message
    found = show(elsewhere, (0.1, -1.0, 0.7))
    assert list(found) == list(before)
    for object_id, place in found.items():
        moved = elsewhere @ [*before[object_id], 1.0]
        assert np.linalg.norm(moved[:3] - place) < OTHER_SIDE_M
    objects.close()
    camera.close()
