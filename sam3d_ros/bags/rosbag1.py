# SPDX-License-Identifier: Apache-2.0
"""ROS 1 bags, version 2.0: by their index through rosbags, or by a walk where it is missing.

A recorder that was killed leaves a bag without index, its last record cut off; what is whole is
read. Format: http://wiki.ros.org/Bags/Format/2.0.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from rosbags.rosbag1 import Reader, ReaderError
from rosbags.rosbag1.reader import decompressors
from rosbags.typesys.msg import normalize_msgtype

from sam3d_ros.bags.channels import ROS1, Channel
from sam3d_ros.core.errors import RecordingError

MAGIC = b'#ROSBAG V'
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_LENGTH, _TIME = struct.Struct('<I'), struct.Struct('<II')

Record = tuple[dict[bytes, bytes], bytes]
"""Fields of the header, and the content."""


class Rosbag1File:
    """A .bag file, open for reading; see :class:`sam3d_ros.bags.channels.Container`.

    :raises RecordingError: when it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.channels: dict[int, Channel] = {}
        self._reader: Reader | None = Reader(path)
        try:
            self._reader.open()
            self._connections = {item.id: item for item in self._reader.connections}
            for number, item in self._connections.items():
                self.channels[number] = _channel(
                    item.topic, item.msgtype, item.msgdef.data, item.digest, item.msgcount
                )
        except (ReaderError, AssertionError, OSError, ValueError, KeyError, struct.error) as error:
            self._reader = None
            self._count_all()
            if not self.channels:
                raise RecordingError(
                    str(error) or type(error).__name__,
                    remedy='"rosbag reindex" saves what is whole.',
                ) from error
            self.notes.append(f'{path.name}: its index is missing; read from end to end')

    def messages(self, numbers: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel, receive time in ns, bytes) in the order they were received.

        :raises RecordingError: when the file is damaged.
        """
        if self._reader is None:
            yield from self._walked(frozenset(numbers))
            return
        try:
            wanted = [self._connections[number] for number in numbers]
            for connection, log_ns, data in self._reader.messages(wanted):
                yield connection.id, log_ns, data
        except Exception as error:  # rosbags and each decompressor raise their own kinds
            raise RecordingError(f'{self.path}: {error or type(error).__name__}') from error

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _count_all(self) -> None:
        """Find the connections, and how many messages each has, without the index."""
        counts: Counter[int] = Counter()
        for records in self._chunks():
            for fields, content in records:
                opcode = fields[b'op'][0]
                if opcode == _MESSAGE:
                    counts[_number(fields)] += 1
                elif opcode == _CONNECTION:
                    self._connect(fields, _fields(content))
        for number, channel in self.channels.items():
            self.channels[number] = replace(channel, count=counts[number])

    def _connect(self, fields: dict[bytes, bytes], about: dict[bytes, bytes]) -> None:
        """Take a connection by the fields of its record's header and of its content."""
        try:
            self.channels[_number(fields)] = _channel(
                fields[b'topic'].decode(),
                normalize_msgtype(about[b'type'].decode()),
                about[b'message_definition'].decode(),
                about[b'md5sum'].decode(),
                0,
            )
        except (KeyError, ValueError):
            self.notes.append(f'{self.path.name}: a connection is damaged and left out')

    def _walked(self, wanted: frozenset[int]) -> Iterator[tuple[int, int, bytes]]:
        for records in self._chunks():
            found = []
            for fields, content in records:
                time = fields.get(b'time', b'')
                is_whole = fields[b'op'][0] == _MESSAGE and len(time) == _TIME.size
                if is_whole and _number(fields) in wanted:
                    seconds, nanoseconds = _TIME.unpack(time)
                    log_ns = seconds * 1_000_000_000 + nanoseconds
                    found.append((_number(fields), log_ns, content))
            yield from sorted(found, key=itemgetter(1))

    def _chunks(self) -> Iterator[list[Record]]:
        """Yield the records of each chunk, and those outside one by one; ends where it is cut."""
        with self.path.open('rb') as file:
            file.readline()
            while (record := _read(file.read)) is not None:
                fields, content = record
                if fields[b'op'][0] != _CHUNK:
                    yield [record]
                    continue
                try:
                    data = decompressors[fields[b'compression'].decode()](content)
                    yield list(_records(data))
                except Exception:  # each decompressor raises its own kinds
                    self.notes.append(f'{self.path.name}: a chunk is damaged and left out')


def _channel(topic: str, kind: str, definition: str, digest: str, count: int) -> Channel:
    schema = 'ros1msg' if definition.strip() else ''
    return Channel(topic, kind, ROS1, schema, definition, digest, count)


def _read(read: Callable[[int], bytes]) -> Record | None:
    """Return the next record, None where there is no whole one."""
    parts = []
    for _ in range(2):
        head = read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        parts.append(read(length))
        if len(parts[-1]) < length:
            return None
    fields = _fields(parts[0])
    return (fields, parts[1]) if fields.get(b'op') else None


def _records(data: bytes) -> Iterator[Record]:
    at = 0

    def read(length: int) -> bytes:
        nonlocal at
        at += length
        return data[at - length : at]

    while (record := _read(read)) is not None:
        yield record


def _fields(header: bytes) -> dict[bytes, bytes]:
    """Return the fields of a header by name."""
    found = {}
    at = 0
    while at + _LENGTH.size <= len(header):
        (length,) = _LENGTH.unpack_from(header, at)
        at += _LENGTH.size
        name, _, value = header[at : at + length].partition(b'=')
        found[name] = value
        at += length
    return found


def _number(fields: dict[bytes, bytes]) -> int:
    """Return the connection of a record; -1 where it names none."""
    return int.from_bytes(fields[b'conn'], 'little') if b'conn' in fields else -1
