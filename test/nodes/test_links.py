# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.links import FRAMES, Sender, stamp_of

STAMP_NS = 1_700_000_000_123_456_789


def make_frame() -> Frame:
    camera = Camera(8, 6, np.diag([10.0, 10.0, 1.0]))
    rgb, pointmap = np.zeros((6, 8, 3), np.uint8), np.ones((6, 8, 3), np.float32)
    return Frame(STAMP_NS, 'optical', camera, rgb, pointmap, 'world', np.eye(4))


class Publisher:
    """Counts what is published."""

    def __init__(self, subscribers: int) -> None:
        self.subscribers = subscribers
        self.published: list[bytes] = []

    def get_subscription_count(self) -> int:
        return self.subscribers

    def publish(self, data: bytes) -> None:
        self.published.append(data)


def test_over_the_bus_the_object_itself_arrives_and_nothing_is_encoded_for_nobody() -> None:
    bus, publisher, arrived = Bus(), Publisher(subscribers=0), []
    bus.subscribe(FRAMES.topic.name, arrived.append)
    frame = make_frame()
    Sender(publisher, FRAMES, bus).send(frame, frame.stamp_ns)
    assert arrived[0].stamp_ns == STAMP_NS
    assert arrived[0].get() is frame
    assert publisher.published == []


def test_who_listens_outside_gets_the_bytes() -> None:
    publisher = Publisher(subscribers=1)
    frame = make_frame()
    Sender(publisher, FRAMES, None).send(frame, frame.stamp_ns)
    (data,) = publisher.published
    assert stamp_of(data) == STAMP_NS
    np.testing.assert_array_equal(FRAMES.decode(data).pointmap, frame.pointmap)
