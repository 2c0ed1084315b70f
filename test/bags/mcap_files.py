# SPDX-License-Identifier: Apache-2.0
"""Small MCAP files, record by record, with whatever is to be missing left out."""

import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b'\x89MCAP0\r\n'


@dataclass(frozen=True)
class Topic:
    """A channel with its schema and its messages, (receive time in ns, bytes) each."""

    name: str
    schema: str
    schema_encoding: str
    definition: str
    encoding: str
    messages: list


def text(value: str) -> bytes:
    return struct.pack('<I', len(value.encode())) + value.encode()


def record(opcode: int, content: bytes) -> bytes:
    return struct.pack('<BQ', opcode, len(content)) + content


def described(topics) -> bytes:
    """Return schemas and channels."""
    out = b''
    for number, topic in enumerate(topics, 1):
        schema = struct.pack('<H', number) + text(topic.schema) + text(topic.schema_encoding)
        out += record(0x03, schema + text(topic.definition))
        channel = struct.pack('<HH', number, number) + text(topic.name) + text(topic.encoding)
        out += record(0x04, channel + struct.pack('<I', 0))
    return out


def write_mcap(
    path: Path,
    topics,
    profile='ros2',
    chunked=True,
    summary=('channels', 'chunks', 'statistics'),
    message_indexes=True,
    footer=True,
) -> Path:
    """Write topics, two messages a chunk.

    :param summary: what the summary section holds; empty = there is none.
    :param footer: False = the file ends after its last whole record.
    """
    out = bytearray(MAGIC + record(0x01, text(profile) + text('test')))
    everything = sorted(
        (log_ns, number, data)
        for number, topic in enumerate(topics, 1)
        for log_ns, data in topic.messages
    )
    packed = [
        (log, n, record(0x05, struct.pack('<HIQQ', n, 0, log, log) + data))
        for log, n, data in everything
    ]
    if not chunked or not summary:
        out += described(topics)
    indexes = b''
    for at in range(0, len(packed), 2):
        few = packed[at : at + 2]
        if not chunked:
            out += b''.join(data for *_, data in few)
            continue
        body = (described(topics) if summary else b'') + b''.join(data for *_, data in few)
        head = struct.pack('<QQQI', few[0][0], few[-1][0], len(body), 0) + text('')
        chunk = record(0x06, head + struct.pack('<Q', len(body)) + body)
        offsets = b''
        index = b''
        for number in sorted({n for _, n, _ in few}) if message_indexes else ():
            position = len(out) + len(chunk) + len(index)
            offsets += struct.pack('<HQ', number, position)
            entries = b''.join(struct.pack('<QQ', log, 0) for log, n, _ in few if n == number)
            index += record(0x07, struct.pack('<HI', number, len(entries)) + entries)
        indexes += record(
            0x08,
            struct.pack('<QQQQ', few[0][0], few[-1][0], len(out), len(chunk))
            + struct.pack('<I', len(offsets))
            + offsets
            + struct.pack('<Q', len(index))
            + text('')
            + struct.pack('<QQ', len(body), len(body)),
        )
        out += chunk + index
    if not footer:
        path.write_bytes(bytes(out))
        return path
    out += record(0x0F, bytes(4))
    start = len(out) if summary else 0
    if 'channels' in summary:
        out += described(topics)
    if 'chunks' in summary:
        out += indexes
    if 'statistics' in summary:
        counts = b''.join(struct.pack('<HQ', n, len(t.messages)) for n, t in enumerate(topics, 1))
        chunks = (len(packed) + 1) // 2 if chunked else 0
        numbers = (len(packed), len(topics), len(topics), 0, 0, chunks)
        times = (packed[0][0], packed[-1][0])
        content = struct.pack('<QHIIIIQQ', *numbers, *times)
        out += record(0x0B, content + struct.pack('<I', len(counts)) + counts)
    out += record(0x02, struct.pack('<QQI', start, 0, 0)) + MAGIC
    path.write_bytes(bytes(out))
    return path
