# SPDX-License-Identifier: Apache-2.0
"""Health of a node on /diagnostics, once a second: rates, drops, latencies, what is missing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from time import perf_counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

_PERIOD_S = 1.0
_WINDOW = 200


class Level(IntEnum):
    """Severity, as in DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Status:
    """The health of one thing: a sentence and numbers.

    :param name: what it is about, without the node's name, e.g. ``inputs``.
    """

    name: str
    level: Level = Level.OK
    message: str = 'ok'
    values: dict[str, str] = field(default_factory=dict)


class Latency:
    """Durations of the last calls; safe from any thread."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_WINDOW)
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Take one duration."""
        with self._lock:
            self._seconds.append(seconds)

    def values(self, name: str) -> dict[str, str]:
        """Return count, median and 95th percentile in milliseconds; empty when there are none."""
        with self._lock:
            known = np.array(self._seconds)
        if not known.size:
            return {}
        p50, p95 = np.percentile(known, [50, 95]) * 1e3
        return {f'{name} p50 ms': f'{p50:.1f}', f'{name} p95 ms': f'{p95:.1f}'}


class Health:
    """What a stage knows about itself: rate, latency, drops, what failed, what is missing.

    Safe from any thread: the worker tells, the executor asks.
    """

    def __init__(self) -> None:
        self.latency = Latency()
        self._parts: dict[str, Latency] = {}
        self._lock = threading.Lock()
        self._frames = self._reported = 0
        self._since = perf_counter()
        self._failure = self._missing = ''

    def done(self, seconds: float) -> None:
        """Count a frame that was worked on in so many seconds; what failed before is over."""
        self.latency.add(seconds)
        with self._lock:
            self._frames += 1
            self._failure = ''

    def took(self, parts_s: Mapping[str, float]) -> None:
        """Take how long each part of the work on a frame took, seconds."""
        for name, seconds in parts_s.items():
            self._parts.setdefault(name, Latency()).add(seconds)

    def failed(self, text: str) -> None:
        """Take the reason why a frame could not be worked on."""
        with self._lock:
            self._failure = text

    def missing(self, text: str) -> None:
        """Take what keeps inputs from coming; an empty text when they come."""
        with self._lock:
            self._missing = text

    def status(self, name: str, dropped: int = 0) -> Status:
        """Return the status now, with the rate since the last call.

        :param name: of the status.
        :param dropped: inputs that were replaced by newer ones, in all.
        """
        now = perf_counter()
        with self._lock:
            rate_hz = (self._frames - self._reported) / max(now - self._since, 1e-3)
            self._since, self._reported = now, self._frames
            level = Level.ERROR if self._failure else Level.WARN if self._missing else Level.OK
            message = self._failure or self._missing or f'{rate_hz:.1f} Hz'
            values = {
                'frames': str(self._frames),
                'rate Hz': f'{rate_hz:.1f}',
                'inputs replaced by newer': str(dropped),
            }
        values |= self.latency.values('stage')
        for part, latency in tuple(self._parts.items()):
            values |= latency.values(part)
        return Status(name, level, message, values)


class Diagnostics:
    """Publishes the statuses of a node once a second, by the steady clock.

    :param tasks: each returns a Status; what one raises becomes an ERROR of its own.
    :param hardware_id: of what the node works with.
    """

    def __init__(
        self, node: Node, tasks: Sequence[Callable[[], Status]], hardware_id: str = ''
    ) -> None:
        self._node = node
        self._tasks = tuple(tasks)
        self._hardware_id = hardware_id
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(
            _PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def publish(self) -> None:
        """Publish now."""
        message = DiagnosticArray(status=[self._status(task) for task in self._tasks])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def close(self) -> None:
        """Stop publishing."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _status(self, task: Callable[[], Status]) -> DiagnosticStatus:
        try:
            status = task()
        except Exception as error:
            status = Status('diagnostics', Level.ERROR, f'{type(error).__name__}: {error}')
        values = [KeyValue(key=key, value=value) for key, value in status.values.items()]
        return DiagnosticStatus(
            level=bytes([status.level]),
            name=f'{self._node.get_fully_qualified_name()}: {status.name}',
            message=status.message,
            hardware_id=self._hardware_id,
            values=values,
        )
