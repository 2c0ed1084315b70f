# SPDX-License-Identifier: Apache-2.0
"""How stage data goes from node to node: as objects over the bus, or as messages over DDS.

A link carries one kind of data. The receiving side decodes late, in its worker, so that what a
newer input replaces is never decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rclpy.node import Node
from rclpy.publisher import Publisher

from sam3d_ros.core.types import Frame
from sam3d_ros.messages.frames import FRAMES as FRAMES_TOPIC
from sam3d_ros.messages.frames import decode_frame, encode_frame
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.ros.qos import profile

Data = TypeVar('Data')


@dataclass(frozen=True, slots=True)
class Link(Generic[Data]):
    """One kind of stage data.

    :param encode: data to CDR bytes.
    :param decode: CDR bytes to data.
    """

    topic: Topic
    encode: Callable[[Data], bytes]
    decode: Callable[[bytes], Data]


FRAMES: Link[Frame] = Link(FRAMES_TOPIC, encode_frame, decode_frame)


@dataclass(frozen=True, slots=True)
class Arrival(Generic[Data]):
    """Data that arrived, or could: its stamp now, itself when asked for.

    :param get: returns the data; None when it could not be made, which its node has told.
    """

    stamp_ns: int
    get: Callable[[], Data | None]


class Sender(Generic[Data]):
    """The sending end of a link.

    :param publisher: of the link's topic.
    :param bus: inside one process; None = DDS only.
    """

    def __init__(self, publisher: Publisher, link: Link[Data], bus: Bus | None) -> None:
        self._publisher = publisher
        self._link = link
        self._bus = bus

    @property
    def is_heard(self) -> bool:
        """Whether somebody outside of this process listens."""
        return bool(self._publisher.get_subscription_count() > 0)

    def announce(self, arrival: Arrival[Data]) -> None:
        """Hand data to this process, where it is made when somebody asks for it."""
        if self._bus is not None:
            self._bus.publish(self._link.topic.name, arrival)

    def send(self, data: Data, stamp_ns: int) -> None:
        """Send data of a source stamp; encoded only when somebody outside listens.

        :param stamp_ns: the data's, nanoseconds.
        """
        self.announce(Arrival(stamp_ns, lambda: data))
        if self.is_heard:
            self._publisher.publish(self._link.encode(data))


def receive(
    node: Node, link: Link[Data], bus: Bus | None, callback: Callable[[Arrival[Data]], None]
) -> Callable[[], None]:
    """Call ``callback`` with what arrives on a link; return what ends that.

    :param node: listens over DDS where there is no bus.
    :param bus: inside one process; None = DDS only.
    """
    if bus is not None:
        return bus.subscribe(link.topic.name, callback)
    topic = link.topic

    def on_bytes(data: bytes) -> None:
        callback(Arrival(stamp_of(data), lambda: link.decode(data)))

    subscription = node.create_subscription(
        import_message(topic.type), topic.name, on_bytes, profile(topic.quality), raw=True
    )

    def destroy() -> None:
        node.destroy_subscription(subscription)

    return destroy


def stamp_of(data: bytes) -> int:
    """Return the header stamp (ns) of a little-endian CDR message that begins with a header."""
    seconds = int.from_bytes(data[4:8], 'little', signed=True)
    return seconds * 1_000_000_000 + int.from_bytes(data[8:12], 'little')
