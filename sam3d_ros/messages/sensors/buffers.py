# SPDX-License-Identifier: Apache-2.0
"""Byte sequences of messages: read any kind without a copy, make the kind a class wants."""

from __future__ import annotations

import array
from typing import Any

import numpy as np

from sam3d_ros.core.types import ByteArray


def as_bytes(data: Any) -> ByteArray:
    """Return a message's byte sequence as a (N,) uint8 view; only lists are copied."""
    if isinstance(data, np.ndarray):
        return data.reshape(-1).view(np.uint8)
    if isinstance(data, bytes | bytearray | memoryview | array.array):
        return np.frombuffer(data, np.uint8)
    return np.asarray(data, np.uint8)


def message_with(message_class: type, data: ByteArray, **fields: Any) -> Any:
    """Return ``message_class(data=data, **fields)``, made without touching single bytes.

    The setters of rclpy's classes copy an ``array.array`` element by element (40 ms for a cloud
    of 640x480 points); ``frombytes`` on the array that they start with does not.
    """
    if not hasattr(message_class, 'get_fields_and_field_types'):
        return message_class(data=data.reshape(-1), **fields)
    message: Any = message_class(**fields)
    message.data.frombytes(np.ascontiguousarray(data))
    return message
