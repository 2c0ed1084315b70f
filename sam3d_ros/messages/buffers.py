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


def new_bytes(message_class: type, size: int) -> tuple[Any, ByteArray]:
    """Return (sequence, view): the byte sequence ``message_class`` takes and a view to fill.

    rclpy's classes take ``array.array('B')`` as it is and check anything else element by
    element; rosbags' classes take numpy arrays.
    """
    if hasattr(message_class, 'get_fields_and_field_types'):
        sequence = array.array('B', bytes(size))
        return sequence, np.frombuffer(sequence, np.uint8)
    filled = np.zeros(size, np.uint8)
    return filled, filled
