# SPDX-License-Identifier: Apache-2.0
"""Any recording as one thing to read: rosbag2 folder, bare MCAP or SQLite file, ROS 1 bag."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection

from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.typestore import new_typestore

NS_PER_S = 1_000_000_000
_FILES = ('.mcap', '.db3', '.bag')


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic of a recording: ``type`` is ROS 2's spelling, ``count`` is the messages in it."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as recorded: ``log_ns`` is when it was received, ``data`` its bytes."""

    topic: str
    type: str
    log_ns: int
    data: bytes


class Recording:
    """A recording open for reading; a context manager.

    :param path: a rosbag2 folder, an ``.mcap`` or ``.db3`` file, or a ROS 1 ``.bag``.
    :raises RecordingError: when there is none, or it cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise RecordingError(f'nothing at {path}', wanted='a recording')
        is_folder = (self.path / 'metadata.yaml').is_file()
        if not is_folder and self.path.suffix not in _FILES:
            files = sorted(item.name for item in self.path.glob('*') if item.suffix in _FILES)
            raise RecordingError(
                f'{path} is no recording',
                wanted='a folder with metadata.yaml, an .mcap or .db3 file, or a ROS 1 .bag',
                remedy=f'Name a file in it: {self.path / files[0]}' if files else '',
            )
        try:
            path = self._alias() if is_folder and self.path.suffix in _FILES else self.path
            self._reader = AnyReader([path], default_typestore=new_typestore())
            self._reader.open()
        except Exception as error:  # rosbags raises many kinds on damaged files
            raise self._damaged(error) from error
        self._complete_types()

    def _alias(self) -> Path:
        """Return another name of a folder that is called like a file: rosbags goes by suffix."""
        self._aliases = TemporaryDirectory(prefix='sam3d_')
        alias = Path(self._aliases.name) / 'recording'
        alias.symlink_to(self.path.resolve(), target_is_directory=True)
        return alias

    def _complete_types(self) -> None:
        """Add the definitions that the recording itself lacks."""
        known = self._reader.typestore.fielddefs
        own = new_typestore().fielddefs
        if self._reader.is2:
            missing = {name: own[name] for name in own if name not in known}
            self._reader.typestore.register(missing)

    def _damaged(self, error: Exception) -> RecordingError:
        return RecordingError(
            f'{self.path} cannot be read: {error or type(error).__name__}',
            wanted='a complete recording',
            remedy='A cut off file: "mcap recover" or "rosbag reindex" saves what is whole.',
        )

    @property
    def is_ros1(self) -> bool:
        """Whether this is a ROS 1 bag."""
        return not self._reader.is2

    @property
    def topics(self) -> list[TopicInfo]:
        """Every topic, by name; several publishers of one type count as one topic."""
        counts: dict[tuple[str, str], int] = {}
        for item in self._reader.connections:
            key = (item.topic, item.msgtype)
            counts[key] = counts.get(key, 0) + item.msgcount
        return [TopicInfo(name, kind, counts[name, kind]) for name, kind in sorted(counts)]

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in the order they were received.

        :raises RecordingError: when the file is damaged.
        """
        connections = self.connections(topics)
        if not connections:
            return
        try:
            for connection, log_ns, data in self._reader.messages(connections):
                yield RawMessage(connection.topic, connection.msgtype, log_ns, data)
        except Exception as error:  # rosbags raises many kinds on damaged files
            raise self._damaged(error) from error

    def connections(self, topics: Collection[str]) -> list[Connection]:
        """Return rosbags' connections of some topics."""
        return [item for item in self._reader.connections if item.topic in topics]

    def decode(self, message: RawMessage) -> Any:
        """Return the message object, with the fields of its definition as attributes.

        :raises RecordingError: when the bytes do not fit the definition.
        """
        try:
            return self._reader.deserialize(message.data, message.type)
        except (AnyReaderError, KeyError, AssertionError) as error:
            raise RecordingError(
                f'a {message.type} on {message.topic} that cannot be decoded: {error}',
                wanted='bytes that fit the definition',
            ) from error

    def stamp_of(self, message: RawMessage) -> int:
        """Return the stamp of a message that starts with a header, the rest undecoded, ns.

        :raises RecordingError: when the message is too short to have one.
        """
        # Before the stamp come four bytes: CDR's encapsulation, or the sequence number of ROS 1.
        if len(message.data) < 12:
            raise RecordingError(
                f'{len(message.data)} bytes on {message.topic}', wanted=f'a whole {message.type}'
            )
        is_big_endian = not self.is_ros1 and message.data[1] == 0
        layout = '>iI' if is_big_endian else '<iI'
        seconds, nanoseconds = struct.unpack_from(layout, message.data, 4)
        return int(seconds * NS_PER_S + nanoseconds)

    def first(self, topic: str) -> Any | None:
        """Return the first message object of a topic, None when there is none."""
        for message in self.messages([topic]):
            return self.decode(message)
        return None

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
