# SPDX-License-Identifier: Apache-2.0
"""The TF buffer, listener and broadcasters: the subset of tf2_ros that nodes use.

Names, signatures and exceptions are upstream's. Times are rclpy's ``Time`` or a message's stamp;
time 0 means the latest.
"""

from sam3d_ros.ros.compat.tf2_ros.buffer import Buffer
from sam3d_ros.ros.compat.tf2_ros.buffer_core import BufferCore
from sam3d_ros.ros.compat.tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)
from sam3d_ros.ros.compat.tf2_ros.transform_listener import (
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformListener,
)

__all__ = [
    'Buffer',
    'BufferCore',
    'ConnectivityException',
    'ExtrapolationException',
    'InvalidArgumentException',
    'LookupException',
    'StaticTransformBroadcaster',
    'TimeoutException',
    'TransformBroadcaster',
    'TransformException',
    'TransformListener',
]
