# SPDX-License-Identifier: Apache-2.0
"""SQLite files of rosbag2, of every version of its tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from sam3d_ros.bags.channels import Channel, offered_in
from sam3d_ros.core.errors import RecordingError

MAGIC = b'SQLite format 3\0'


class SqliteFile:
    """A .db3 file, open for reading; see :class:`sam3d_ros.bags.channels.Container`.

    :raises RecordingError: when it is damaged or holds no recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        try:
            self._database = sqlite3.connect(f'{path.resolve().as_uri()}?immutable=1', uri=True)
            self.channels = self._read_channels()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise RecordingError(
                str(error), remedy='sqlite3\'s ".recover" saves what is whole.'
            ) from error

    def messages(self, numbers: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel, receive time in ns, bytes) in the order they were received.

        :raises RecordingError: when the file is damaged.
        """
        marks = ','.join('?' * len(numbers))
        query = (
            'SELECT topic_id, timestamp, data FROM messages '
            f'WHERE topic_id IN ({marks}) ORDER BY timestamp, id'
        )
        try:
            yield from self._database.execute(query, tuple(numbers))
        except sqlite3.Error as error:
            raise RecordingError(f'{self.path}: {error}') from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _read_channels(self) -> dict[int, Channel]:
        counts = dict(
            self._database.execute('SELECT topic_id, count(*) FROM messages GROUP BY topic_id')
        )
        definitions: dict[str, tuple[str, str]] = {}
        if self._columns('message_definitions'):  # old files have none
            query = (
                'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
            )
            rows = self._database.execute(query)
            definitions = {kind: (schema, text) for kind, schema, text in rows}
        columns = self._columns('topics')
        qos = 'offered_qos_profiles' if 'offered_qos_profiles' in columns else "''"
        channels = {}
        query = f'SELECT id, name, type, serialization_format, {qos} FROM topics'
        for number, topic, kind, encoding, profiles in self._database.execute(query):
            if not all(isinstance(text, str) for text in (topic, kind, encoding)):
                self.notes.append(f'{self.path.name}: topic {number} is damaged and left out')
                continue
            schema, text = definitions.get(kind, ('', ''))
            channels[number] = Channel(
                topic,
                kind,
                encoding,
                schema,
                text,
                count=counts.get(number, 0),
                offered=offered_in(profiles or ''),
            )
        return channels

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._database.execute(f'PRAGMA table_info({table})')}
