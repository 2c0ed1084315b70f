# SPDX-License-Identifier: Apache-2.0
"""The first pass over a recording: stamps, calibrations and all of TF, but no images."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.bags.clocks import OPTION, Clock, Settled, Stamps, Times, settle
from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.bags.selection import Selection
from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.topics import TF, TF_STATIC
from sam3d_ros.messages.transforms import (
    StampedTransform,
    choose_namespaces,
    namespace_of,
    transforms_from,
)

SLOP_S = 0.05
"""Most time between colour and range of one frame, seconds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How stamps and TF of a recording are to be taken.

    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    :param stamps: ``auto``, ``header`` or ``receive``; see :mod:`sam3d_ros.bags.clocks`.
    :param offsets_s: by topic, what is added to header stamps, seconds.
    :param tf_namespace: where TF is; None = choose.
    """

    slop_s: float = SLOP_S
    stamps: str = 'auto'
    offsets_s: Mapping[str, float] = field(default_factory=dict)
    tf_namespace: str | None = None

    @property
    def slop_ns(self) -> int:
        """The slop in nanoseconds."""
        return round(self.slop_s * 1e9)


@dataclass(frozen=True, slots=True, eq=False)
class LoggedTransform:
    """A transform of the recording and when it was received."""

    log_ns: int
    is_static: bool
    transform: StampedTransform


@dataclass(slots=True, eq=False)
class Scan:
    """What the first pass found.

    :param stamps_ns: (N,) int64 stamps of each selected stream, in recorded order, all of one
        clock.
    :param times: what the stamps were made from.
    :param clocks: how.
    :param infos: CameraInfo messages of each topic with their stamps, unchanged ones left out.
    :param tree: all transforms of the recording.
    :param transforms: the same one by one, in recorded order.
    :param refused: what could not be used, a sentence for each kind.
    :param notes: what was assumed, a sentence each.
    """

    stamps_ns: dict[str, Stamps]
    times: dict[str, Times]
    clocks: Settled
    infos: dict[str, list[tuple[int, Any]]]
    tree: TransformTree
    transforms: list[LoggedTransform]
    refused: list[str]
    notes: list[str]

    def info_at(self, topic: str, stamp_ns: int) -> Any:
        """Return the CameraInfo in force at a time: the last one before, else the first.

        :param topic: of the CameraInfo.
        :param stamp_ns: the time, nanoseconds.
        """
        known = self.infos[topic]
        before = bisect_right(known, stamp_ns, key=lambda item: item[0])
        return known[max(before - 1, 0)][1]


def scan(recording: Recording, selection: Selection, timing: Timing | None = None) -> Scan:
    """Read a whole recording once for everything but the pixels.

    :param recording: what is read.
    :param selection: the topics that make frames.
    :param timing: how stamps and TF are to be taken.
    :raises TransformError: when TF is in several places and none can be chosen.
    """
    timing = timing or Timing()
    first_pass = _FirstPass(recording, selection)
    for message in recording.messages(first_pass.topics):
        first_pass.take(message)
    return first_pass.settled(timing)


@dataclass(slots=True)
class _Refusals:
    """What could not be used: the first of each kind, and how many."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    first: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, message: RawMessage, about: str, reason: str) -> None:
        key = (message.topic, about)
        self.counts[key] = self.counts.get(key, 0) + 1
        self.first.setdefault(key, f'{message.topic} at {message.log_ns} ns: {reason}')

    def sentences(self) -> list[str]:
        return [
            text if self.counts[key] == 1 else f'{text} ({self.counts[key]} times)'
            for key, text in self.first.items()
        ]


