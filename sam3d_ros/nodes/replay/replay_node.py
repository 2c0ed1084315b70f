# SPDX-License-Identifier: Apache-2.0
"""The node that plays a recording: recorded bytes as they are, on their topics, in their time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock

from sam3d_ros.bags.recording import Recording, TopicInfo
from sam3d_ros.bags.selection import CLOUD, COMPRESSED, IMAGE, read_streams
from sam3d_ros.core.errors import RecordingError, Sam3dError
from sam3d_ros.core.notes import Notes
from sam3d_ros.messages.sensors.images import is_color
from sam3d_ros.messages.topics import DETECTIONS, OBJECTS, TF_STATIC
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.config import ReplayConfig
from sam3d_ros.nodes.links import stamp_of
from sam3d_ros.nodes.managed_node import ManagedNode
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.replay.pacing import Pace, Timeline, wait_for_subscribers
from sam3d_ros.nodes.replay.recorded_qos import recorded_profile
from sam3d_ros.nodes.replay.replay_headers import Headers

ACKNOWLEDGE_S = 2.0
"""How long the end waits for reliable subscribers to have taken everything."""
CLOCK_STEP_NS = 10_000_000
"""Most recorded time between two messages on /clock."""


class ReplayNode(ManagedNode):
    """Configure opens the recording, activate plays it, deactivate stops it.

    ``finished`` is set at the end; ``exit_code`` is then 0, or 1 when it could not be played.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__('replay', {'replay': ReplayConfig}, **arguments)
        self._config: ReplayConfig = self.config('replay')
        self._stop = threading.Event()
        self._recording: Recording | None = None
        self._outputs: dict[str, Publisher] = {}
        self._types: dict[str, str] = {}
        self.finished = threading.Event()
        self.exit_code = 0

    def connect(self) -> None:
        """Play, in a thread of its own."""
        self._stop.clear()
        player = threading.Thread(target=self._play, name='player', daemon=True)
        player.start()

        def halt() -> None:
            self._stop.set()
            player.join(ACKNOWLEDGE_S + 1.0)

        self.on_close(halt)

    def release(self) -> None:
        """Close the recording."""
        while self._outputs:
            self.destroy_publisher(self._outputs.popitem()[1])
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def build(self) -> None:
        """Open the recording and offer its topics."""
        self._headers = Headers(self._config)
        recording = Recording(Path(self._config.recording))
        self._recording = recording
        self._notes = Notes(self.get_logger().warning)
        for sentence in recording.notes:
            self._notes.add(sentence)
        for topic in recording.topics:
            self._offer(recording, topic)
        self._clock_output: Publisher | None = None
        if self._config.clock:
            self._clock_output = self.create_publisher(Clock, '/clock', 10)
        self._timeline = Timeline(self._config.rate, self._stop)
        self._paced, self._pace = '', Pace(self._config.pace_timeout_s, self._stop)
        if self._config.pace:
            self._paced = first_color_topic(recording)
            self.create_subscription(
                import_message(DETECTIONS.type), self._pace_topic(), self._on_result, 10, raw=True
            )

    def _pace_topic(self) -> str:
        """Return the topic of results that images wait for."""
        topic = self._config.pace
        if not topic.endswith(OBJECTS.name):
            return topic
        instead = f'{topic.removesuffix(OBJECTS.name)}{DETECTIONS.name}'
        self.get_logger().warning(
            f'replay.pace = {topic}, which does not come with every frame any more: {instead} '
            'is taken instead'
        )
        return instead

    def _offer(self, recording: Recording, topic: TopicInfo) -> None:
        """Make the publisher of a topic; what cannot be published is left out by name."""
        reason = recording.problem(topic.name)
        try:
            kind = import_message(topic.type)
        except (ImportError, AttributeError, ValueError):
            reason = reason or f'no {topic.type} here'
        if reason or topic.name in self._outputs:
            reason = reason or f'{topic.type} is not its only type'
            self.get_logger().warning(f'{topic.name} is left out: {reason}')
            return
        profile = recorded_profile(
            topic.name, topic.type, recording.offered(topic.name), self._config.reliability
        )
        self._outputs[topic.name] = self.create_publisher(kind, topic.name, profile)
        self._types[topic.name] = topic.type

    def _on_result(self, data: bytes) -> None:
        self._pace.result(stamp_of(data))

    def _play(self) -> None:
        """Play all rounds; what goes wrong ends the node with exit code 1."""
        try:
            self._wait_for_listeners()
            rounds = 0
            while not self._stop.is_set() and (
                rounds < self._config.loop or not self._config.loop
            ):
                self._play_once()
                rounds += 1
            # Wait for the last result and for reliable subscribers; say how it went.
            if self._paced:
                self._pace.wait_for_all()
            clock = [self._clock_output] if self._clock_output is not None else []
            for output in [*self._outputs.values(), *clock]:
                if not self._stop.is_set():
                    output.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
            late = f', {self._pace.missed} results did not come' if self._pace.missed else ''
            self.get_logger().info(f'played {self._config.recording} {rounds} times{late}')
        except Sam3dError as error:
            self.get_logger().error(f'{self._config.recording}: {error}')
            self.exit_code = 1
        finally:
            self.finished.set()

    def _wait_for_listeners(self) -> None:
        recording = self._opened()
        sensors = [t.name for t in recording.topics if t.type in (IMAGE, COMPRESSED, CLOUD)]
        sensors = [name for name in sensors if name in self._outputs]
        watched = [self._outputs[name] for name in sensors or sorted(self._outputs)]

        def counts() -> tuple[int, ...]:
            return tuple(output.get_subscription_count() for output in watched)

        if not wait_for_subscribers(counts, self._config.wait_s, self._stop):
            self.get_logger().warning('nobody listens to the images; playing anyway')

    def _play_once(self) -> None:
        recording = self._opened()
        clock_ns: int | None = None
        start_ns = 0
        for message in recording.messages(self._outputs.keys()):
            if clock_ns is None:
                clock_ns = message.log_ns
                start_ns = message.log_ns + round(self._config.start_s * 1e9)
                self._timeline.begin(max(start_ns, message.log_ns))
            is_before = message.log_ns < start_ns
            if is_before and not message.topic.endswith(TF_STATIC.name):
                continue
            if not is_before and not self._advance_clock(max(clock_ns, start_ns), message.log_ns):
                return
            clock_ns = max(message.log_ns, start_ns)
            if message.topic == self._paced:
                self._pace.wait(recording.stamp_of(message))
            if message.type == self._types[message.topic]:
                try:
                    self._outputs[message.topic].publish(self._headers.cdr(recording, message))
                except Sam3dError as error:
                    self._notes.add(f'a message is left out: {error}', message.topic)

    def _advance_clock(self, from_ns: int, to_ns: int) -> bool:
        """Let time pass in small steps; return False when stopped."""
        step_ns = CLOCK_STEP_NS if self._clock_output is not None else max(to_ns - from_ns, 1)
        for now_ns in [*range(from_ns + step_ns, to_ns, step_ns), to_ns]:
            if not self._timeline.wait_until(now_ns):
                return False
            if self._clock_output is not None:
                seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
                clock = Clock()
                clock.clock.sec, clock.clock.nanosec = seconds, nanoseconds
                self._clock_output.publish(clock)
        return True

    def _opened(self) -> Recording:
        assert self._recording is not None
        return self._recording


def first_color_topic(recording: Recording) -> str:
    """Return the first topic by name that carries colour images.

    :raises RecordingError: when there is none.
    """
    for stream in read_streams(recording):
        if stream.type != CLOUD and is_color(stream.encoding) and not stream.problem:
            return stream.topic
    raise RecordingError(f'no colour images in {recording.path}', wanted='images to pace by')


def main(arguments: Sequence[str] | None = None) -> int:
    """Play until the end or Ctrl-C."""
    return run(lambda: [ReplayNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
