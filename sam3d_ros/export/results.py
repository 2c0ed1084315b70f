# SPDX-License-Identifier: Apache-2.0
"""The result recording: every topic that the live nodes would publish, and the inputs' TF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sam3d_ros.bags.scan import LoggedTransform
from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.core.types import Frame, Scene
from sam3d_ros.messages import topics
from sam3d_ros.messages.cameras import encode_camera
from sam3d_ros.messages.clouds import encode_pointmap
from sam3d_ros.messages.collision import CollisionState
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.detections import detections_message
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.instances import tracks_message
from sam3d_ros.messages.markers import MarkerState
from sam3d_ros.messages.products import MeshLibrary
from sam3d_ros.messages.reconstructions import reconstructions_message
from sam3d_ros.messages.scene import scene_message
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.transforms import object_transforms, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pipeline.pipeline import FrameResult

_SCENE_TOPICS = (
    topics.INSTANCES,
    topics.RECONSTRUCTIONS,
    topics.OBJECTS,
    topics.MARKERS,
    topics.DETECTIONS,
    topics.COLLISION_OBJECTS,
    topics.TF,
    topics.TF_STATIC,
)


class ResultRecording:
    """Writes what the stages made of each frame as the messages of the graph.

    Markers carry their meshes (no files), so that the recording needs nothing beside it.

    :param path: the folder to make.
    :param transforms: TF of the inputs, in recorded order.
    :param pointmaps: whether to write the point clouds too (4.9 MB for a frame of 640x480).
    """

    def __init__(
        self,
        path: Path,
        transforms: Sequence[LoggedTransform],
        outputs: OutputConfig,
        *,
        pointmaps: bool = False,
        namespace: str = topics.NAMESPACE,
    ) -> None:
        self._writer = RecordingWriter(path)
        self._namespace = namespace
        self._types = StoreTypes()
        self._prefix = outputs.frame_prefix
        self._library = MeshLibrary(outputs.marker_faces)
        self._markers = MarkerState(self._types, replace(outputs, marker_mode='triangle_list'))
        self._collisions = CollisionState(self._types, outputs)
        self._pointmaps = pointmaps
        self._pending = sorted(transforms, key=lambda item: item.log_ns)
        clouds = (topics.POINTS, topics.CAMERA_INFO) if pointmaps else ()
        for topic in (*clouds, *_SCENE_TOPICS):
            self._writer.declare(topic.resolve(namespace), topic.type, topic.quality)

    def write(self, result: FrameResult) -> None:
        """Write everything about one frame; every message has the frame's stamp."""
        frame, scene, types = result.frame, result.scene, self._types
        stamp_ns = frame.stamp_ns
        self._write_inputs(until_ns=stamp_ns)
        if self._pointmaps:
            self._write_pointmap(frame)
        size_px = (frame.camera.width, frame.camera.height)
        tracks = tracks_message(types, result.tracks, frame.frame_id, size_px)
        self._send(topics.INSTANCES, stamp_ns, tracks)
        rebuilt = reconstructions_message(types, result.reconstructions, frame.frame_id)
        self._send(topics.RECONSTRUCTIONS, stamp_ns, rebuilt)
        self._write_scene(scene)

    def _write_scene(self, scene: Scene) -> None:
        types, stamp_ns = self._types, scene.stamp_ns
        products = self._library.update(scene)
        frames = object_transforms(scene, self._prefix)
        self._send(topics.TF, stamp_ns, transforms_message(types, frames))
        self._send(topics.OBJECTS, stamp_ns, scene_message(types, scene, products))
        self._send(topics.DETECTIONS, stamp_ns, detections_message(types, scene))
        markers = self._markers.update(scene, products)
        if markers is not None:
            self._send(topics.MARKERS, stamp_ns, markers)
        for message in self._collisions.update(scene, products):
            self._send(topics.COLLISION_OBJECTS, stamp_ns, message)

    def _write_pointmap(self, frame: Frame) -> None:
        classes = typestore().types
        header = header_message(self._types, frame.stamp_ns, frame.frame_id)
        points = encode_pointmap(
            frame.pointmap,
            frame.rgb,
            classes[topics.POINTS.type],
            classes['sensor_msgs/msg/PointField'],
            header,
        )
        self._send(topics.POINTS, frame.stamp_ns, points)
        info = encode_camera(
            frame.camera,
            classes[topics.CAMERA_INFO.type],
            classes['sensor_msgs/msg/RegionOfInterest'],
            header,
        )
        self._send(topics.CAMERA_INFO, frame.stamp_ns, info)

    def _write_inputs(self, until_ns: int | None) -> None:
        """Write TF of the inputs up to a time; None = all that is left."""
        count = len(self._pending)
        if until_ns is not None:
            count = sum(item.log_ns <= until_ns for item in self._pending)
        for item in self._pending[:count]:
            topic = topics.TF_STATIC if item.is_static else topics.TF
            message = transforms_message(self._types, [item.transform])
            self._send(topic, item.log_ns, message)
        del self._pending[:count]

    def _send(self, topic: Topic, stamp_ns: int, message: Any) -> None:
        self._writer.write(topic.resolve(self._namespace), topic.type, stamp_ns, message)

    def close(self) -> None:
        """Write the rest of the inputs' TF and the index."""
        self._write_inputs(until_ns=None)
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.__exit__(kind, error, trace)
