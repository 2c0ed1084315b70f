# SPDX-License-Identifier: Apache-2.0
"""The sensor topics of pointmap_node: subscribed as their publishers offer, paired by stamp.

Says in one sentence which topic is missing and why. Keeps the newest CameraInfo of each camera, so
that no image waits for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField

from sam3d_ros.messages.headers import NS_PER_S, nanoseconds
from sam3d_ros.messages.sensors import livox
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.graph import CAMERA, INPUTS
from sam3d_ros.nodes.pointmap.live_clocks import LiveClocks
from sam3d_ros.pointmaps.choice import Roll, SourceChoice
from sam3d_ros.ros.clock import StampWatch
from sam3d_ros.ros.qos import sensor_profile
from sam3d_ros.ros.sync import Synchronizer
from sam3d_ros.ros.upstream import message_filters

# So many messages of each stream are kept to be fused, and may be so far from the image's stamp.
_RECENT, _AROUND_NS = 8, 150_000_000


@dataclass(frozen=True, slots=True, eq=False)
class RangeData:
    """A depth image or cloud, where it came from, and its CameraInfo."""

    topic: str
    message: Any
    info: Any | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SensorData:
    """Messages that belong together: colour, its CameraInfo, and what measured range.

    :param ranges: one, several that are fused, or none where there is colour alone.
    :param is_look: whether its frame is made only to learn how good the source is.
    """

    color: Any
    color_info: Any
    ranges: tuple[RangeData, ...]
    is_look: bool = False


@dataclass(slots=True, eq=False)
class _Lead:
    """A stream of range: its messages, their CameraInfo, pairs with colour, and what came last."""

    source: _Source
    info: _Source | None
    sync: Synchronizer | None = None
    held: tuple[Any, Any] | None = None
    has_come: bool = False
    recent: deque[Any] = field(default_factory=lambda: deque[Any](maxlen=_RECENT))


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
        self.problem = ''
        self._node = node
        self._kind = self._subscribed = kind
        self._subscriber: Any = None
        self.follow_publishers()

    def follow_publishers(self) -> None:
        """Subscribe, or anew when publishers offer another reliability, or Livox's own clouds."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        wanted, kind = sensor_profile(publishers), self._kind
        livox_types = {each.topic_type for each in publishers} & livox.TYPES
        self.problem = ''
        if kind is PointCloud2 and livox_types:
            name = min(livox_types)
            if livox.has_type(name):
                kind = import_message(name)
            else:
                self.problem = livox.without_type(self.topic, name)
        if self._subscriber is not None:
            same = self._subscriber.sub.qos_profile.reliability == wanted.reliability
            if same and kind is self._subscribed:
                return
            self.close()
        self._subscribed = kind
        self._subscriber = message_filters.Subscriber(
            self._node, kind, self.topic, qos_profile=wanted
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
        if self._subscribed is not self._kind:
            message = livox.cloud_from_livox(message, PointCloud2, PointField)
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
    :param clocks: how stamps of colour and of each stream of range are taken.
    :param on_data: called with each set of messages, in the executor's thread.
    :param on_reset: called when the stamps of the inputs go back.
    :param camera_id: goes before the names of topics; empty for the only camera.
    :param fuses: whether all streams of range are wanted for a frame, not the best alone.
    """

    def __init__(
        self,
        node: Node,
        config: InputConfig,
        clocks: LiveClocks,
        on_data: Callable[[SensorData], None],
        on_reset: Callable[[], None],
        camera_id: str = '',
        fuses: bool = False,
    ) -> None:
        self._on_data, self._on_reset, self._fuses = on_data, on_reset, fuses
        color_kind = Image if config.color_transport == 'raw' else CompressedImage
        self._clocks = clocks
        color_topic, *topics = input_topics(node, config, camera_id)

        def restamp(topic: str) -> Callable[[int], int]:
            now = node.get_clock().now
            return lambda stamp_ns: clocks.stamp(topic, stamp_ns, now().nanoseconds)

        self._color = _Source(node, color_kind, color_topic, restamp=restamp(color_topic))
        self._color_info = _Source(node, CameraInfo, input_topic(node, config, 'info', camera_id))
        self._color_info.registerCallback(self._on_info)
        self._leads: dict[str, _Lead] = {}
        clouds = range_inputs(config)
        for at, (topic, is_cloud) in enumerate(zip(topics, clouds, strict=True)):
            kind: type = PointCloud2
            info: _Source | None = None
            if not is_cloud:
                is_raw = at > 0 or config.depth_transport == 'raw'
                kind = Image if is_raw else CompressedImage
                info_topic = f'{topic.rpartition("/")[0]}/camera_info'
                if at == 0:
                    info_topic = input_topic(node, config, 'depth_info', camera_id)
                info = _Source(node, CameraInfo, info_topic, needed=False)
                info.registerCallback(self._on_info)
            source = _Source(node, kind, topic, restamp=restamp(topic))
            lead = self._leads[topic] = _Lead(source, info)
            lead.sync = Synchronizer(
                [self._color, source],
                config.queue_size,
                config.slop_s,
                partial(self._on_pair, lead),
                node.get_logger(),
                self._start_anew,
            )
            source.registerCallback(lead.recent.append)
        if not topics:
            self._watch = StampWatch()
            self._color.registerCallback(self._on_color)
        say = node.get_logger().warning
        self.choice = SourceChoice(topics, say)
        self._new_roll = partial(Roll, topics, say)
        self._roll = self._new_roll()
        self.range_from = ''
        """Topics that the newest frame's range is from."""
        self._pairs = 0
        self._alone: Any = None

    @property
    def sources(self) -> list[_Source]:
        """All inputs, those that can be done without too."""
        known = [self._color, self._color_info]
        for lead in self._leads.values():
            known += [lead.source, lead.info] if lead.info is not None else [lead.source]
        return known

    @property
    def color_topic(self) -> str:
        """The resolved topic of the colour image."""
        return self._color.topic

    def follow_publishers(self) -> None:
        """Follow what publishers offer and how they stamp now, and look at what waits.

        Call it regularly.
        """
        for source in self.sources:
            source.follow_publishers()
        if self._clocks.settle():
            self.clear()
        for lead in self._leads.values():
            if lead.sync is not None:
                lead.sync.settle()

    def complaint(self) -> str:
        """Return why nothing, or not all, was handed on since the last call; else nothing."""
        pairs, self._pairs = self._pairs, 0
        leads = [lead.source for lead in self._leads.values()]
        counts = {source.topic: source.take_count() for source in self.sources if source.needed}
        needed = [self._color, self._color_info]
        if not any(counts[source.topic] for source in leads):
            # Of streams that nobody publishes the first stands for all.
            needed += [source for source in leads if source.publishers()] or leads[:1]
        silent = [
            f'{source.topic} ({"silent" if source.publishers() else "nobody publishes it"})'
            for source in needed
            if not counts[source.topic]
            and not (source is self._color_info and source.latest is not None)
        ]
        problems = [source.problem for source in leads if source.problem]
        if problems:
            return '; '.join(problems)
        if silent:
            return f'no messages on {", ".join(silent)}'
        late = sum(lead.sync.take_late() for lead in self._leads.values() if lead.sync is not None)
        if late:
            return f'{late} messages came too late: after later ones of their topic were used'
        lost = [
            lead.source.topic
            for lead in self._leads.values()
            if lead.has_come and not counts[lead.source.topic]
        ]
        for lead in self._leads.values():
            lead.has_come |= counts[lead.source.topic] > 0
        if pairs:
            return f'{", ".join(lost)} silent: range comes from what is left' if lost else ''
        others = ', '.join(f'{source.topic} ({counts[source.topic]})' for source in leads)
        return (
            f'{self._color.topic} ({counts[self._color.topic]} messages) and {others} have no '
            'stamps within inputs.slop_s of each other'
        )

    def clear(self) -> None:
        """Forget what waits for its partner, as after a jump of the clock."""
        self._forget()
        for lead in self._leads.values():
            if lead.sync is not None:
                lead.sync.clear()

    def close(self) -> None:
        """Unsubscribe from everything."""
        for source in self.sources:
            source.close()

    def _start_anew(self) -> None:
        """Forget the time before the stamps went back; the stream that noticed has done so."""
        self._forget()
        self._on_reset()

    def _forget(self) -> None:
        self.choice.forget()
        self._roll = self._new_roll()
        self._alone = None
        for lead in self._leads.values():
            lead.held = None
            lead.recent.clear()

    def _on_color(self, color: Any) -> None:
        """Hand on colour alone, as soon as it is described."""
        if self._watch.goes_back(nanoseconds(color.header.stamp)):
            self._on_reset()
        self._alone = color
        if self._is_described(self._color_info, color):
            self._alone = None
            self._pairs += 1
            self.range_from = f'{self.color_topic}, inferred'
            self._on_data(SensorData(color, self._color_info.latest, ()))

    def _on_pair(self, lead: _Lead, color: Any, range_: Any) -> None:
        """Hand a pair on; hold it while its CameraInfo is still on its way."""
        lead.held = None
        if self._is_described(self._color_info, color) and self._is_described(lead.info, range_):
            self._hand_on(lead, color, range_)
        else:
            lead.held = (color, range_)

    def _on_info(self, info: Any) -> None:
        """Hand on what waited for this; whether it fits is judged where it is used."""
        if self._color_info.latest is None:
            return
        if self._alone is not None:
            self._on_color(self._alone)
        for lead in self._leads.values():
            if lead.held is not None:
                color, range_ = lead.held
                self._on_pair(lead, color, range_)
                if lead.held is not None and info.header.stamp == color.header.stamp:
                    lead.held = None
                    self._hand_on(lead, color, range_)

    def _hand_on(self, lead: _Lead, color: Any, range_: Any) -> None:
        stamp_ns = nanoseconds(color.header.stamp)
        use = self.choice.use_of(lead.source.topic, stamp_ns) if len(self._leads) > 1 else 'use'
        if use == 'skip' or (self._fuses and use == 'look'):
            return
        ranges = [self._described(lead, range_)]
        if self._fuses and len(self._leads) > 1:
            ranges += [
                self._described(other, near)
                for other in self._leads.values()
                if other is not lead and (near := _nearest(other.recent, stamp_ns)) is not None
            ]
            self._roll.call([each.topic for each in ranges], stamp_ns)
        self._pairs += 1
        if use == 'use':
            self.range_from = ', '.join(each.topic for each in ranges)
        self._on_data(
            SensorData(color, self._color_info.latest, tuple(ranges), is_look=use == 'look')
        )

    @staticmethod
    def _described(lead: _Lead, message: Any) -> RangeData:
        info = lead.info.latest if lead.info is not None else None
        return RangeData(lead.source.topic, message, info)

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


def range_inputs(config: InputConfig) -> list[bool]:
    """Return of each stream of range, the preferred one first, whether it is one of clouds."""
    first = {'auto': [False, True], 'depth': [False], 'points': [True], 'color': []}
    more = [False] * len(_listed(config.more_depth)) + [True] * len(_listed(config.more_points))
    return first[config.source] + more


def input_topics(node: Node, config: InputConfig, camera_id: str = '') -> tuple[str, ...]:
    """Return the resolved topics of the colour image and of each stream of range.

    :param node: whose namespace and remappings count.
    :param config: kinds and transports.
    :param camera_id: goes before their names; empty for the only camera.
    """
    color = _transported(input_topic(node, config, 'rgb', camera_id), config.color_transport)
    ranges = []
    if config.source in ('auto', 'depth'):
        depth = input_topic(node, config, 'depth', camera_id)
        ranges.append(_transported(depth, config.depth_transport))
    if config.source in ('auto', 'points'):
        ranges.append(input_topic(node, config, 'points', camera_id))
    for topic in _listed(config.more_depth) + _listed(config.more_points):
        ranges.append(str(node.resolve_topic_name(topic.replace(CAMERA, camera_id))))
    return color, *ranges


def _listed(topics: str) -> list[str]:
    return [topic.strip() for topic in topics.split(',') if topic.strip()]


def _nearest(messages: Iterable[Any], stamp_ns: int) -> Any | None:
    """Return the message that was stamped nearest to a time, None without one around it."""

    def apart_ns(message: Any) -> int:
        return abs(nanoseconds(message.header.stamp) - stamp_ns)

    best = min(messages, key=apart_ns, default=None)
    return None if best is None or apart_ns(best) > _AROUND_NS else best


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


def _is_cropped(info: Any) -> bool:
    """Return whether the images of a CameraInfo are smaller than it says: cut out or binned."""
    return bool(info.roi.width or info.binning_x > 1 or info.binning_y > 1)


def _transported(base: str, transport: str) -> str:
    """Return the topic of an image by image_transport's rule, from that of the raw one."""
    if transport == 'raw' or base.endswith(f'/{transport}'):
        return base
    return f'{base}/{transport}'
