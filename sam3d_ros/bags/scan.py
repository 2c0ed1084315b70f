# SPDX-License-Identifier: Apache-2.0
"""The first pass over a recording: stamps, calibrations and all of TF, but no images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sam3d_ros.bags.recording import RawMessage, Recording
from sam3d_ros.bags.selection import Selection
from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.topics import TF, TF_STATIC
from sam3d_ros.messages.transforms import StampedTransform, transforms_from


@dataclass(frozen=True, slots=True, eq=False)
class LoggedTransform:
    """A transform of the recording and when it was received."""

    log_ns: int
    is_static: bool
    transform: StampedTransform


@dataclass(slots=True, eq=False)
class Scan:
    """What the first pass found.

    :param stamps_ns: header stamps of each selected stream, in recorded order.
    :param infos: CameraInfo messages of each topic with their stamps, unchanged ones left out.
    :param tree: all transforms of the recording.
    :param transforms: the same one by one, in recorded order.
    :param refused: what could not be used, a sentence for each.
    """

    stamps_ns: dict[str, list[int]] = field(default_factory=dict)
    infos: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    tree: TransformTree = field(default_factory=lambda: TransformTree(cache_ns=None))
    transforms: list[LoggedTransform] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def info_at(self, topic: str, stamp_ns: int) -> Any:
        """Return the CameraInfo in force at a time: the last one before, else the first."""
        known = self.infos[topic]
        before = [info for since_ns, info in known if since_ns <= stamp_ns]
        return before[-1] if before else known[0][1]


def scan(recording: Recording, selection: Selection) -> Scan:
    """Read a whole recording once for everything but the pixels."""
    streams = (selection.rgb.topic, selection.geometry.topic)
    infos = [topic for topic in (selection.rgb_info, selection.depth_info) if topic]
    found = Scan({topic: [] for topic in streams}, {topic: [] for topic in infos})
    last_info: dict[str, bytes] = {}
    for message in recording.messages({*streams, *infos, TF.name, TF_STATIC.name}):
        try:
            if message.topic in found.stamps_ns:
                found.stamps_ns[message.topic].append(recording.stamp_of(message))
            elif message.topic not in found.infos:
                _add_transforms(recording, message, found)
            # The calibration starts after the stamp.
            elif message.data[12:] != last_info.get(message.topic):
                last_info[message.topic] = message.data[12:]
                info = (recording.stamp_of(message), recording.decode(message))
                found.infos[message.topic].append(info)
        except Sam3dError as error:
            found.refused.append(f'{message.topic} at {message.log_ns} ns: {error}')
            if message.topic in found.stamps_ns:
                found.stamps_ns[message.topic].append(message.log_ns)
    for known in found.infos.values():
        known.sort(key=lambda item: item[0])
    return found


def _add_transforms(recording: Recording, message: RawMessage, found: Scan) -> None:
    is_static = message.topic == TF_STATIC.name
    for item in transforms_from(recording.decode(message)):
        stamp_ns = None if is_static else item.stamp_ns
        found.tree.add(item.parent, item.child, item.T_parent_child, stamp_ns)
        found.transforms.append(LoggedTransform(message.log_ns, is_static, item))
