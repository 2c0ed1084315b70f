# SPDX-License-Identifier: Apache-2.0
"""Write recordings: a rosbag2 MCAP folder whose bytes depend on its name and content alone."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError

from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.topics import Quality
from sam3d_ros.messages.typestore import typestore

__all__ = ['RecordingWriter', 'typestore']

_NEVER = QosTime(9223372036, 854775807)
_RELIABILITY = (QosReliability.BEST_EFFORT, QosReliability.RELIABLE)
_DURABILITY = (QosDurability.VOLATILE, QosDurability.TRANSIENT_LOCAL)


class RecordingWriter:
    """A recording being written; a context manager. On an exception the folder has no index.

    :param path: the folder to make; its name becomes the name of the file in it.
    :param compress: zstd for every chunk (readable by every MCAP tool).
    :raises RecordingError: when ``path`` exists.
    """

    def __init__(self, path: Path | str, *, compress: bool = True) -> None:
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(Path(path), version=9, storage_plugin=StoragePlugin.MCAP)
            if compress:
                self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except (WriterError, OSError) as error:
            raise RecordingError(
                f'{path} cannot be written: {error}', wanted='a folder that does not exist yet'
            ) from error

    def declare(self, topic: str, typename: str, quality: Quality = Quality.RELIABLE) -> None:
        """Add a topic, also when no message of it will follow.

        :param typename: of its messages, e.g. ``sensor_msgs/msg/Image``.
        :param quality: that it was published with.
        """
        self._connections[topic] = self._writer.add_connection(
            topic, typename, typestore=typestore(), offered_qos_profiles=[offered_qos(quality)]
        )

    def write(
        self,
        topic: str,
        typename: str,
        stamp_ns: int,
        message: Any,
        qos: Quality = Quality.RELIABLE,
    ) -> None:
        """Append a message.

        :param typename: a type of :func:`typestore`, e.g. ``sensor_msgs/msg/Image``.
        :param stamp_ns: receive and publish time in the recording.
        :param message: CDR bytes, or what :func:`sam3d_ros.messages.cdr.encode` takes.
        :param qos: what the topic offers; read with the topic's first message only.
        """
        if topic not in self._connections:
            self.declare(topic, typename, qos)
        connection = self._connections[topic]
        if connection.msgtype != typename:
            raise RecordingError(
                f'a {typename} for {topic}', wanted=f'{connection.msgtype}, as before'
            )
        data = message if isinstance(message, bytes | memoryview) else encode(message, typename)
        self._writer.write(connection, stamp_ns, data)

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.abort()


def offered_qos(quality: Quality) -> Qos:
    """Return a profile in rosbags' terms, deadlines and lifespans infinite."""
    offer = quality.value
    return Qos(
        QosHistory.KEEP_LAST,
        offer.depth,
        _RELIABILITY[offer.is_reliable],
        _DURABILITY[offer.is_latched],
        _NEVER,
        _NEVER,
        QosLiveliness.AUTOMATIC,
        _NEVER,
        False,
    )
