# SPDX-License-Identifier: Apache-2.0
"""ROS 1 bags, version 2.0, through rosbags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.rosbag1 import Reader, ReaderError

from sam3d_ros.bags.channels import ROS1, Channel
from sam3d_ros.core.errors import RecordingError

MAGIC = b'#ROSBAG V'


class Rosbag1File:
    """A .bag file, open for reading; see :class:`sam3d_ros.bags.channels.Container`.

    :raises RecordingError: when it is damaged or has no index.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._reader = Reader(path)
        try:
            self._reader.open()
        except (ReaderError, AssertionError, UnicodeDecodeError) as error:
            raise RecordingError(
                str(error) or type(error).__name__,
                remedy='"rosbag reindex" saves what is whole.',
            ) from error
        self._connections = {item.id: item for item in self._reader.connections}
        self.channels = {
            number: Channel(
                item.topic,
                item.msgtype,
                ROS1,
                'ros1msg' if item.msgdef.data.strip() else '',
                item.msgdef.data,
                item.digest,
                item.msgcount,
            )
            for number, item in self._connections.items()
        }

    def messages(self, numbers: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel, receive time in ns, bytes) in the order they were received.

        :raises RecordingError: when the file is damaged.
        """
        try:
            wanted = [self._connections[number] for number in numbers]
            for connection, log_ns, data in self._reader.messages(wanted):
                yield connection.id, log_ns, data
        except (ReaderError, AssertionError, OSError, ValueError) as error:
            raise RecordingError(f'{self.path}: {error or type(error).__name__}') from error

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
