# SPDX-License-Identifier: Apache-2.0
"""Transforms in, lookups out: BufferCore over :class:`sam3d_ros.geometry.TransformTree`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry import transform_tree
from sam3d_ros.geometry.transforms import from_quaternion, quaternion
from sam3d_ros.ros.compat.tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

_QUATERNION_TOLERANCE = 1e-2
_EXCEPTIONS: dict[type[TransformError], type[TransformException]] = {
    transform_tree.UnknownFrameError: LookupException,
    transform_tree.NotConnectedError: ConnectivityException,
    transform_tree.ExtrapolationError: ExtrapolationException,
}


class BufferCore:
    """Keeps transforms and answers lookups; thread-safe."""

    def __init__(self, cache_time: Duration | None = None) -> None:
        cache_ns = (
            transform_tree.DEFAULT_CACHE_NS if cache_time is None else cache_time.nanoseconds
        )
        self.tree = transform_tree.TransformTree(cache_ns)

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at its stamp."""
        self._add(transform, _nanoseconds(transform.header.stamp))

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Take a transform that holds at every time."""
        self._add(transform, None)

    def lookup_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Return the transform that maps ``source_frame`` coordinates to ``target_frame``.

        :raises TransformException: one of its kinds.
        """
        stamp = _nanoseconds(time) or None
        try:
            T = self.tree.lookup(target_frame, source_frame, stamp)
            if stamp is None:
                stamp = self.tree.latest_common(target_frame, source_frame) or 0
        except TransformError as error:
            raise _translated(error) from error
        return _message(T, target_frame, source_frame, stamp)

    def lookup_transform_full_core(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """Return the transform between two times, through a frame that did not move."""
        target_ns, source_ns = _nanoseconds(target_time), _nanoseconds(source_time)
        try:
            T = self.tree.lookup_between(
                target_frame, target_ns or None, source_frame, source_ns or None, fixed_frame
            )
        except TransformError as error:
            raise _translated(error) from error
        return _message(T, target_frame, source_frame, target_ns)

    def can_transform_core(
        self, target_frame: str, source_frame: str, time: Any
    ) -> tuple[bool, str]:
        """Return whether a lookup would succeed, and if not, why."""
        return _outcome(lambda: self.lookup_transform_core(target_frame, source_frame, time))

    def can_transform_full_core(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> tuple[bool, str]:
        """Return whether a lookup between two times would succeed, and if not, why."""
        return _outcome(
            lambda: self.lookup_transform_full_core(
                target_frame, target_time, source_frame, source_time, fixed_frame
            )
        )

    def all_frames_as_yaml(self) -> str:
        """Return parent, rate and time span of every frame as YAML."""
        lines = []
        for edge in self.tree.edges():
            first, last = (edge.first_ns or 0) * 1e-9, (edge.last_ns or 0) * 1e-9
            rate = 10000.0 if edge.is_static else (edge.samples - 1) / max(last - first, 1e-4)
            lines += [
                f'{edge.child}:',
                f"  parent: '{edge.parent}'",
                "  broadcaster: 'default_authority'",
                f'  rate: {rate:.3f}',
                f'  most_recent_transform: {last:.6f}',
                f'  oldest_transform: {first:.6f}',
                f'  buffer_length: {last - first:.3f}',
            ]
        return '\n'.join(lines) + '\n' if lines else '{}\n'

    def all_frames_as_string(self) -> str:
        """Return a sentence for every frame."""
        return ''.join(
            f'Frame {edge.child} exists with parent {edge.parent}.\n' for edge in self.tree.edges()
        )

    def clear(self) -> None:
        """Forget all transforms that are not static."""
        self.tree.clear()

    def _add(self, transform: TransformStamped, stamp_ns: int | None) -> None:
        try:
            T = _matrix(transform)
            self.tree.add(transform.header.frame_id, transform.child_frame_id, T, stamp_ns)
        except TransformError as error:
            get_logger('tf2_buffer').error(f'ignored: {error}')


def _nanoseconds(time: Any) -> int:
    if hasattr(time, 'nanoseconds'):
        return int(time.nanoseconds)
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def _matrix(transform: TransformStamped) -> FloatArray:
    q, t = transform.transform.rotation, transform.transform.translation
    xyzw = np.array([q.x, q.y, q.z, q.w])
    if not abs(float(np.linalg.norm(xyzw)) - 1.0) < _QUATERNION_TOLERANCE:
        raise TransformError(
            f'a transform of "{transform.child_frame_id}" in "{transform.header.frame_id}" with '
            f'the quaternion {q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}',
            wanted='a unit quaternion',
        )
    return from_quaternion(xyzw, np.array([t.x, t.y, t.z]))


def _message(T: FloatArray, target: str, source: str, stamp_ns: int) -> TransformStamped:
    message = TransformStamped(child_frame_id=source)
    message.header.frame_id = target
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = (float(value) for value in T[:3, 3])
    q.x, q.y, q.z, q.w = (float(value) for value in quaternion(T))
    return message


def _translated(error: TransformError) -> TransformException:
    return _EXCEPTIONS.get(type(error), InvalidArgumentException)(str(error))


def _outcome(lookup: Callable[[], object]) -> tuple[bool, str]:
    try:
        lookup()
    except TransformException as error:
        return False, str(error)
    return True, ''