class _FirstPass:
    """Collects what the messages say, in recorded order."""

    def __init__(self, recording: Recording, selection: Selection) -> None:
        self._recording = recording
        self._selection = selection
        streams = (selection.rgb.topic, *(stream.topic for stream, _ in selection.ranges))
        infos = [
            topic for topic in (selection.rgb_info, *(i for _, i in selection.ranges)) if topic
        ]
        tf = [
            item.name
            for item in recording.topics
            if item.type == TF.type and namespace_of(item.name) is not None
        ]
        self.topics: Collection[str] = {*streams, *infos, *tf}
        self._headers = {topic: array('q') for topic in streams}
        self._received = {topic: array('q') for topic in streams}
        self._infos: dict[str, list[tuple[int, int, Any]]] = {topic: [] for topic in infos}
        self._last_info: dict[str, bytes] = {}
        self._transforms: dict[str, list[LoggedTransform]] = {}
        self._refusals = _Refusals()

    def take(self, message: RawMessage) -> None:
        """Take one message; what cannot be used is remembered as a sentence."""
        topic = message.topic
        if topic in self._headers:
            try:
                header_ns = self._recording.stamp_of(message)
            except Sam3dError as error:
                self._refusals.add(message, 'short', str(error))
                header_ns = 0
            self._headers[topic].append(header_ns)
            self._received[topic].append(message.log_ns)
            return
        try:
            if topic not in self._infos:
                good, refused = transforms_from(self._recording.decode(message))
                is_static = topic.endswith(TF_STATIC.name)
                kept = self._transforms.setdefault(namespace_of(topic) or '', [])
                kept += [LoggedTransform(message.log_ns, is_static, item) for item in good]
                for child, reason in refused.items():
                    self._refusals.add(message, child, reason)
            # The calibration starts after the stamp.
            elif message.data[12:] != self._last_info.get(topic):
                self._last_info[topic] = message.data[12:]
                stamp_ns, info = self._recording.stamp_of(message), self._recording.decode(message)
                self._infos[topic].append((stamp_ns, message.log_ns, info))
        except Sam3dError as error:
            self._refusals.add(message, 'bytes', str(error))

    def settled(self, timing: Timing) -> Scan:
        """Return everything, with stamps of one clock."""
        color = self._selection.rgb
        others = [stream for stream, _ in self._selection.ranges]
        times = {
            topic: Times(
                topic, np.array(stamps, np.int64), np.array(self._received[topic], np.int64)
            )
            for topic, stamps in self._headers.items()
        }
        edges = {
            namespace: {(item.transform.parent, item.transform.child) for item in items}
            for namespace, items in self._transforms.items()
        }
        chosen, note = choose_namespaces(edges, color.frame_id, timing.tf_namespace)
        notes = [note] if note else []
        transforms = [item for namespace in chosen for item in self._transforms[namespace]]
        transforms.sort(key=lambda item: item.log_ns)
        tf, unstamped = _times_of(transforms)
        # Colour alone is settled with itself; the first sensor of range decides about TF.
        each = [
            settle(
                times[color.topic],
                times[other.topic],
                tf,
                timing.slop_ns,
                timing.stamps,
                timing.offsets_s,
            )
            for other in others or [color]
        ]
        clocks = each[0]
        changed = [note for own in each if own.color == clocks.color for note in own.notes]
        if timing.stamps == 'auto' and unstamped:
            listed = ', '.join(sorted(unstamped)[:3])
            notes.append(
                f'stamps of TF of {listed} never change: receive times are used; {OPTION}'
            )
        transforms = list(_restamped(transforms, clocks, unstamped))
        tree = TransformTree(cache_ns=None)
        for item in transforms:
            edge = item.transform
            stamp_ns = None if item.is_static else edge.stamp_ns
            tree.add(edge.parent, edge.child, edge.T_parent_child, stamp_ns)
        stamps = {color.topic: clocks.color.stamps(times[color.topic])}
        clock_of = {self._selection.rgb_info: clocks.color}
        for (other, info), own in zip(self._selection.ranges, each, strict=False):
            stamps[other.topic] = own.range.stamps(times[other.topic])
            clock_of.setdefault(info or '', own.range)
        infos = {}
        for topic, came in self._infos.items():
            clock = clock_of[topic]
            found = [(clock.stamp(stamp, log), info) for stamp, log, info in came]
            infos[topic] = sorted(found, key=itemgetter(0))
        return Scan(
            stamps,
            times,
            clocks,
            infos,
            tree,
            transforms,
            self._refusals.sentences(),
            [*dict.fromkeys(changed), *notes],
        )


def _times_of(transforms: Collection[LoggedTransform]) -> tuple[Times | None, set[str]]:
    """Return the times of TF that moves, and the frames whose stamps say nothing."""
    edges: dict[str, array[int]] = {}
    for item in transforms:
        if not item.is_static:
            pair = (item.transform.stamp_ns, item.log_ns)
            edges.setdefault(item.transform.child, array('q')).extend(pair)
    pairs = {
        child: np.frombuffer(found, np.int64).reshape(-1, 2) for child, found in edges.items()
    }
    unstamped = {child for child, found in pairs.items() if _as_times(found).fault()}
    stamped = [found for child, found in pairs.items() if child not in unstamped]
    return (_as_times(np.concatenate(stamped)) if stamped else None), unstamped


def _as_times(pairs: npt.NDArray[np.int64]) -> Times:
    return Times(TF.name, pairs[:, 0], pairs[:, 1])


def _restamped(
    transforms: Collection[LoggedTransform], clocks: Settled, unstamped: Collection[str]
) -> Iterator[LoggedTransform]:
    """Yield transforms with stamps of the one clock; static ones as they are."""
    same = Clock()
    for item in transforms:
        edge = item.transform
        clock = clocks.unstamped if edge.child in unstamped else clocks.tf
        if item.is_static or clock == same:
            yield item
        else:
            stamp_ns = clock.stamp(edge.stamp_ns, item.log_ns)
            yield LoggedTransform(item.log_ns, False, replace(edge, stamp_ns=stamp_ns))
