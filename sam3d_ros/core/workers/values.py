# SPDX-License-Identifier: Apache-2.0
"""Dataclasses as messages between processes of ours."""

from __future__ import annotations

from typing import Any, TypeVar

from sam3d_ros.core.state import Array, from_tree, to_tree, with_arrays, without_arrays
from sam3d_ros.core.workers.protocol import Kind, Message

T = TypeVar('T')


def message_of(kind: Kind, value: Any) -> Message:
    """Return a message that carries one value.

    :param kind: of the message.
    :param value: what :func:`core.state.to_tree` takes, e.g. a dataclass with arrays.
    """
    arrays: dict[str, Array] = {}

    def put(array: Array) -> str:
        name = str(len(arrays))
        arrays[name] = array
        return name

    return Message(kind, {'value': without_arrays(to_tree(value), put)}, arrays)


def value_of(kind: type[T], message: Message) -> T:
    """Return the value that a message carries.

    :param kind: its type.
    :param message: as :func:`message_of` made it.
    :raises InputError: when it carries another type.
    """
    return from_tree(kind, with_arrays(message.fields['value'], message.arrays.__getitem__))
