# SPDX-License-Identifier: Apache-2.0
"""The scene on the wire: list, markers, detections, collision objects and TF, as encoded bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.publisher import Publisher

from sam3d_ros.core.types import Scene
from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.collision import CollisionState
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.detections import detections_message
from sam3d_ros.messages.markers import MarkerState
from sam3d_ros.messages.products import MeshLibrary
from sam3d_ros.messages.scene import scene_message
from sam3d_ros.messages.topics import (
    COLLISION_OBJECTS,
    DETECTIONS,
    MARKERS,
    OBJECTS,
    TF,
    Topic,
)
from sam3d_ros.messages.transforms import object_transforms, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.nodes.config import TfConfig


class ScenePublisher:
    """Publishes scenes; remembers what viewers and planners were told.

    :param make_publisher: returns the publisher of one of the graph's topics.
    """

    def __init__(
        self, make_publisher: Callable[[Topic], Publisher], outputs: OutputConfig, tf: TfConfig
    ) -> None:
        topics = (OBJECTS, MARKERS, DETECTIONS, COLLISION_OBJECTS, TF)
        self._publishers = {topic.name: make_publisher(topic) for topic in topics}
        self._types = StoreTypes()
        self._prefix = outputs.frame_prefix
        self._tf = tf
        self._library = MeshLibrary(outputs.marker_faces)
        self._files = MeshFolder(Path(outputs.mesh_folder)) if outputs.mesh_folder else None
        same_host = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
        self._markers = MarkerState(self._types, outputs, same_host=same_host)
        self._collisions = CollisionState(self._types, outputs)
        self._planners = 0

    def publish(self, scene: Scene) -> None:
        """Publish everything about a scene that has changed or is always published."""
        products = self._library.update(scene)
        if self._tf.publish:
            transforms = object_transforms(scene, self._prefix)[: self._tf.max_frames]
            self._send(TF, transforms_message(self._types, transforms))
        files = self._files.update(scene, products) if self._files else {}
        self._send(OBJECTS, scene_message(self._types, scene, products, files))
        self._send(DETECTIONS, detections_message(self._types, scene))
        markers = self._markers.update(scene, products, files)
        if markers is not None:
            self._send(MARKERS, markers)
        for message in self._collisions.update(scene, products):
            self._send(COLLISION_OBJECTS, message)

    def greet_planners(self, scene: Scene) -> None:
        """Tell a planner that came late about every object: collision objects are not latched."""
        listening = self._publishers[COLLISION_OBJECTS.name].get_subscription_count()
        if listening > self._planners:
            for message in self._collisions.all_known(scene, self._library.update(scene)):
                self._send(COLLISION_OBJECTS, message)
        self._planners = listening

    def _send(self, topic: Topic, message: Any) -> None:
        self._publishers[topic.name].publish(encode(message, topic.type))
