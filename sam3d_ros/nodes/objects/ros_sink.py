# SPDX-License-Identifier: Apache-2.0
"""Results on the wire, as encoded bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from rclpy.publisher import Publisher

from sam3d_ros.core.types import Scene
from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.topics import COLLISION_OBJECTS, OVERLAY, Topic
from sam3d_ros.nodes.objects.overlay import overlay_bytes
from sam3d_ros.session.result import FrameResult
from sam3d_ros.sinks.messages import TOPICS, Message, ResultMessages


class RosSink:
    """Publishes results; remembers what viewers and planners were told.

    :param make_publisher: returns the publisher of one of the graph's topics.
    :param outputs: names of frames, how meshes are drawn, what counts as moved.
    :param tf: which objects get a frame.
    """

    def __init__(
        self, make_publisher: Callable[[Topic], Publisher], outputs: OutputConfig, tf: TfConfig
    ) -> None:
        self._publishers = {topic.name: make_publisher(topic) for topic in (*TOPICS, OVERLAY)}
        files = MeshFolder(Path(outputs.mesh_folder)) if outputs.mesh_folder else None
        same_host = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
        self._messages = ResultMessages(outputs, tf, files, same_host=same_host)
        self._planners = 0
        self.scene: Scene | None = None
        """What was published last."""

    def write(self, result: FrameResult) -> None:
        """Publish everything about a frame that has changed or is always published."""
        self.scene = result.scene
        self._send(self._messages.of_frame(result, self._is_heard))
        if self._is_heard(OVERLAY):
            self._publishers[OVERLAY.name].publish(overlay_bytes(result.frame, result.tracks))

    def write_scene(self, scene: Scene) -> None:
        """Publish a scene that has changed between two frames."""
        self.scene = scene
        self._send(self._messages.of_scene(scene))

    def write_shapes(self, scene: Scene) -> None:
        """Publish shapes that have changed between two frames; no pose has."""
        self.scene = scene
        self._send(self._messages.of_changes(scene))

    def flush(self) -> None:
        """Publish what waited for a next frame, which does not come."""
        self._send(self._messages.held_back())

    def greet_planners(self) -> None:
        """Tell a planner that came late about every object: collision objects are not latched."""
        listening = self._publishers[COLLISION_OBJECTS.name].get_subscription_count()
        if listening > self._planners and self.scene is not None:
            self._send(self._messages.all_collision_objects(self.scene))
        self._planners = listening

    def close(self) -> None:
        """Publish what is held back; the publishers are the node's."""
        self.flush()

    def _is_heard(self, topic: Topic) -> bool:
        return bool(self._publishers[topic.name].get_subscription_count() > 0)

    def _send(self, messages: Iterable[Message]) -> None:
        for topic, message in messages:
            self._publishers[topic.name].publish(encode(message, topic.type))
