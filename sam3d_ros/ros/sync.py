# SPDX-License-Identifier: Apache-2.0
"""Colour, depth (or a cloud) and CameraInfo, by stamp: what a pointmap node listens to.

``InputSynchronizer(node, config, on_pair, on_reset)`` subscribes at once; ``on_pair`` gets each
pair in the executor's thread and should only leave it to a worker. Nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, PointCloud2

from sam3d_ros.core.config import option
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.ros.clock import StampWatch, on_jump_back
from sam3d_ros.ros.inputs import SensorInput
from sam3d_ros.ros.upstream import message_filters

_PERIOD_S = 1.0
_WARN_EVERY_S = 5.0
# One input may lag behind another by less; a recording that is looped is longer.
_JUMP_BACK_S = 0.5


@dataclass(frozen=True, slots=True)
class InputConfig:
    """How inputs are brought together."""

    slop_s: float = option(
        0.02,
        'largest difference between the stamps of colour and depth, seconds; below half the '
        'time between two frames',
        minimum=0.0001,
        maximum=1.0,
        read_only=True,
    )
    points_slop_s: float = option(
        0.06,
        'largest difference between the stamps of colour and a cloud, seconds',
        minimum=0.0001,
        maximum=1.0,
        read_only=True,
    )
    queue: int = option(
        10,
        'messages of each input kept while the others are on their way',
        minimum=1,
        maximum=100,
        read_only=True,
    )
    tf_wait_s: float = option(
        1.0,
        'how long an input may wait for its transforms before it is dropped, seconds',
        minimum=0.0,
        maximum=30.0,
        read_only=True,
    )
    warn_after_s: float = option(
        4.0,
        'without a complete input for so long, what is missing is said, seconds',
        minimum=0.5,
        maximum=60.0,
    )


@dataclass(frozen=True, slots=True)
class InputTopics:
    """Names of the inputs as the node knows them: image_pipeline's, relative, to be remapped."""

    color: str = 'rgb/image_rect_color'
    color_info: str = 'rgb/camera_info'
    depth: str = 'depth_registered/image_rect'
    depth_info: str = 'depth_registered/camera_info'
    points: str = 'points'


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Messages of one observation: colour with either depth or a cloud, not decoded.

    :param depth: Image or CompressedImage, or None when ``cloud`` is there.
    :param depth_info: None when nobody publishes it.
    :param cloud: PointCloud2 or None.
    """

    color: Any
    color_info: Any
    depth: Any | None = None
    depth_info: Any | None = None
    cloud: Any | None = None

    @property
    def stamp_ns(self) -> int:
        """Stamp of the colour image, which is that of every output made from it."""
        return nanoseconds(self.color.header.stamp)


class InputSynchronizer:
    """Subscribes to the inputs and calls back with pairs; says what is missing when none come.

    Depth is preferred: once a depth image was seen, clouds are left alone.

    :param on_pair: called with each pair; what it raises is logged and ends nothing.
    :param on_reset: called when time went back (``/clock`` or stamps), before anything new.
    """

    def __init__(
        self,
        node: Node,
        config: InputConfig,
        on_pair: Callable[[Pair], None],
        on_reset: Callable[[], None] = lambda: None,
        topics: InputTopics | None = None,
    ) -> None:
        names = topics or InputTopics()
        self._node, self._config = node, config
        self._on_pair, self._on_reset = on_pair, on_reset
        self._infos: dict[str, Any] = {}
        self.pairs = 0
        self._last_pair = self._last_warning = perf_counter()
        self._watch = StampWatch(_JUMP_BACK_S)
        self._connect()
        group = MutuallyExclusiveCallbackGroup()

        def listen(name: str, kind: type | None, callback: Callable[[Any], None]) -> SensorInput:
            return SensorInput(node, name, kind, callback, group)

        self.color = listen(names.color, None, self._on_color)
        self.depth = listen(names.depth, None, self._on_depth)
        self.points = listen(names.points, PointCloud2, self._on_points)
        self.color_info = listen(names.color_info, CameraInfo, self._on_color_info)
        self.depth_info = listen(names.depth_info, CameraInfo, self._on_depth_info)
        self._timer = node.create_timer(
            _PERIOD_S,
            self._tick,
            callback_group=group,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._jumps = on_jump_back(node, self.reset)

    @property
    def inputs(self) -> tuple[SensorInput, ...]:
        """All subscriptions, for diagnostics."""
        return (self.color, self.color_info, self.depth, self.depth_info, self.points)

    def reset(self) -> None:
        """Forget what is queued, then call ``on_reset``; calibrations stay."""
        self._connect()
        self._watch.clear()
        self._on_reset()

    def close(self) -> None:
        """End all subscriptions."""
        self._jumps.unregister()
        self._node.destroy_timer(self._timer)
        for item in self.inputs:
            item.close()

    def problems(self) -> list[str]:
        """Return a sentence for everything that keeps pairs from coming; empty when they come."""
        if perf_counter() - self._last_pair < self._config.warn_after_s:
            return []
        found = [item.mismatch for item in self.inputs if item.mismatch]
        if not self.color.rate_hz:
            found.append(_silent('colour', self.color))
        if not self.color_info.received:
            found.append(_silent('the CameraInfo of colour', self.color_info))
        if not self.depth.rate_hz and not self.points.rate_hz:
            found.append(f'{_silent("depth", self.depth)}, {_silent("points", self.points)}')
        waits = self.depth.rate_hz and not self.depth_info.received and self.depth_info.publishers
        if waits:
            found.append(_silent('the CameraInfo of depth', self.depth_info))
        if not found:
            other = self.depth if self.depth.rate_hz else self.points
            found.append(
                f'no pairs: {self.color.topic} at {self.color.rate_hz:.1f} Hz and {other.topic} '
                f'at {other.rate_hz:.1f} Hz have no stamps within inputs.slop_s '
                f'{self._config.slop_s:g}'
            )
        return found

    def _connect(self) -> None:
        """Make empty queues; the synchronisers are upstream's where it is installed."""
        self._filters = {name: message_filters.SimpleFilter() for name in ('c', 'd', 'cp', 'p')}
        filters, queue = self._filters, self._config.queue
        with_depth = message_filters.ApproximateTimeSynchronizer(
            [filters['c'], filters['d']], queue, self._config.slop_s
        )
        with_points = message_filters.ApproximateTimeSynchronizer(
            [filters['cp'], filters['p']], queue, self._config.points_slop_s
        )
        with_depth.registerCallback(lambda color, depth: self._matched(color, depth=depth))
        with_points.registerCallback(lambda color, cloud: self._matched(color, cloud=cloud))

    def _on_color(self, message: Any) -> None:
        self._watch_stamp(message)
        self._filters['c'].signalMessage(message)
        self._filters['cp'].signalMessage(message)

    def _on_depth(self, message: Any) -> None:
        self._watch_stamp(message)
        self._filters['d'].signalMessage(message)

    def _on_points(self, message: Any) -> None:
        if not self.depth.received:
            self._watch_stamp(message)
            self._filters['p'].signalMessage(message)

    def _watch_stamp(self, message: Any) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        if self._watch.goes_back(stamp_ns):
            self._node.get_logger().warning(
                f'stamps of the inputs went back to {stamp_ns * 1e-9:.3f} s: starting anew'
            )
            self.reset()
            self._watch.goes_back(stamp_ns)

    def _on_color_info(self, message: Any) -> None:
        self._infos['color'] = message

    def _on_depth_info(self, message: Any) -> None:
        self._infos['depth'] = message

    def _matched(self, color: Any, depth: Any = None, cloud: Any = None) -> None:
        """Hand a pair on, unless a calibration that somebody publishes is still to come."""
        info, depth_info = self._infos.get('color'), self._infos.get('depth')
        depth_info_is_due = depth is not None and self.depth_info.publishers > 0
        if info is None or (depth_info is None and depth_info_is_due):
            return
        self.pairs += 1
        self._last_pair = perf_counter()
        try:
            self._on_pair(Pair(color, info, depth, depth_info, cloud))
        except Exception as error:
            # Upstream's synchroniser would keep its lock for ever.
            self._node.get_logger().error(f'input not used: {type(error).__name__}: {error}')

    def _tick(self) -> None:
        for item in self.inputs:
            item.tick()
        now = perf_counter()
        if now - self._last_warning < min(_WARN_EVERY_S, self._config.warn_after_s):
            return
        for problem in self.problems():
            self._last_warning = now
            self._node.get_logger().warning(problem)


def _silent(what: str, item: SensorInput) -> str:
    publishers = item.publishers
    who = f'{publishers} publisher(s)' if publishers else 'nobody publishes it'
    return f'waiting for {what}: {item.rate_hz:.1f} Hz on {item.topic} ({who})'
