# SPDX-License-Identifier: Apache-2.0
"""MCAP files of any profile, read by their index, or by a walk where parts of it are missing.

Format: https://mcap.dev/spec. What is needed of the index is where the chunks are, which topics
there are and how many messages each has; indexes of single messages are not used.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from heapq import merge
from operator import itemgetter
from pathlib import Path

from rosbags.rosbag2.errors import ReaderError
from rosbags.rosbag2.storage_mcap import decompress
from rosbags.typesys.msg import normalize_msgtype

from sam3d_ros.bags.channels import CDR, Channel, offered_in
from sam3d_ros.core.errors import RecordingError

MAGIC = b'\x89MCAP0\r\n'
_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x02, 0x03, 0x04, 0x05, 0x06
_CHUNK_INDEX, _STATISTICS, _DATA_END = 0x08, 0x0B, 0x0F
_OPCODES = range(0x01, 0x10)
_FOOTER_BYTES = 9 + 20 + len(MAGIC)
_RECORD = struct.Struct('<BQ')
_MESSAGE_HEADER = struct.Struct('<HIQQ')
_CHUNK_HEADER = struct.Struct('<QQQI')

Message = tuple[int, int, bytes]
"""Channel, receive time in ns, bytes."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk: where its record's content begins, and which channels it holds (None = unknown)."""

    start_ns: int
    offset: int
    length: int
    channels: frozenset[int] | None = None


class McapFile:
    """An MCAP file, open for reading; see :class:`sam3d_ros.bags.channels.Container`.

    :raises RecordingError: when the file is no MCAP or is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.notes: list[str] = []
        self._schemas: dict[int, tuple[str, str, str]] = {}
        self._chunks: list[_Chunk] = []
        self._loose: list[tuple[int, int, int, int]] = []
        self._size = path.stat().st_size
        self._file = path.open('rb')
        try:
            if not self._read_summary():
                self._walk()
        except (struct.error, UnicodeDecodeError, ReaderError) as error:
            self.close()
            raise RecordingError(str(error)) from error
        except RecordingError:
            self.close()
            raise

    def messages(self, numbers: Collection[int]) -> Iterator[Message]:
        """Yield messages of some channels in the order they were received.

        A chunk that is damaged costs itself, and is named in ``notes``.
        """
        wanted = frozenset(numbers)
        if not self._loose:
            return self._chunked(wanted)
        return merge(self._chunked(wanted), self._unchunked(wanted), key=itemgetter(1))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_summary(self) -> bool:
        """Read the summary; return whether it holds all channels, chunks and counts."""
        self._file.seek(max(self._size - _FOOTER_BYTES, 0))
        end = self._file.read(_FOOTER_BYTES)
        if len(end) < _FOOTER_BYTES or end[0] != _FOOTER or not end.endswith(MAGIC):
            return False
        (summary,) = struct.unpack_from('<Q', end, _RECORD.size)
        if not len(MAGIC) <= summary < self._size - _FOOTER_BYTES:
            return False
        self._file.seek(summary)
        content = self._file.read(self._size - _FOOTER_BYTES - summary)
        totals: tuple[int, int, int] | None = None
        counts: dict[int, int] = {}
        for opcode, record in _records(content):
            if opcode == _CHUNK_INDEX:
                self._chunks.append(_indexed_chunk(record))
            elif opcode == _STATISTICS:
                messages, _, channels, _, _, chunks = struct.unpack_from('<QHIIII', record)
                totals = messages, channels, chunks
                (length,) = struct.unpack_from('<I', record, 42)
                counts = dict(struct.iter_unpack('<HQ', record[46 : 46 + length]))
            else:
                self._describe(opcode, record)
        complete = totals is not None and (
            totals[1:] == (len(self.channels), len(self._chunks))
            and totals[0] == sum(counts.values())
            and bool(self._chunks) == bool(totals[0])
        )
        if not complete:
            self._chunks.clear()
            return False
        self._count(Counter(counts))
        return True

    def _walk(self) -> None:
        """Find channels, chunks and messages by reading the file from its beginning."""
        counts: Counter[int] = Counter()
        self._file.seek(len(MAGIC))
        position = len(MAGIC)
        while position < self._size:
            head = self._file.read(_RECORD.size)
            opcode, length = _RECORD.unpack(head) if len(head) == _RECORD.size else (0, 0)
            position += _RECORD.size
            if opcode not in _OPCODES or position + length > self._size:
                raise RecordingError(
                    f'cut off or damaged at byte {position - _RECORD.size}',
                    remedy='"mcap recover" saves what is whole.',
                )
            if opcode in (_DATA_END, _FOOTER):
                break
            if opcode == _CHUNK:
                start_ns, *_ = _CHUNK_HEADER.unpack(self._file.read(_CHUNK_HEADER.size))
                chunk = _Chunk(start_ns, position, length)
                self._chunks.append(chunk)
                for inner, record in _records(self._content(chunk)):
                    self._describe(inner, record)
                    if inner == _MESSAGE:
                        counts[_MESSAGE_HEADER.unpack_from(record)[0]] += 1
            elif opcode == _MESSAGE:
                number, _, log_ns, _ = _MESSAGE_HEADER.unpack(
                    self._file.read(_MESSAGE_HEADER.size)
                )
                at, size = position + _MESSAGE_HEADER.size, length - _MESSAGE_HEADER.size
                self._loose.append((log_ns, at, size, number))
                counts[number] += 1
            elif opcode in (_SCHEMA, _CHANNEL):
                self._describe(opcode, self._file.read(length))
            position += length
            self._file.seek(position)
        self._loose.sort()
        self._count(counts)
        self.notes.append(f'{self.path.name}: its index is incomplete; read from end to end')

    def _count(self, counts: Counter[int]) -> None:
        for number, channel in self.channels.items():
            self.channels[number] = replace(channel, count=counts[number])

    def _describe(self, opcode: int, record: memoryview | bytes) -> None:
        """Take a schema or a channel; they come repeatedly."""
        if opcode == _SCHEMA:
            (number,) = struct.unpack_from('<H', record)
            name, at = _string(record, 2)
            encoding, at = _string(record, at)
            definition, _ = _string(record, at)
            self._schemas[number] = name, encoding, definition
        elif opcode == _CHANNEL:
            number, schema = struct.unpack_from('<HH', record)
            if number in self.channels:
                return
            topic, at = _string(record, 4)
            encoding, at = _string(record, at)
            metadata = _string_map(record, at)
            name, language, definition = self._schemas.get(schema, ('', '', ''))
            name = normalize_msgtype(name) if name.count('/') == 1 else name
            offered = offered_in(metadata.get('offered_qos_profiles', ''))
            self.channels[number] = Channel(
                topic, name, encoding or CDR, language, definition, offered=offered
            )

    def _content(self, chunk: _Chunk) -> memoryview:
        """Return the records in a chunk.

        :raises RecordingError: when they cannot be unpacked.
        """
        self._file.seek(chunk.offset)
        record = memoryview(self._file.read(chunk.length))
        try:
            _, _, size, crc = _CHUNK_HEADER.unpack_from(record)
            compression, at = _string(record, _CHUNK_HEADER.size)
            (length,) = struct.unpack_from('<Q', record, at)
            data = bytes(record[at + 8 : at + 8 + length])
            return memoryview(decompress(data, compression, size, crc))
        except Exception as error:  # each decompressor raises its own kinds
            raise RecordingError(
                f'{self.path.name}: the chunk at byte {chunk.offset} is damaged: {error}'
            ) from error

    def _chunked(self, wanted: frozenset[int]) -> Iterator[Message]:
        """Yield messages in chunks; a chunk is held until no later one can come before its end."""
        pending: list[Message] = []
        for chunk in sorted(self._chunks, key=lambda item: (item.start_ns, item.offset)):
            if chunk.channels is not None and not chunk.channels & wanted:
                continue
            ready = 0
            while ready < len(pending) and pending[ready][1] < chunk.start_ns:
                ready += 1
            yield from pending[:ready]
            try:
                found = _messages_in(self._content(chunk), wanted)
            except (RecordingError, struct.error) as error:
                if str(error) not in self.notes:
                    self.notes.append(str(error))
                found = []
            pending = sorted(pending[ready:] + found, key=itemgetter(1))
        yield from pending

    def _unchunked(self, wanted: frozenset[int]) -> Iterator[Message]:
        for log_ns, offset, length, number in self._loose:
            if number in wanted:
                self._file.seek(offset)
                yield number, log_ns, self._file.read(length)


def _records(content: memoryview | bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield (opcode, content) of the records in some bytes."""
    view = memoryview(content)
    at = 0
    while at < len(view):
        opcode, length = _RECORD.unpack_from(view, at)
        at += _RECORD.size
        yield opcode, view[at : at + length]
        at += length


