# SPDX-License-Identifier: Apache-2.0
"""Encode messages as XCDR1 (little endian), the bytes that DDS and recordings carry.

A message is any object with the fields as attributes: a class of rclpy, one of rosbags' typestore,
or a dataclass. Where a field is a sequence of structures made of one primitive type (Point[],
ColorRGBA[], MeshTriangle[]), an (N, k) array may stand in its place: it is copied, not iterated.
The encoding is that of OMG DDS-XTypes 1.3, section 7.4.3, plain CDR version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.base import normalize_fieldname
from rosbags.typesys.store import Typestore

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.typestore import typestore

_CODES = {
    'bool': '?',
    'char': 'B',
    'octet': 'B',
    'uint8': 'B',
    'int8': 'b',
    'uint16': 'H',
    'int16': 'h',
    'uint32': 'I',
    'int32': 'i',
    'uint64': 'Q',
    'int64': 'q',
    'float32': 'f',
    'float64': 'd',
}
_FILLER = 'structure_needs_at_least_one_member'
_HEADER = b'\x00\x01\x00\x00'
_ZEROS = bytes(8)


def encode(message: Any, typename: str, store: Typestore | None = None) -> bytes:
    """Return the CDR bytes of a message, encapsulation header included.

    :param message: any object that has the fields as attributes, nested ones likewise.
    :param typename: e.g. ``sensor_msgs/msg/Image``.
    :param store: the definitions to go by; the project's own when None.
    :raises InputError: when a field is missing or does not fit its type.
    """
    store = store or typestore()
    if typename not in store.fielddefs:
        raise InputError(f'message type {typename}', wanted='one whose definition is known')
    out = _Output()
    try:
        for operation in _compiled(store, typename):
            operation.write(message, out)
    except (AttributeError, TypeError, ValueError, struct.error) as error:
        raise InputError(
            f'a {typename} that cannot be encoded: {error}', wanted='its fields in their types'
        ) from error
    return out.joined()


class _Output:
    """Chunks of bytes and the position in them, counted after the encapsulation header."""

    def __init__(self) -> None:
        self.chunks: list[bytes | memoryview] = [_HEADER]
        self.position = 0

    def append(self, chunk: bytes | memoryview, alignment: int = 1) -> None:
        padding = -self.position % alignment
        if padding:
            self.chunks.append(_ZEROS[:padding])
        self.chunks.append(chunk)
        self.position += padding + len(chunk)

    def joined(self) -> bytes:
        return b''.join(self.chunks)


class _Operation(Protocol):
    def write(self, message: Any, out: _Output) -> None: ...


class _Run:
    """Consecutive fixed-size values, packed in one call; one layout for each start mod 8."""

    def __init__(self, paths: Sequence[str], codes: str) -> None:
        getter = attrgetter(*paths)
        self._values: Callable[[Any], tuple[Any, ...]] = (
            getter if len(paths) > 1 else lambda message: (getter(message),)
        )
        self._layouts = tuple(struct.Struct(_padded(codes, start)) for start in range(8))

    def write(self, message: Any, out: _Output) -> None:
        layout = self._layouts[out.position % 8]
        out.append(layout.pack(*self._values(message)))


def _padded(codes: str, start: int) -> str:
    position, layout = start, '<'
    for code in codes:
        size = struct.calcsize(f'<{code}')
        padding = -position % size
        layout += 'x' * padding + code
        position += padding + size
    return layout


@dataclass(frozen=True, slots=True)
class _Byte:
    """A ``byte``: rclpy has it as bytes of length one, rosbags as an int of either sign."""

    get: Callable[[Any], Any]

    def write(self, message: Any, out: _Output) -> None:
        value = self.get(message)
        out.append(value if isinstance(value, bytes) else struct.pack('B', value & 255))


class _Filler:
    """The byte in a message without fields, which rclpy's classes do not show."""

    def write(self, message: Any, out: _Output) -> None:
        out.append(b'\0')


@dataclass(frozen=True, slots=True)
class _String:
    get: Callable[[Any], str]

    def write(self, message: Any, out: _Output) -> None:
        _write_string(self.get(message), out)


def _write_string(text: str, out: _Output) -> None:
    data = text.encode()
    out.append(struct.pack('<I', len(data) + 1) + data + b'\0', 4)


@dataclass(frozen=True, slots=True)
class _Many:
    """A sequence or (``count`` > 0) a fixed array; subclasses write the elements."""

    get: Callable[[Any], Any]
    count: int
    limit: int

    def begin(self, length: int, out: _Output) -> None:
        if self.count and length != self.count:
            raise ValueError(f'{length} elements in an array of {self.count}')
        if self.limit and length > self.limit:
            raise ValueError(f'{length} elements in a sequence of at most {self.limit}')
        if not self.count:
            out.append(struct.pack('<I', length), 4)


