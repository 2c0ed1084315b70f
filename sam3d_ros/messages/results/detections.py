# SPDX-License-Identifier: Apache-2.0
"""The objects seen now as vision_msgs/Detection3DArray."""

from __future__ import annotations

from typing import Any

from sam3d_ros.core.types import FloatArray, ObjectState, Scene, SceneObject
from sam3d_ros.messages.headers import (
    header_message,
    pose_message,
    pose_with_covariance,
    vector_message,
)
from sam3d_ros.messages.types import MessageTypes


def detections_message(types: MessageTypes, scene: Scene) -> Any:
    """Return the detections of a scene: its visible objects, in the fixed frame.

    ``id`` is the persistent id; the hypothesis' pose is the object frame (the mesh's) with its
    covariance; the box is the mesh's, oriented along the object axes.

    :param types: makes the messages.
    """
    header = header_message(types, scene.stamp_ns, scene.fixed_frame)
    return types.new(
        'vision_msgs/msg/Detection3DArray',
        header=header,
        detections=[
            _detection(types, header, item)
            for item in scene.objects
            if item.state == ObjectState.VISIBLE
        ],
    )


def _detection(types: MessageTypes, header: Any, item: SceneObject) -> Any:
    hypothesis = types.new(
        'vision_msgs/msg/ObjectHypothesisWithPose',
        hypothesis=types.new(
            'vision_msgs/msg/ObjectHypothesis',
            class_id=item.label or 'object',
            score=float(item.score),
        ),
        pose=pose_with_covariance(types, item.T_fixed_obj, item.covariance),
    )
    box = types.new(
        'vision_msgs/msg/BoundingBox3D',
        center=pose_message(types, box_pose(item)),
        size=vector_message(types, item.size_m),
    )
    return types.new(
        'vision_msgs/msg/Detection3D',
        header=header,
        results=[hypothesis],
        bbox=box,
        id=str(item.id),
    )


def box_pose(item: SceneObject) -> FloatArray:
    """Return T_fixed_box, (4, 4): the centre of an object's box, along the object axes."""
    T_fixed_box = item.T_fixed_obj.copy()
    T_fixed_box[:3, 3] += item.T_fixed_obj[:3, :3] @ item.box_center_m
    return T_fixed_box
