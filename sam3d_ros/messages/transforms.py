# SPDX-License-Identifier: Apache-2.0
"""TF: the frames of confirmed objects, and transforms read from recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray, ObjectState, Scene
from sam3d_ros.geometry.transforms import from_quaternion
from sam3d_ros.messages.headers import (
    header_message,
    nanoseconds,
    quaternion_message,
    vector,
    vector_message,
)
from sam3d_ros.messages.types import MessageTypes


@dataclass(frozen=True, slots=True, eq=False)
class StampedTransform:
    """One edge of the TF tree at one time: ``T_parent_child`` is (4, 4) float64."""

    stamp_ns: int
    parent: str
    child: str
    T_parent_child: FloatArray


def object_transforms(scene: Scene, prefix: str) -> list[StampedTransform]:
    """Return the frames of a scene's confirmed objects in its fixed frame."""
    return [
        StampedTransform(scene.stamp_ns, scene.fixed_frame, f'{prefix}{item.id}', item.T_fixed_obj)
        for item in scene.objects
        if item.state != ObjectState.TENTATIVE
    ]


def transforms_message(types: MessageTypes, transforms: Iterable[StampedTransform]) -> Any:
    """Return a tf2_msgs/TFMessage."""
    return types.new(
        'tf2_msgs/msg/TFMessage',
        transforms=[transform_message(types, item) for item in transforms],
    )


def transform_message(types: MessageTypes, item: StampedTransform) -> Any:
    """Return a geometry_msgs/TransformStamped."""
    T = item.T_parent_child
    return types.new(
        'geometry_msgs/msg/TransformStamped',
        header=header_message(types, item.stamp_ns, item.parent),
        child_frame_id=item.child,
        transform=types.new(
            'geometry_msgs/msg/Transform',
            translation=vector_message(types, T[:3, 3]),
            rotation=quaternion_message(types, T),
        ),
    )


def transforms_from(message: Any) -> list[StampedTransform]:
    """Return the transforms of a TFMessage."""
    return [transform_from(item) for item in message.transforms]


def transform_from(item: Any) -> StampedTransform:
    """Return the transform of a TransformStamped.

    :raises TransformError: when its quaternion is zero or not finite.
    """
    q = item.transform.rotation
    xyzw = np.array([q.x, q.y, q.z, q.w])
    if not 1e-6 < float(np.linalg.norm(xyzw)) < np.inf:
        raise TransformError(
            f'transform of "{item.child_frame_id}" in "{item.header.frame_id}" with the '
            f'quaternion {q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}',
            wanted='a unit quaternion',
        )
    T = from_quaternion(xyzw, vector(item.transform.translation))
    return StampedTransform(
        nanoseconds(item.header.stamp), item.header.frame_id, item.child_frame_id, T
    )
