# SPDX-License-Identifier: Apache-2.0
"""Results on the wire, as encoded bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from rclpy.publisher import Publisher

from sam3d_ros.core.types import Frame, Scene, Tracks
from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.frames import encode_frame, every
from sam3d_ros.messages.results.instances import tracks_message
from sam3d_ros.messages.topics import (
    COLLISION_OBJECTS,
    OVERLAY,
    TF,
    VIEW,
    VIEW_INSTANCES,
    Topic,
)
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.nodes.objects.overlay import overlay_bytes
from sam3d_ros.nodes.worker import Worker
from sam3d_ros.session.result import FrameResult
from sam3d_ros.sinks.messages import TOPICS, Message, ResultMessages

FOR_EYES = (OVERLAY, VIEW, VIEW_INSTANCES)
"""What is told on for people to look at, while somebody does."""
VIEW_PERIOD_NS, VIEW_PX = 500_000_000, 320
"""So often at most are frames of a camera sent to viewers, about so wide: they are large."""


class RosSink:
    """Publishes results; remembers what viewers and planners were told.

    Poses leave at once, in the caller's thread; all else in a thread of its own, which takes the
    newest result and tells of the newest scene: what it is too slow for is left out.

    :param make_publisher: returns the publisher of one of the graph's topics.
    :param outputs: names of frames, how meshes are drawn, what counts as moved.
    :param tf: which objects get a frame.
    :param failed: called with what went wrong in the sink's own thread.
    """

    def __init__(
        self,
        make_publisher: Callable[[Topic], Publisher],
        outputs: OutputConfig,
        tf: TfConfig,
        failed: Callable[[Exception], None],
    ) -> None:
        self._publishers = {topic.name: make_publisher(topic) for topic in (*TOPICS, *FOR_EYES)}
        files = MeshFolder(Path(outputs.mesh_folder)) if outputs.mesh_folder else None
        same_host = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
        self._messages = ResultMessages(outputs, tf, files, same_host=same_host)
        self._planners = 0
        self._viewed_ns: dict[str, int] = {}
        self._told: tuple[int, set[str]] = 0, set()
        self._teller = Worker(self._tell, failed, 'teller')
        self.scene: Scene | None = None
        """The newest one."""

    def write_early(self, scene: Scene) -> None:
        """Publish the frames of objects whose places are known before all else about a frame.

        :meth:`write` tells the rest of it: no object is told of twice for one frame of a camera.
        """
        if (early := self._messages.early(scene, self.scene)) is not None:
            message, names = early
            self._told = scene.stamp_ns, names
            self._send([(TF, message)])

    def write(self, result: FrameResult) -> None:
        """Publish everything about a frame that has changed or is always published."""
        self.scene = result.scene
        stamp_ns, names = self._told
        told = names if stamp_ns == result.scene.stamp_ns else ()
        self._send(self._messages.poses(result.scene, result.people, told))
        self._teller.offer(result, source=result.frame.camera_name)

    def write_scene(self, scene: Scene) -> None:
        """Publish a scene that has changed between two frames."""
        self._send(self._messages.poses(scene))
        self.write_shapes(scene)

    def write_shapes(self, scene: Scene) -> None:
        """Publish shapes that have changed between two frames; no pose has."""
        self.scene = scene
        self._teller.tell(self._tell_changes)

    def flush(self) -> None:
        """Publish what waited for a next frame, which does not come."""
        self._teller.tell(lambda: self._send(self._messages.held_back()))

    def greet_planners(self) -> None:
        """Tell a planner that came late about every object: collision objects are not latched."""
        listening = self._publishers[COLLISION_OBJECTS.name].get_subscription_count()
        if listening > self._planners:
            self._teller.tell(self._tell_planners)
        self._planners = listening

    def close(self) -> None:
        """End the sink's thread; the publishers are the node's."""
        self._teller.stop()

    def _tell(self, result: FrameResult) -> None:
        self._send(self._messages.sightings(result, self._is_heard))
        if self._is_heard(OVERLAY):
            self._publishers[OVERLAY.name].publish(overlay_bytes(result.frame, result.tracks))
        if self._is_heard(VIEW):
            self._show(result.frame, result.tracks)
        self._tell_changes()

    def _show(self, frame: Frame, tracks: Tracks) -> None:
        """Send a frame to viewers, if it is time to: every so manieth pixel, and its masks."""
        waited_ns = frame.stamp_ns - self._viewed_ns.get(frame.camera_name, 0)
        if 0 <= waited_ns < VIEW_PERIOD_NS:
            return
        self._viewed_ns[frame.camera_name] = frame.stamp_ns
        size_px = (frame.camera.width, frame.camera.height)
        small = every(frame, max(1, frame.camera.width // VIEW_PX))
        self._publishers[VIEW.name].publish(encode_frame(small))
        masks = tracks_message(StoreTypes(), tracks, frame.frame_id, size_px)
        self._send([(VIEW_INSTANCES, masks)])

    def _tell_changes(self) -> None:
        if self.scene is not None:
            self._send(self._messages.of_changes(self.scene))

    def _tell_planners(self) -> None:
        if self.scene is not None:
            self._send(self._messages.all_collision_objects(self.scene))

    def _is_heard(self, topic: Topic) -> bool:
        return bool(self._publishers[topic.name].get_subscription_count() > 0)

    def _send(self, messages: Iterable[Message]) -> None:
        for topic, message in messages:
            self._publishers[topic.name].publish(encode(message, topic.type))
