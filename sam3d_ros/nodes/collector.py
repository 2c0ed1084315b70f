# SPDX-License-Identifier: Apache-2.0
"""Collects what the nodes of a graph publish into a recording, as the bytes that came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rclpy.context import Context
from rclpy.node import Node
from sam3d_msgs.srv import SaveScene

from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.core.types import Frame, Scene, Tracks
from sam3d_ros.messages import topics
from sam3d_ros.messages.results.instances import tracks_from
from sam3d_ros.messages.results.scene import scene_from
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.links import FRAMES, stamp_of
from sam3d_ros.nodes.requests import call
from sam3d_ros.ros.qos import profile
from sam3d_ros.ros.spinning import own_spun_node
from sam3d_ros.ros.transport import use_large_segments

COLLECTED = (
    topics.TF_STATIC,
    topics.TF,
    topics.INSTANCES,
    topics.RECONSTRUCTIONS,
    topics.OBJECTS,
    topics.MARKERS,
    topics.DETECTIONS,
    topics.COLLISION_OBJECTS,
)
SAVE_TIMEOUT_S = 60.0
_BEGIN_WITH_SEQUENCE = (topics.TF_STATIC, topics.TF, topics.MARKERS)


class Collector(Node):
    """Writes every message of the graph's output topics, and of TF, to a recording.

    :param writer: takes the messages.
    :param namespace: of the graph.
    :param on_frame: called in the node's thread with each count of frames so far.
    :param context: of rclpy; None = the default one.
    """

    def __init__(
        self,
        writer: RecordingWriter,
        namespace: str = topics.NAMESPACE,
        on_frame: Callable[[int], None] = lambda count: None,
        context: Context | None = None,
    ) -> None:
        super().__init__('collector', context=context)
        self._writer = writer
        self._on_frame = on_frame
        self._lock = threading.Lock()
        self._latest: dict[str, bytes] = {}
        self._stamp_ns = 0
        self.counts: dict[str, int] = {topic.name: 0 for topic in COLLECTED}
        for topic in COLLECTED:
            name = topic.resolve(namespace)
            writer.declare(name, topic.type, topic.quality)
            self.create_subscription(
                import_message(topic.type),
                name,
                partial(self._take, topic, name),
                profile(topic.quality),
                raw=True,
            )
        self.create_subscription(
            import_message(FRAMES.topic.type),
            FRAMES.topic.resolve(namespace),
            partial(self._latest.__setitem__, FRAMES.topic.name),
            profile(FRAMES.topic.quality),
            raw=True,
        )
        self._save = self.create_client(SaveScene, f'{namespace}/scene/save')

    def save(self, folder: Path) -> str:
        """Have the graph write its scene into a folder, and return what it says about it.

        :raises Sam3dError: when it cannot, or does not answer.
        """
        response = call(self._save, SaveScene.Request(path=str(folder)), SAVE_TIMEOUT_S)
        return str(response.message)

    @property
    def frame(self) -> Frame | None:
        """The last frame that was published; frames are not recorded."""
        data = self._latest.get(FRAMES.topic.name)
        return None if data is None else FRAMES.decode(data)

    @property
    def scene(self) -> Scene | None:
        """The last scene that was published."""
        data = self._latest.get(topics.OBJECTS.name)
        return None if data is None else scene_from(_decoded(data, topics.OBJECTS))

    @property
    def is_settled(self) -> bool:
        """Whether the last scene is that of the last frame, and all of it has shapes."""
        latest = [self._latest.get(name) for name in (topics.OBJECTS.name, topics.DETECTIONS.name)]
        stamps = [stamp_of(data) for data in latest if data is not None]
        if len(stamps) < 2 or stamps[0] != stamps[1]:
            return False
        scene = self.scene
        return scene is not None and all(len(item.mesh.faces) for item in scene.objects)

    @property
    def tracks(self) -> Tracks | None:
        """The last tracks that were published."""
        data = self._latest.get(topics.INSTANCES.name)
        return None if data is None else tracks_from(_decoded(data, topics.INSTANCES))

    def _take(self, topic: Topic, name: str, data: bytes) -> None:
        with self._lock:
            self._stamp_ns = _stamp(topic, data) or self._stamp_ns
            self._writer.write(name, topic.type, self._stamp_ns, data, topic.quality)
            self._latest[topic.name] = data
            self.counts[topic.name] += 1
        if topic is topics.DETECTIONS:
            self._on_frame(self.counts[topic.name])


@contextmanager
def collecting(path: Path, on_frame: Callable[[int], None]) -> Iterator[Collector]:
    """Record the graph's outputs to ``path`` for as long as the context lasts.

    :param path: folder to make.
    :param on_frame: as :class:`Collector` has it.
    """
    use_large_segments()
    with RecordingWriter(path) as writer:

        def make(context: Context) -> Collector:
            return Collector(writer, on_frame=on_frame, context=context)

        with own_spun_node(make) as collector:
            yield collector


def _stamp(topic: Topic, data: bytes) -> int:
    """Return the stamp of a message's header, or of its first element's; 0 when it has none."""
    if topic not in _BEGIN_WITH_SEQUENCE:
        return stamp_of(data)
    is_empty = int.from_bytes(data[4:8], 'little') == 0
    return 0 if is_empty else stamp_of(data[4:])


def _decoded(data: bytes, topic: Topic) -> object:
    decoded: object = typestore().deserialize_cdr(data, topic.type)
    return decoded
