# SPDX-License-Identifier: Apache-2.0
"""What every kind of file with messages looks like to those who read it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import yaml
from rosbags.rosbag2.metadata import parse_qos

CDR, ROS1 = 'cdr', 'ros1'
# libyaml's, where PyYAML was built with it, is ten times as fast.
LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Channel:
    """One publisher's messages on a topic.

    :param type: ROS 2's spelling, e.g. ``sensor_msgs/msg/Image``.
    :param encoding: of the messages: ``cdr``, ``ros1``, or one that is not read.
    :param schema: language of the definition: ``ros2msg``, ``ros2idl``, ``ros1msg``; empty = none.
    :param definition: the text of the message definition; empty = none.
    :param digest: md5 of ROS 1's definition; empty = not known.
    :param offered: rosbags' profiles of quality of service; ROS 1 has none.
    """

    topic: str
    type: str
    encoding: str
    schema: str = ''
    definition: str = ''
    digest: str = ''
    count: int = 0
    offered: tuple[Any, ...] = ()


class Container(Protocol):
    """A file of messages, open for reading.

    ``channels`` is by the file's own numbers, ``notes`` are sentences about what was not as it
    should be and how it was read nevertheless.
    """

    channels: dict[int, Channel]
    notes: list[str]

    def messages(self, numbers: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel, receive time in ns, bytes) in the order they were received."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@lru_cache(maxsize=256)
def offered_from(text: str) -> tuple[Any, ...]:
    """Return the profiles of quality of service in a file's YAML; none where it is damaged."""
    return tuple(parse_qos(yaml.load(text, LOADER) or []))


def offered_in(profiles: Any) -> tuple[Any, ...]:
    """Return rosbags' profiles of what YAML holds, text or lists; none where it is damaged."""
    try:
        return offered_from(profiles) if isinstance(profiles, str) else tuple(parse_qos(profiles))
    except Exception:  # damage of any kind; quality of service is not needed to read
        return ()
