# SPDX-License-Identifier: Apache-2.0
"""The result recording: every topic that the live nodes would publish, and the inputs' TF."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sam3d_ros.bags.scan import LoggedTransform
from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.topics import (
    CAMERA_INFO,
    NAMESPACE,
    POINTS,
    TF,
    TF_STATIC,
)
from sam3d_ros.messages.transforms import transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.session.result import FrameResult
from sam3d_ros.sinks.messages import (
    TOPICS,
    Message,
    ResultMessages,
    odometry_messages,
    pointmap_messages,
)


class BagSink:
    """Writes what the session makes of each frame as the messages of the graph.

    Markers carry their meshes (no files), so that the recording needs nothing beside it.

    :param path: the folder to make.
    :param transforms: TF of the inputs, in recorded order.
    :param outputs: names of frames, how meshes are drawn, what counts as moved.
    :param tf: which objects get a frame.
    :param pointmaps: whether to write the point clouds too (4.9 MB for a frame of 640x480); of
        several cameras, on topics that begin with the camera's name, as live.
    :param cameras: their names; that of the only one is empty.
    :param namespace: of the topics.
    """

    def __init__(
        self,
        path: Path,
        transforms: Sequence[LoggedTransform] = (),
        outputs: OutputConfig | None = None,
        tf: TfConfig | None = None,
        *,
        pointmaps: bool = False,
        cameras: Sequence[str] = ('',),
        namespace: str = NAMESPACE,
    ) -> None:
        self._writer = RecordingWriter(path)
        self._namespace = namespace
        outputs = replace(outputs or OutputConfig(), marker_mode='triangle_list')
        self._messages = ResultMessages(outputs, tf or TfConfig())
        self._pointmaps = pointmaps
        self._transforms = sorted(transforms, key=lambda item: item.log_ns)
        self._written = 0
        self._last_ns = 0
        clouds = [
            topic.of(camera) for camera in cameras for topic in (POINTS, CAMERA_INFO) if pointmaps
        ]
        for topic in (*clouds, *TOPICS, TF_STATIC):
            self._writer.declare(topic.resolve(namespace), topic.type, topic.quality)

    def write(self, result: FrameResult) -> None:
        """Write everything about one frame; every message has the frame's stamp."""
        self._last_ns = result.frame.stamp_ns
        self._write_inputs(until_ns=self._last_ns)
        if self._pointmaps:
            camera = result.frame.camera_id
            clouds = pointmap_messages(result.frame)
            self._send(self._last_ns, ((topic.of(camera), cloud) for topic, cloud in clouds))
        if result.frame.pose_covariance is not None:
            self._send(self._last_ns, odometry_messages(result.frame, self._tree))
        self._send(self._last_ns, self._messages.of_frame(result))

    @cached_property
    def _tree(self) -> TransformTree:
        """All TF of the inputs; only frames that own odometry has placed ask for it."""
        tree = TransformTree(None)
        for item in self._transforms:
            edge, stamp_ns = item.transform, None if item.is_static else item.transform.stamp_ns
            tree.add(edge.parent, edge.child, edge.T_parent_child, stamp_ns)
        return tree

    def _write_inputs(self, until_ns: int | None) -> None:
        """Write TF of the inputs up to a time; None = all that is left."""
        end = len(self._transforms)
        if until_ns is not None:
            end = bisect_right(self._transforms, until_ns, key=lambda item: item.log_ns)
        for item in self._transforms[self._written : end]:
            topic = TF_STATIC if item.is_static else TF
            message = transforms_message(StoreTypes(), [item.transform])
            self._send(item.log_ns, [(topic, message)])
        self._written = max(self._written, end)

    def _send(self, stamp_ns: int, messages: Iterable[Message]) -> None:
        for topic, message in messages:
            self._writer.write(topic.resolve(self._namespace), topic.type, stamp_ns, message)

    def close(self) -> None:
        """Write the list of objects that is held back, the rest of the inputs' TF, the index."""
        self._send(self._last_ns, self._messages.held_back())
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
