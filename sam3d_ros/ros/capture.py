# SPDX-License-Identifier: Apache-2.0
"""Live topics as a recording in memory, for looking at them by the rules for recordings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from sam3d_ros.bags.channels import CDR, Channel
from sam3d_ros.bags.definitions import Definitions, todays_type
from sam3d_ros.bags.recording import RawMessage, Recording, TopicInfo
from sam3d_ros.bags.selection import CLOUD, COMPRESSED, IMAGE, INFO
from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.sensors import livox
from sam3d_ros.messages.topics import TF, TF_STATIC, Quality
from sam3d_ros.messages.transforms import namespace_of
from sam3d_ros.messages.types import import_message
from sam3d_ros.ros.qos import profile, sensor_profile
from sam3d_ros.ros.spinning import own_node
from sam3d_ros.ros.transport import use_large_segments

_HEAVY = (IMAGE, COMPRESSED, CLOUD)
# So much is kept whole of images and clouds, all together; of the rest only the stamp, with the
# four bytes of encapsulation before it.
_WHOLE_BYTES = 256_000_000
_STAMP_BYTES = 12
_DISCOVERY_S = 1.0


@dataclass(slots=True)
class _Heard:
    type: str
    qos: list[Any]
    messages: list[RawMessage] = field(default_factory=list)


class Capture(Recording):
    """What was heard on the sensor topics and TF of a running system.

    :param node: listens; must not be spun by anybody else meanwhile.
    :param seconds: how long, by the steady clock, after a second for discovery.
    :param leave_out: topics below this namespace are our own and no inputs.
    """

    def __init__(self, node: Node, seconds: float, leave_out: str = '') -> None:
        self.path = Path(node.get_namespace())
        self._heard: dict[str, _Heard] = {}
        self._order: list[RawMessage] = []
        self._bytes = 0
        self._node = node
        self._definitions = Definitions()
        self._unknown: list[str] = []
        executor = SingleThreadedExecutor(context=node.context)
        executor.add_node(node)
        _spin(executor, _DISCOVERY_S)
        subscriptions = [self._listen(*item) for item in self._topics_of_interest(leave_out)]
        _spin(executor, seconds)
        for subscription in subscriptions:
            node.destroy_subscription(subscription)
        executor.remove_node(node)
        executor.shutdown()

    @property
    def notes(self) -> list[str]:
        """Topics that could not be listened to, a sentence each."""
        return self._unknown

    @property
    def topics(self) -> list[TopicInfo]:
        """Every topic that was listened to, silent ones too."""
        return [
            TopicInfo(name, todays_type(heard.type), len(heard.messages))
            for name, heard in sorted(self._heard.items())
        ]

    def problem(self, topic: str) -> str:
        """Return nothing: topics of other types are not listened to."""
        return ''

    def offered(self, topic: str) -> list[Any]:
        """Return the quality of service of a topic's publishers."""
        return self._heard[topic].qos

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in the order they were received."""
        return (message for message in self._order if message.topic in topics)

    def decode(self, message: RawMessage) -> Any:
        """Return the message object.

        :raises RecordingError: when only its stamp was kept, or its bytes are malformed.
        """
        if len(message.data) <= _STAMP_BYTES:
            raise RecordingError(f'only the stamp of a message on {message.topic} was kept')
        return self._definitions.decode(message.channel, message.data)

    def close(self) -> None:
        """Forget what was heard."""
        self._heard.clear()
        self._order.clear()

    def _topics_of_interest(self, leave_out: str) -> Iterator[tuple[str, str]]:
        names = dict(self._node.get_topic_names_and_types())
        own = f'{leave_out}/' if leave_out else None
        for name, types in sorted(names.items()):
            is_sensor = types[0] in (*_HEAVY, INFO) and not (own and name.startswith(own))
            is_tf = types[0] == TF.type and namespace_of(name)
            if types[0] in livox.TYPES:
                is_sensor = livox.has_type(types[0])
                if not is_sensor:
                    self._unknown.append(livox.without_type(name, types[0]))
            if is_sensor or is_tf:
                yield name, types[0]
        for topic in (TF, TF_STATIC):
            yield topic.name, topic.type

    def _listen(self, name: str, kind: str) -> Any:
        publishers = self._node.get_publishers_info_by_topic(name)
        heard = self._heard[name] = _Heard(kind, [info.qos_profile for info in publishers])
        channel = Channel(name, kind, CDR)
        quality = Quality.TF_STATIC if name.endswith(TF_STATIC.name) else Quality.TF

        def received(data: bytes) -> None:
            if kind in (*_HEAVY, *livox.TYPES):
                self._bytes += len(data)
                if self._bytes > _WHOLE_BYTES:
                    data = data[:_STAMP_BYTES]
            now_ns = self._node.get_clock().now().nanoseconds
            message = RawMessage(name, todays_type(kind), now_ns, data, channel)
            heard.messages.append(message)
            self._order.append(message)

        return self._node.create_subscription(
            import_message(kind),
            name,
            received,
            profile(quality) if kind == TF.type else sensor_profile(publishers),
            raw=True,
        )


def listen(seconds: float, leave_out: str = '') -> Capture:
    """Return what a node of its own hears in so many seconds; see :class:`Capture`.

    :param leave_out: namespace whose topics are our own and no inputs; empty = none.
    """
    use_large_segments()
    with own_node(lambda context: Node('sam3d_doctor', context=context)) as node:
        return Capture(node, seconds, leave_out)


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        executor.spin_once(timeout_sec=left)
