# SPDX-License-Identifier: Apache-2.0
"""Any recording as one thing to read: rosbag2 folder, MCAP or SQLite file, ROS 1 bag."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from rosbags.rosbag2.storage_mcap import zstd  # type: ignore[attr-defined]

from sam3d_ros.bags.channels import CDR, ROS1, Channel, Container
from sam3d_ros.bags.containers import open_containers
from sam3d_ros.bags.definitions import Definitions, todays_type
from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.cdr import encode

NS_PER_S = 1_000_000_000
_ZSTD = b'\x28\xb5\x2f\xfd'
_STAMP_BYTES = 12
_LITTLE_ENDIAN, _BIG_ENDIAN = struct.Struct('<iI'), struct.Struct('>iI')


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic of a recording: ``type`` is ROS 2's spelling, ``count`` is the messages in it."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as recorded.

    :param type: ROS 2's spelling.
    :param log_ns: when it was received.
    :param data: its bytes.
    :param channel: whose message it is.
    """

    topic: str
    type: str
    log_ns: int
    data: bytes
    channel: Channel


class Recording:
    """A recording open for reading; a context manager.

    ``notes`` are sentences about what was not as it should be: topics that cannot be decoded,
    an index that is incomplete, metadata that disagrees with the files.

    :param path: a rosbag2 folder, a folder of its parts, an ``.mcap`` or ``.db3`` file, or a
        ROS 1 ``.bag``.
    :raises RecordingError: when there is none, or it cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._unpacked = TemporaryDirectory(prefix='sam3d_')
        self._definitions = Definitions()
        self._containers: list[Container] = []
        try:
            self._containers, self._notes = open_containers(self.path, self._unpacked)
        except BaseException:
            self._unpacked.cleanup()
            raise
        self._channels = [item for each in self._containers for item in each.channels.values()]
        topics = sorted({item.topic for item in self._channels})
        left_out = [f'{topic} ({reason})' for topic in topics if (reason := self.problem(topic))]
        if left_out:
            self._notes.append(f'left out: {", ".join(left_out)}')

    @property
    def notes(self) -> list[str]:
        """What was not as it should be, a sentence each; reading may add to it."""
        return [*self._notes, *(note for each in self._containers for note in each.notes)]

    @property
    def topics(self) -> list[TopicInfo]:
        """Every topic, by name; several publishers of one type count as one topic."""
        counts: dict[tuple[str, str], int] = {}
        for item in self._channels:
            key = (item.topic, todays_type(item.type))
            counts[key] = counts.get(key, 0) + item.count
        return [TopicInfo(name, kind, counts[name, kind]) for name, kind in sorted(counts)]

    def problem(self, topic: str) -> str:
        """Return why a topic cannot be decoded; nothing when some of its messages can."""
        problems = [self._definitions.problem(i) for i in self._channels if i.topic == topic]
        return problems[0] if problems and all(problems) else ''

    def offered(self, topic: str) -> list[Any]:
        """Return rosbags' quality-of-service profiles of a topic's publishers."""
        return [qos for item in self._channels if item.topic == topic for qos in item.offered]

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in the order they were received.

        :raises RecordingError: when a file is damaged.
        """
        sources = [self._messages_of(each, topics) for each in self._containers]
        try:
            yield from (
                sources[0] if len(sources) == 1 else merge(*sources, key=attrgetter('log_ns'))
            )
        except RecordingError as error:
            raise RecordingError(
                f'{self.path} cannot be read: {error.seen}', wanted='a complete recording'
            ) from error

    def decode(self, message: RawMessage) -> Any:
        """Return the message object, with the fields of ROS 2's definition as attributes.

        :raises RecordingError: when the bytes do not fit the definition.
        """
        return self._definitions.decode(message.channel, message.data)

    def cdr(self, message: RawMessage) -> bytes:
        """Return a message's bytes as ROS 2 has them; those of ROS 1 and Livox are converted.

        :raises RecordingError: when converted bytes do not fit the definition.
        """
        if message.channel.encoding != ROS1 and message.channel.type == message.type:
            return bytes(message.data)
        return encode(self.decode(message), message.type)

    def stamp_of(self, message: RawMessage) -> int:
        """Return the stamp of a message that starts with a header, the rest undecoded, ns.

        :raises RecordingError: when the message is too short to have one.
        """
        # Before the stamp come four bytes: CDR's encapsulation, or the sequence number of ROS 1.
        if len(message.data) < _STAMP_BYTES:
            raise RecordingError(
                f'{len(message.data)} bytes on {message.topic}', wanted=f'a whole {message.type}'
            )
        is_big_endian = message.data[1] == 0 and message.channel.encoding == CDR
        layout = _BIG_ENDIAN if is_big_endian else _LITTLE_ENDIAN
        seconds, nanoseconds = layout.unpack_from(message.data, 4)
        return int(seconds * NS_PER_S + nanoseconds)

    def first(self, topic: str) -> Any | None:
        """Return the first message of a topic that can be decoded, None when there is none."""
        for message in self.messages([topic]):
            try:
                return self.decode(message)
            except RecordingError:
                continue
        return None

    def close(self) -> None:
        """Close the files."""
        for each in self._containers:
            each.close()
        self._unpacked.cleanup()

    def _messages_of(self, source: Container, topics: Collection[str]) -> Iterator[RawMessage]:
        wanted = {number: item for number, item in source.channels.items() if item.topic in topics}
        types = {number: todays_type(item.type) for number, item in wanted.items()}
        if not wanted:
            return
        for number, log_ns, data in source.messages(wanted.keys()):
            channel = wanted[number]
            if data.startswith(_ZSTD) and channel.encoding == CDR:
                data = zstd.decompress(data)
            yield RawMessage(channel.topic, types[number], log_ns, data, channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
