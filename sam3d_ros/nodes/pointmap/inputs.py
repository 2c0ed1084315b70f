# SPDX-License-Identifier: Apache-2.0
"""The sensor topics of pointmap_node: subscribed as their publishers offer, paired by stamp.

Says in one sentence which topic is missing and why. Keeps the newest CameraInfo of each camera, so
that no image waits for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from sam3d_ros.messages.headers import NS_PER_S, nanoseconds
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.graph import CAMERA, INPUTS
from sam3d_ros.nodes.pointmap.live_clocks import LiveClocks
from sam3d_ros.ros.qos import sensor_profile
from sam3d_ros.ros.sync import Synchronizer
from sam3d_ros.ros.upstream import message_filters


@dataclass(frozen=True, slots=True, eq=False)
class SensorData:
    """Messages that belong together: colour, range (depth image or cloud), their CameraInfos."""

    color: Any
    color_info: Any
    range: Any
    range_info: Any | None


class _Source(message_filters.SimpleFilter):  # type: ignore[misc]
    """One input topic: counts messages, and follows the reliability that its publishers offer.

    :param restamp: returns the stamp of a message from that in its header; None = that one.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        needed: bool = True,
        restamp: Callable[[int], int] | None = None,
    ) -> None:
        super().__init__()
        self._restamp = restamp
        self.topic = topic
        self.needed = needed
        self.count = 0
        self.latest: Any = None
        self._node = node
        self._kind = kind
        self._subscriber: Any = None
        self.follow_publishers()

    def follow_publishers(self) -> None:
        """Subscribe, or subscribe anew when the publishers offer another reliability."""
        wanted = sensor_profile(self._node.get_publishers_info_by_topic(self.topic))
        if self._subscriber is not None:
            if self._subscriber.sub.qos_profile.reliability == wanted.reliability:
                return
            self.close()
        self._subscriber = message_filters.Subscriber(
            self._node, self._kind, self.topic, qos_profile=wanted
        )
        self._subscriber.registerCallback(self._on_message)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscriber is not None:
            self._node.destroy_subscription(self._subscriber.sub)
            self._subscriber = None

    def take_count(self) -> int:
        """Return how many messages came since the last call."""
        count, self.count = self.count, 0
        return count

    def publishers(self) -> int:
        """Return how many publishers there are."""
        return int(self._node.count_publishers(self.topic))

    def _on_message(self, message: Any) -> None:
        self.count += 1
        if self._restamp is not None:
            stamp = message.header.stamp
            stamp_ns = max(self._restamp(nanoseconds(stamp)), 0)
            stamp.sec, stamp.nanosec = divmod(stamp_ns, NS_PER_S)
        self.latest = message
        self.signalMessage(message)


