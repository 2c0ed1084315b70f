# SPDX-License-Identifier: Apache-2.0
"""Where messages come from: rclpy's classes or those of rosbags, behind one method.

Conversions write ``types.new('geometry_msgs/msg/Point', x=1.0)`` and give arrays for sequences,
also (N, k) arrays for sequences of structures; fields that they leave out are zero or empty.
"""

from __future__ import annotations

import array
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.base import normalize_fieldname
from rosbags.typesys.store import Typestore

from sam3d_ros.messages.typestore import typestore


class MessageTypes(Protocol):
    """Makes messages by the name of their type."""

    def new(self, typename: str, **fields: Any) -> Any:
        """Return a message of ``typename``, e.g. ``std_msgs/msg/Header``."""
        ...


class StoreTypes:
    """The dataclasses of a rosbags typestore; arrays stay arrays, as the CDR encoder wants them.

    :param store: the definitions; the project's own when None.
    """

    def __init__(self, store: Typestore | None = None) -> None:
        self._store = store or typestore()

    def new(self, typename: str, **fields: Any) -> Any:
        """Return a message; see :class:`MessageTypes`."""
        defaults = _defaults(self._store, typename)
        missing = {name: make() for name, make in defaults.items() if name not in fields}
        return self._store.types[typename](**fields, **missing)


@lru_cache(maxsize=256)
def _defaults(store: Typestore, typename: str) -> dict[str, Callable[[], Any]]:
    return {
        normalize_fieldname(name): _default(store, kind, detail)
        for name, (kind, detail) in store.fielddefs[typename][1]
    }


def _default(store: Typestore, kind: Any, detail: Any) -> Callable[[], Any]:
    if kind == Nodetype.NAME:
        return lambda: StoreTypes(store).new(detail)
    if kind == Nodetype.BASE:
        return {'string': str, 'bool': bool, 'float32': float, 'float64': float}.get(
            detail[0], int
        )
    (element_kind, element), count = detail
    if element_kind == Nodetype.BASE and element[0] != 'string':
        dtype = {'byte': 'uint8', 'char': 'uint8', 'octet': 'uint8'}.get(element[0], element[0])
        return lambda: np.zeros(count if kind == Nodetype.ARRAY else 0, dtype)
    make = _default(store, element_kind, element)
    return lambda: [make() for _ in range(count if kind == Nodetype.ARRAY else 0)]


class ClassTypes:
    """Generated rosidl classes, whose setters take lists of messages and ``array.array``.

    Large messages are better made with :class:`StoreTypes` and published as encoded bytes.

    :param find: returns the class of a type name; imports it from its package by default.
    """

    def __init__(self, find: Callable[[str], Any] | None = None) -> None:
        self._find = find or import_message

    def new(self, typename: str, **fields: Any) -> Any:
        """Return a message; see :class:`MessageTypes`."""
        message = self._find(typename)()
        kinds = message.get_fields_and_field_types()
        for name, value in fields.items():
            setattr(message, name, self._fit(value, kinds[name]))
        return message

    def _fit(self, value: Any, kind: str) -> Any:
        """Return ``value`` as the setter of a field of ``kind`` takes it."""
        if kind == 'octet':
            return bytes([value])
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray):
            return value
        element = kind.removeprefix('sequence<').partition('>')[0].partition(',')[0]
        if '/' in element:
            return [self._structure(row, element.replace('/', '/msg/')) for row in value]
        if kind.startswith('sequence'):
            code = _ARRAY_CODES[element]
            return array.array(code, np.ascontiguousarray(value, np.dtype(code)).tobytes())
        return np.ascontiguousarray(value, kind.partition('[')[0]).reshape(-1)

    def _structure(self, row: np.ndarray[Any, Any], typename: str) -> Any:
        kinds = self._find(typename).get_fields_and_field_types()
        if len(kinds) == 1:
            return self.new(typename, **{next(iter(kinds)): row})
        return self.new(typename, **dict(zip(kinds, row, strict=True)))


_ARRAY_CODES = {
    'uint8': 'B',
    'int8': 'b',
    'uint16': 'H',
    'int16': 'h',
    'uint32': 'I',
    'int32': 'i',
    'uint64': 'Q',
    'int64': 'q',
    'float': 'f',
    'double': 'd',
}


def import_message(typename: str) -> Any:
    """Return the generated class of e.g. ``std_msgs/msg/Header``."""
    package, _, name = typename.split('/')
    return getattr(import_module(f'{package}.msg'), name)
