# SPDX-License-Identifier: Apache-2.0
"""Stamps, headers, points, poses: the small structures that every message is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import from_quaternion, quaternion
from sam3d_ros.messages.types import MessageTypes

NS_PER_S = 1_000_000_000


def time_message(types: MessageTypes, stamp_ns: int) -> Any:
    """Return a builtin_interfaces/Time.

    :param types: makes the messages.
    :param stamp_ns: nanoseconds since the epoch.
    """
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return types.new('builtin_interfaces/msg/Time', sec=seconds, nanosec=nanoseconds)


def nanoseconds(time: Any) -> int:
    """Return the nanoseconds of a Time."""
    return int(time.sec) * NS_PER_S + int(time.nanosec)


def frame_name(name: str) -> str:
    """Return a frame's name without the leading slash that tf1 had."""
    return str(name).lstrip('/')


def header_message(types: MessageTypes, stamp_ns: int, frame_id: str) -> Any:
    """Return a std_msgs/Header.

    :param types: makes the messages.
    :param stamp_ns: nanoseconds since the epoch.
    :param frame_id: the frame that the data are in.
    """
    return types.new('std_msgs/msg/Header', stamp=time_message(types, stamp_ns), frame_id=frame_id)


def point_message(types: MessageTypes, xyz: FloatArray) -> Any:
    """Return a geometry_msgs/Point.

    :param types: makes the messages.
    :param xyz: (3,) coordinates, metres.
    """
    x, y, z = (float(value) for value in xyz)
    return types.new('geometry_msgs/msg/Point', x=x, y=y, z=z)


def vector_message(types: MessageTypes, xyz: FloatArray) -> Any:
    """Return a geometry_msgs/Vector3.

    :param types: makes the messages.
    :param xyz: (3,) components.
    """
    x, y, z = (float(value) for value in xyz)
    return types.new('geometry_msgs/msg/Vector3', x=x, y=y, z=z)


def vector(message: Any) -> FloatArray:
    """Return the (3,) float64 of a Point or Vector3."""
    return np.array([message.x, message.y, message.z], np.float64)


def quaternion_message(types: MessageTypes, T: FloatArray) -> Any:
    """Return the geometry_msgs/Quaternion of a transform's rotation.

    :param types: makes the messages.
    :param T: (4, 4) transform.
    """
    x, y, z, w = (float(value) for value in quaternion(T))
    return types.new('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)


def pose_message(types: MessageTypes, T: FloatArray) -> Any:
    """Return the geometry_msgs/Pose of a (4, 4) transform.

    :param types: makes the messages.
    :param T: (4, 4) pose of the child in its parent.
    """
    return types.new(
        'geometry_msgs/msg/Pose',
        position=point_message(types, T[:3, 3]),
        orientation=quaternion_message(types, T),
    )


def pose_matrix(message: Any) -> FloatArray:
    """Return the (4, 4) transform of a Pose."""
    q = message.orientation
    return from_quaternion(np.array([q.x, q.y, q.z, q.w]), vector(message.position))


def pose_with_covariance(types: MessageTypes, T: FloatArray, covariance: FloatArray) -> Any:
    """Return a geometry_msgs/PoseWithCovariance of a transform and its (6, 6) covariance.

    :param types: makes the messages.
    :param T: (4, 4) pose of the child in its parent.
    """
    return types.new(
        'geometry_msgs/msg/PoseWithCovariance',
        pose=pose_message(types, T),
        covariance=np.asarray(covariance, np.float64).reshape(-1),
    )


def covariance_matrix(message: Any) -> FloatArray:
    """Return the (6, 6) covariance of a PoseWithCovariance."""
    return np.asarray(message.covariance, np.float64).reshape(6, 6)