class SensorInputs:
    """Subscribes to the sensor topics and hands on what belongs together.

    :param node: listens.
    :param config: which topics, and how long messages wait for each other.
    :param clocks: how stamps are taken.
    :param on_data: called with each set of messages, in the executor's thread.
    :param on_reset: called when the stamps of the inputs go back.
    :param camera_id: goes before the names of topics; empty for the only camera.
    """

    def __init__(
        self,
        node: Node,
        config: InputConfig,
        clocks: LiveClocks,
        on_data: Callable[[SensorData], None],
        on_reset: Callable[[], None],
        camera_id: str = '',
    ) -> None:
        self._on_data = on_data
        color_kind = Image if config.color_transport == 'raw' else CompressedImage
        color_topic, range_topic = input_topics(node, config, camera_id)
        self._clocks = clocks

        def restamp(topic: str) -> Callable[[int], int]:
            now = node.get_clock().now
            return lambda stamp_ns: clocks.stamp(topic, stamp_ns, now().nanoseconds)

        self._color = _Source(node, color_kind, color_topic, restamp=restamp(color_topic))
        self._color_info = _Source(node, CameraInfo, input_topic(node, config, 'info', camera_id))
        self._range_info: _Source | None = None
        if config.source == 'depth':
            depth_kind = Image if config.depth_transport == 'raw' else CompressedImage
            self._range = _Source(node, depth_kind, range_topic, restamp=restamp(range_topic))
            info_topic = input_topic(node, config, 'depth_info', camera_id)
            self._range_info = _Source(node, CameraInfo, info_topic, needed=False)
        else:
            self._range = _Source(node, PointCloud2, range_topic, restamp=restamp(range_topic))
        self._sync = Synchronizer(
            [self._color, self._range],
            config.queue_size,
            config.slop_s,
            self._on_pair,
            node.get_logger(),
            on_reset,
        )
        self._pairs = 0
        self._held: tuple[Any, Any] | None = None
        for source in (self._color_info, self._range_info):
            if source is not None:
                source.registerCallback(self._on_info)

    @property
    def sources(self) -> list[_Source]:
        """All inputs, those that can be done without too."""
        known = [self._color, self._color_info, self._range, self._range_info]
        return [source for source in known if source is not None]

    @property
    def color_topic(self) -> str:
        """The resolved topic of the colour image."""
        return self._color.topic

    @property
    def range_topic(self) -> str:
        """The resolved topic of the depth image or cloud."""
        return self._range.topic

    def follow_publishers(self) -> None:
        """Follow what publishers offer and how they stamp now, and look at what waits.

        Call it regularly.
        """
        for source in self.sources:
            source.follow_publishers()
        if self._clocks.settle():
            self.clear()
        self._sync.settle()

    def complaint(self) -> str:
        """Return why nothing, or not all, was handed on since the last call; else nothing."""
        pairs, self._pairs = self._pairs, 0
        counts = {source.topic: source.take_count() for source in self.sources if source.needed}
        silent = [
            f'{source.topic} ({"silent" if source.publishers() else "nobody publishes it"})'
            for source in self.sources
            if source.needed and not counts[source.topic] and not self._cached(source)
        ]
        if silent:
            return f'no messages on {", ".join(silent)}'
        if late := self._sync.take_late():
            return f'{late} messages came too late: after later ones of their topic were used'
        if pairs:
            return ''
        return (
            f'{self._color.topic} ({counts[self._color.topic]} messages) and {self._range.topic} '
            f'({counts[self._range.topic]}) have no stamps within inputs.slop_s of each other'
        )

    def clear(self) -> None:
        """Forget what waits for its partner, as after a jump of the clock."""
        self._sync.clear()
        self._held = None

    def close(self) -> None:
        """Unsubscribe from everything."""
        for source in self.sources:
            source.close()

    def _cached(self, source: _Source) -> bool:
        return source is self._color_info and source.latest is not None

    def _on_pair(self, color: Any, range_: Any) -> None:
        """Hand a pair on; hold it while its CameraInfo is still on its way."""
        self._held = None
        if self._is_described(self._color_info, color) and self._is_described(
            self._range_info, range_
        ):
            self._hand_on(color, range_)
        else:
            self._held = (color, range_)

    def _on_info(self, info: Any) -> None:
        """Hand on the pair that waited for this; whether it fits is judged where it is used."""
        color_ready = self._color_info.latest is not None
        if self._held is not None and color_ready:
            color, range_ = self._held
            self._on_pair(color, range_)
            if self._held is not None and _same_stamp(info, color):
                self._held = None
                self._hand_on(color, range_)

    def _hand_on(self, color: Any, range_: Any) -> None:
        self._pairs += 1
        info = self._range_info.latest if self._range_info is not None else None
        self._on_data(SensorData(color, self._color_info.latest, range_, info))

    @staticmethod
    def _is_described(source: _Source | None, image: Any) -> bool:
        """Return whether the newest CameraInfo can be that of an image, or none will come."""
        if source is None:
            return True
        info = source.latest
        if info is None:
            return not (source.needed or source.publishers())
        if not (hasattr(image, 'encoding') and info.width):
            return True
        return (info.width, info.height) == (image.width, image.height) or _is_cropped(info)


def input_topics(node: Node, config: InputConfig, camera_id: str = '') -> tuple[str, str]:
    """Return the resolved topics of the colour image and of the depth image or cloud.

    :param node: whose namespace and remappings count.
    :param config: kinds and transports.
    :param camera_id: goes before their names; empty for the only camera.
    """
    color = _transported(input_topic(node, config, 'rgb', camera_id), config.color_transport)
    if config.source == 'points':
        return color, input_topic(node, config, 'points', camera_id)
    depth = input_topic(node, config, 'depth', camera_id)
    return color, _transported(depth, config.depth_transport)


def input_topic(node: Node, config: InputConfig, name: str, camera_id: str) -> str:
    """Return the topic that an input of a camera is listened to on, remappings applied.

    :param node: whose namespace and remappings count.
    :param config: names topics; where it does not, it is the relative name, below the camera's.
    :param name: of the input and of its option: ``rgb``, ``info``, ``depth``, ``depth_info`` or
        ``points``.
    :param camera_id: empty for the only camera.
    """
    below = f'{camera_id}/' if camera_id else ''
    topic = getattr(config, name).replace(CAMERA, camera_id) or f'{below}{INPUTS[name]}'
    return str(node.resolve_topic_name(topic))


def _same_stamp(a: Any, b: Any) -> bool:
    return bool(a.header.stamp == b.header.stamp)


def _is_cropped(info: Any) -> bool:
    """Return whether the images of a CameraInfo are smaller than it says: cut out or binned."""
    return bool(info.roi.width or info.binning_x > 1 or info.binning_y > 1)


def _transported(base: str, transport: str) -> str:
    """Return the topic of an image by image_transport's rule, from that of the raw one."""
    if transport == 'raw' or base.endswith(f'/{transport}'):
        return base
    return f'{base}/{transport}'
