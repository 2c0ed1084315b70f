# SPDX-License-Identifier: Apache-2.0
"""Livox's own clouds (``livox_ros_driver2/msg/CustomMsg`` and its forerunners) as PointCloud2.

The fields keep their names: ``offset_time`` says when each point was measured, nanoseconds after
the stamp. Returns that the sensor itself holds for noise are left out: bits 4 and 5 of ``tag``,
where 2 and 3 mean low confidence (Livox's manuals, "tag information").
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sam3d_ros.messages.sensors.buffers import message_with
from sam3d_ros.messages.types import import_message

TYPES = frozenset(
    f'{package}/msg/CustomMsg'
    for package in ('livox_ros_driver2', 'livox_ros_driver', 'livox_interfaces')
)
"""Names of the type, in ROS 2's spelling."""
_POINT = np.dtype(
    [
        *((axis, '<f4') for axis in 'xyz'),
        ('offset_time', '<u4'),
        *((name, 'u1') for name in ('reflectivity', 'tag', 'line')),
        ('pad', 'u1'),
    ]
)
# sensor_msgs/PointField.datatype of each kind.
_DATATYPES = {'f4': 7, 'u4': 6, 'u1': 2}
_CONFIDENCE, _LOW = 0x30, 0x20


def has_type(typename: str) -> bool:
    """Return whether the generated class of a type is installed, so that it can be listened to."""
    try:
        import_message(typename)
    except (ImportError, AttributeError):
        # A folder of the name, as of the driver's sources, is found too, but has no classes.
        return False
    return True


def without_type(topic: str, typename: str) -> str:
    """Return what to do about a topic that nobody here can listen to.

    :param topic: of the messages.
    :param typename: theirs.
    """
    return (
        f'{topic} is {typename}, whose package is not installed: source its workspace, or have '
        'the driver send PointCloud2 (xfer_format 0)'
    )


def cloud_from_livox(message: Any, cloud_class: type, field_class: type) -> Any:
    """Return a ``cloud_class`` message of a CustomMsg, not organised.

    :param message: of one of :data:`TYPES`.
    :param cloud_class: class of PointCloud2.
    :param field_class: class of PointField.
    """
    names = [name for name in _POINT.names or () if name != 'pad']
    points = np.zeros(len(message.points), _POINT)
    for name in names:
        points[name] = [getattr(point, name) for point in message.points]
    points = points[points['tag'] & _CONFIDENCE < _LOW]
    fields: Any = _POINT.fields
    return message_with(
        cloud_class,
        points.view(np.uint8).reshape(-1),
        header=message.header,
        height=1,
        width=len(points),
        fields=[
            field_class(
                name=name,
                offset=fields[name][1],
                datatype=_DATATYPES[fields[name][0].str[1:]],
                count=1,
            )
            for name in names
        ],
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * len(points),
        is_dense=True,
    )
