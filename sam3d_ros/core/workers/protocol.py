# SPDX-License-Identifier: Apache-2.0
"""Messages between a client and its worker: a header, JSON fields, arrays in shared memory.

Imported by both sides, maybe in two interpreters: standard library and numpy only, nothing of
ours.
Arrays lie in one anonymous memory file whose descriptor travels over the Unix socket, so nothing
is pickled, copied through the socket, named, or left behind when a process dies. To another
machine a message goes as bytes, its arrays behind its fields.
"""

from __future__ import annotations

import array
import json
import mmap
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

MAGIC = b'S3DW'
VERSION = 1
HEADER = struct.Struct('<4sHHIQ')
MAX_FIELDS = 1 << 20
ALIGNMENT = 64


class Kind(IntEnum):
    """What a message is about; the client sends the first five."""

    LOAD = 1
    UNLOAD = 2
    WORK = 3
    CANCEL = 4
    QUIT = 5
    READY = 16
    PROGRESS = 17
    RESULT = 18
    FAILURE = 19


class ProtocolError(Exception):
    """The other side does not speak this protocol, or not this version of it."""


class StoppedError(Exception):
    """The client asked to stop what is being done."""


@dataclass(frozen=True)
class Message:
    """One message: its kind, JSON fields, and named arrays."""

    kind: Kind
    fields: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def send(connection: socket.socket, message: Message) -> None:
    """Send a message; its arrays are copied once, into shared memory.

    :param connection: to the other side.
    """
    layout, size = _layout(message.arrays)
    text = json.dumps({'fields': message.fields, 'arrays': layout}).encode()
    header = HEADER.pack(MAGIC, VERSION, message.kind, len(text), size)
    if size == 0:
        connection.sendall(header + text)
        return
    memory = os.memfd_create('sam3d')
    try:
        os.ftruncate(memory, size)
        with mmap.mmap(memory, size) as view:
            for entry, values in zip(layout, message.arrays.values(), strict=True):
                flat = np.frombuffer(view, values.dtype, values.size, entry['offset'])
                flat[:] = values.ravel()
                del flat
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [memory]))]
        sent = connection.sendmsg([header], rights)
        connection.sendall(header[sent:] + text)
    finally:
        os.close(memory)


def receive(connection: socket.socket) -> Message:
    """Return the next message; its arrays are views of memory that this process alone holds.

    :raises ProtocolError: when what arrives is not a message of this version.
    :raises EOFError: when the other side is gone.
    """
    header, memory = _receive_header(connection)
    try:
        magic, version, kind, length, size = HEADER.unpack(header)
        _require_ours(magic, version, length)
        content = json.loads(_receive_exactly(connection, length))
        if size == 0:
            return Message(Kind(kind), content['fields'], _views(content['arrays'], b''))
        if memory is None:
            raise ProtocolError(f'{size} bytes of arrays announced, but no memory came along')
        view = mmap.mmap(memory, size)
    finally:
        if memory is not None:
            os.close(memory)
    return Message(Kind(kind), content['fields'], _views(content['arrays'], view))


def serve(connection: socket.socket, answer: Callable[[Message], Message]) -> None:
    """Answer requests in order until told to quit, or until the client is gone.

    :param connection: to the client.
    :param answer: returns what comes of a request; what it raises is told as a failure.
    """
    try:
        send(connection, Message(Kind.READY, {'pid': os.getpid()}))
        while (message := receive(connection)).kind != Kind.QUIT:
            if message.kind == Kind.CANCEL:
                continue  # what it was meant for has ended already
            try:
                result = answer(message)
            except StoppedError:
                result = Message(Kind.FAILURE, {'cancelled': True, 'reason': 'cancelled'})
            except Exception as error:
                reason = f'{type(error).__name__}: {error}'
                result = Message(Kind.FAILURE, {'cancelled': False, 'reason': reason})
            send(connection, result)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody is left to be told


def pack(message: Message) -> bytes:
    """Return a message as bytes that :func:`unpack` reads, on whatever machine."""
    layout, size = _layout(message.arrays)
    text = json.dumps({'fields': message.fields, 'arrays': layout}).encode()
    data = bytearray(HEADER.size + len(text) + size)
    data[: HEADER.size] = HEADER.pack(MAGIC, VERSION, message.kind, len(text), size)
    start = HEADER.size + len(text)
    data[HEADER.size : start] = text
    for entry, values in zip(layout, message.arrays.values(), strict=True):
        at = start + entry['offset']
        data[at : at + values.nbytes] = values.tobytes()
    return bytes(data)


def unpack(data: bytes) -> Message:
    """Return the message in bytes; its arrays are views of them.

    :param data: as :func:`pack` returned it.
    :raises ProtocolError: when it is not a message of this version.
    """
    if len(data) < HEADER.size:
        raise ProtocolError(f'got {len(data)} bytes; wanted at least {HEADER.size}')
    magic, version, kind, length, size = HEADER.unpack_from(data)
    _require_ours(magic, version, length)
    start = HEADER.size + length
    if len(data) != start + size:
        raise ProtocolError(f'got {len(data)} bytes; wanted {start + size}')
    try:
        content = json.loads(data[HEADER.size : start])
        return Message(Kind(kind), content['fields'], _views(content['arrays'], data[start:]))
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f'got fields that cannot be read: {error}') from error


def _require_ours(magic: bytes, version: int, length: int) -> None:
    if magic != MAGIC or version != VERSION or length > MAX_FIELDS:
        raise ProtocolError(
            f'got {magic!r} version {version}, {length} bytes of fields; '
            f'wanted {MAGIC!r} version {VERSION}'
        )


def _views(layout: list[dict[str, Any]], memory: bytes | mmap.mmap) -> dict[str, np.ndarray]:
    """Return the arrays that lie in memory, by name."""
    arrays = {}
    for entry in layout:
        dtype, count = np.dtype(entry['dtype']), int(np.prod(entry['shape']))
        values = np.empty(0, dtype)
        if count:
            values = np.frombuffer(memory, dtype, count, entry['offset'])
        arrays[entry['name']] = values.reshape(entry['shape'])
    return arrays


def _layout(arrays: dict[str, np.ndarray]) -> tuple[list[dict[str, Any]], int]:
    layout, offset = [], 0
    for name, values in arrays.items():
        dtype, shape = values.dtype.str, list(values.shape)
        layout.append({'name': name, 'dtype': dtype, 'shape': shape, 'offset': offset})
        offset += -(-values.nbytes // ALIGNMENT) * ALIGNMENT
    return layout, offset


def _receive_header(connection: socket.socket) -> tuple[bytes, int | None]:
    space = socket.CMSG_SPACE(array.array('i').itemsize)
    first, rights, _, _ = connection.recvmsg(HEADER.size, space)
    if not first:
        raise EOFError('the other side closed the connection')
    memory = None
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            memory = array.array('i', data[:4])[0]
    return first + _receive_exactly(connection, HEADER.size - len(first)), memory


def _receive_exactly(connection: socket.socket, count: int) -> bytes:
    chunks = []
    while count > 0:
        chunk = connection.recv(count)
        if not chunk:
            raise EOFError('the other side closed the connection within a message')
        chunks.append(chunk)
        count -= len(chunk)
    return b''.join(chunks)