def _messages_in(content: memoryview, wanted: frozenset[int]) -> list[Message]:
    """Return the messages of some channels in a chunk, in its order."""
    found = []
    at, end, size = 0, len(content), _RECORD.size
    while at < end:
        opcode, length = _RECORD.unpack_from(content, at)
        at += size
        if opcode == _MESSAGE:
            number, _, log_ns, _ = _MESSAGE_HEADER.unpack_from(content, at)
            if number in wanted:
                data = bytes(content[at + _MESSAGE_HEADER.size : at + length])
                found.append((number, log_ns, data))
        at += length
    return found


def _indexed_chunk(record: memoryview) -> _Chunk:
    """Return a chunk from its index; its record begins with opcode and length."""
    start_ns, _, offset, length = struct.unpack_from('<QQQQ', record)
    (size,) = struct.unpack_from('<I', record, 32)
    channels = frozenset(number for number, _ in struct.iter_unpack('<HQ', record[36 : 36 + size]))
    return _Chunk(start_ns, offset + _RECORD.size, length - _RECORD.size, channels or None)


def _string(record: memoryview | bytes, at: int) -> tuple[str, int]:
    """Return a string and where it ends."""
    (length,) = struct.unpack_from('<I', record, at)
    end = at + 4 + length
    return bytes(record[at + 4 : end]).decode(), end


def _string_map(record: memoryview | bytes, at: int) -> dict[str, str]:
    (length,) = struct.unpack_from('<I', record, at)
    at, end = at + 4, at + 4 + length
    found = {}
    while at < end:
        key, at = _string(record, at)
        found[key], at = _string(record, at)
    return found