@dataclass(frozen=True, slots=True)
class _Numbers(_Many):
    """Primitive elements: an array of any shape, bytes, or a list."""

    dtype: np.dtype[Any]

    def write(self, message: Any, out: _Output) -> None:
        values = _cast(self.get(message), self.dtype)
        self.begin(values.size, out)
        if values.size:
            out.append(values.tobytes(), self.dtype.itemsize)


@dataclass(frozen=True, slots=True)
class _Strings(_Many):
    def write(self, message: Any, out: _Output) -> None:
        texts = self.get(message)
        self.begin(len(texts), out)
        for text in texts:
            _write_string(text, out)


@dataclass(frozen=True, slots=True)
class _Structures(_Many):
    """Nested messages; an (N, ``width``) array where they are made of one primitive type."""

    operations: tuple[_Operation, ...]
    width: int
    dtype: np.dtype[Any] | None

    def write(self, message: Any, out: _Output) -> None:
        items = self.get(message)
        self.begin(len(items), out)
        if isinstance(items, np.ndarray):
            if self.dtype is None or items.ndim != 2 or items.shape[1] != self.width:
                raise ValueError(
                    f'an array {items.shape} in place of structures ({self.width} wide)'
                )
            if len(items):
                out.append(_cast(items, self.dtype).tobytes(), self.dtype.itemsize)
            return
        for item in items:
            for operation in self.operations:
                operation.write(item, out)


def _cast(values: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if isinstance(values, bytes | bytearray | memoryview):
        array = np.frombuffer(values, np.uint8)
    else:
        array = np.asarray(values)
    if array.dtype == dtype or not array.size:
        return array
    both_integers = array.dtype.kind in 'iu' and dtype.kind in 'iu'
    if not both_integers and not np.can_cast(array.dtype, dtype, 'same_kind'):
        raise TypeError(f'{array.dtype} values in a field of {dtype}')
    if both_integers:
        bounds = np.iinfo(dtype)
        if int(array.min()) < bounds.min or int(array.max()) > bounds.max:
            raise ValueError(f'values outside the range of {dtype}')
    return array.astype(dtype)


@lru_cache(maxsize=256)
def _compiled(store: Typestore, typename: str) -> tuple[_Operation, ...]:
    """Return the operations that write a message, neighbouring fixed-size values merged."""
    operations: list[_Operation] = []
    paths: list[str] = []
    codes = ''

    def flush() -> None:
        nonlocal codes
        if paths:
            operations.append(_Run(tuple(paths), codes))
            paths.clear()
            codes = ''

    for path, kind, detail in _leaves(store, typename, ''):
        if path.endswith(_FILLER):
            flush()
            operations.append(_Filler())
            continue
        if kind == Nodetype.BASE and detail[0] in _CODES:
            paths.append(path)
            codes += _CODES[detail[0]]
            continue
        flush()
        operations.append(_operation(store, path, kind, detail))
    flush()
    return tuple(operations)


def _leaves(store: Typestore, typename: str, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, node type and detail of each field, nested messages opened up."""
    for name, (kind, detail) in store.fielddefs[typename][1]:
        path = f'{prefix}{normalize_fieldname(name)}'
        if kind == Nodetype.NAME:
            yield from _leaves(store, str(detail), f'{path}.')
        else:
            yield path, kind, detail


def _operation(store: Typestore, path: str, kind: Any, detail: Any) -> _Operation:
    get = attrgetter(path)
    if kind == Nodetype.BASE:
        return _Byte(get) if detail[0] == 'byte' else _String(get)
    (element_kind, element), bound = detail
    count, limit = (bound, 0) if kind == Nodetype.ARRAY else (0, bound)
    if element_kind == Nodetype.NAME:
        width, dtype = _uniform(store, element)
        return _Structures(get, count, limit, _compiled(store, element), width, dtype)
    if element[0] == 'string':
        return _Strings(get, count, limit)
    return _Numbers(get, count, limit, np.dtype(f'<{_CODES.get(element[0], "B")}'))


def _uniform(store: Typestore, typename: str) -> tuple[int, np.dtype[Any] | None]:
    """Return how many values of which one primitive type make a structure, or (0, None)."""
    width, kinds = 0, set()
    for _, kind, detail in _leaves(store, typename, ''):
        if kind == Nodetype.BASE:
            primitive, count = detail[0], 1
        elif kind == Nodetype.ARRAY and detail[0][0] == Nodetype.BASE:
            primitive, count = detail[0][1][0], detail[1]
        else:
            return 0, None
        width += count
        kinds.add(_CODES.get(primitive))
    if len(kinds) != 1 or None in kinds:
        return 0, None
    return width, np.dtype(f'<{kinds.pop()}')
