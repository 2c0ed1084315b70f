# SPDX-License-Identifier: Apache-2.0
"""Detections are the visible objects, with pose, covariance and oriented box."""

import numpy as np
from made_up_scenes import scene, scene_object

from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import covariance_matrix, pose_matrix
from sam3d_ros.messages.results.detections import detections_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'vision_msgs/msg/Detection3DArray'


def sent(value):
    """Return the message as its receiver sees it."""
    return typestore().deserialize_cdr(encode(detections_message(StoreTypes(), value), TYPE), TYPE)


def test_visible_objects_only():
    states = (ObjectState.VISIBLE, ObjectState.OCCLUDED, ObjectState.TENTATIVE)
    value = scene(*(scene_object(at, state) for at, state in enumerate(states, start=1)))
    assert [item.id for item in sent(value).detections] == ['1']


def test_pose_box_and_hypothesis():
    item = scene_object(3)
    message = sent(scene(item))
    detection = message.detections[0]
    (hypothesis,) = detection.results
    assert message.header.frame_id == detection.header.frame_id == 'world'
    assert (hypothesis.hypothesis.class_id, hypothesis.hypothesis.score) == ('cup', 0.75)
    assert np.allclose(pose_matrix(hypothesis.pose.pose), item.T_fixed_obj)
    assert np.array_equal(covariance_matrix(hypothesis.pose), item.covariance)
    # Every vertex lies in the box.
    T_box_fixed = np.linalg.inv(pose_matrix(detection.bbox.center))
    vertices = item.mesh.vertices_m @ item.T_fixed_obj[:3, :3].T + item.T_fixed_obj[:3, 3]
    inside = np.abs(vertices @ T_box_fixed[:3, :3].T + T_box_fixed[:3, 3])
    size = detection.bbox.size
    assert np.allclose(inside.max(axis=0), np.array([size.x, size.y, size.z]) / 2, atol=1e-6)


def test_nothing_visible():
    assert sent(scene()).detections == []
