# SPDX-License-Identifier: Apache-2.0
"""The topics of the graph: name, type and quality of service, for nodes and recordings alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from sam3d_ros.core.errors import ConfigurationError

NAMESPACE = '/sam3d'


def absolute(namespace: str) -> str:
    """Return a namespace with one slash before it and none behind it."""
    return f'/{namespace.strip("/")}'


class Offer(NamedTuple):
    """A quality of service: keep the last ``depth`` messages.

    :param is_reliable: else best effort.
    :param is_latched: transient local, so that who comes later gets them; else volatile.
    """

    is_reliable: bool
    is_latched: bool
    depth: int


class Quality(Enum):
    """The quality-of-service profiles in use; REP 2003 names the first and the third."""

    SENSOR_DATA = Offer(False, False, 5)
    RELIABLE = Offer(True, False, 10)
    LATCHED = Offer(True, True, 1)
    NEWEST = Offer(True, False, 1)
    TF = Offer(True, False, 100)
    TF_STATIC = Offer(True, True, 100)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: ``name`` is absolute, or relative to the graph's namespace; ``type`` is ROS 2's."""

    name: str
    type: str
    quality: Quality

    def of(self, camera_id: str) -> Topic:
        """Return the topic of one camera among several; itself for the only one, named ``''``.

        :raises ConfigurationError: as :func:`require_camera_id`.
        """
        require_camera_id(camera_id)
        return replace(self, name=f'{camera_id}/{self.name}') if camera_id else self

    def resolve(self, namespace: str = NAMESPACE) -> str:
        """Return the absolute name in a namespace."""
        return self.name if self.name.startswith('/') else f'{namespace}/{self.name}'


def require_camera_id(camera_id: str) -> None:
    """Require a name that topics and nodes can have; empty is that of the only camera.

    :raises ConfigurationError: when it is none.
    """
    if not re.fullmatch(r'([A-Za-z]\w*)?', camera_id, re.ASCII):
        raise ConfigurationError(
            f'camera "{camera_id}"',
            wanted='letters, digits and underscores, a letter first: topics begin with it',
        )


POINTS = Topic('pointmap/points', 'sensor_msgs/msg/PointCloud2', Quality.SENSOR_DATA)
CAMERA_POSE = Topic(
    'pointmap/pose', 'geometry_msgs/msg/PoseWithCovarianceStamped', Quality.RELIABLE
)
CAMERA_INFO = Topic('pointmap/camera_info', 'sensor_msgs/msg/CameraInfo', Quality.SENSOR_DATA)
INSTANCES = Topic('segmentation/instances', 'sam3d_msgs/msg/InstanceArray', Quality.RELIABLE)
OVERLAY = Topic('segmentation/overlay', 'sensor_msgs/msg/Image', Quality.SENSOR_DATA)
VIEW = Topic('view/frames', 'sam3d_msgs/msg/Frame', Quality.NEWEST)
VIEW_INSTANCES = Topic('view/instances', 'sam3d_msgs/msg/InstanceArray', Quality.NEWEST)
EXTERNAL_INSTANCES = Topic(
    'objects/external_instances', 'sam3d_msgs/msg/InstanceArray', Quality.RELIABLE
)
EXTERNAL_LABELS = Topic('objects/external_labels', 'sensor_msgs/msg/Image', Quality.RELIABLE)
RECONSTRUCTIONS = Topic(
    'reconstruction/reconstructions', 'sam3d_msgs/msg/ReconstructionArray', Quality.RELIABLE
)
WORK = Topic('reconstruction/work', 'sam3d_msgs/msg/Work', Quality.RELIABLE)
WORK_DONE = Topic('reconstruction/work_done', 'sam3d_msgs/msg/Work', Quality.RELIABLE)
OBJECTS = Topic('scene/objects', 'sam3d_msgs/msg/SceneObjectArray', Quality.LATCHED)
MARKERS = Topic('scene/markers', 'visualization_msgs/msg/MarkerArray', Quality.LATCHED)
DETECTIONS = Topic('scene/detections', 'vision_msgs/msg/Detection3DArray', Quality.RELIABLE)
COLLISION_OBJECTS = Topic(
    'scene/collision_objects', 'moveit_msgs/msg/CollisionObject', Quality.RELIABLE
)
PEOPLE = Topic('people', 'sam3d_msgs/msg/PersonArray', Quality.RELIABLE)
PEOPLE_MARKERS = Topic('people/markers', 'visualization_msgs/msg/MarkerArray', Quality.RELIABLE)
KEEP_OUT = Topic('people/keep_out', 'sensor_msgs/msg/PointCloud2', Quality.RELIABLE)
TF = Topic('/tf', 'tf2_msgs/msg/TFMessage', Quality.TF)
TF_STATIC = Topic('/tf_static', 'tf2_msgs/msg/TFMessage', Quality.TF_STATIC)
