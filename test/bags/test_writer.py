# SPDX-License-Identifier: Apache-2.0
"""Recordings are readable by others, complete, and the same bytes each time."""

from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability

from sam3d_ros.bags.writer import RecordingWriter, typestore
from sam3d_ros.core.errors import RecordingError
from sam3d_ros.messages.topics import Quality

STRING = 'std_msgs/msg/String'


def write(path: Path) -> None:
    message = typestore().types[STRING]
    with RecordingWriter(path) as writer:
        for stamp in range(5):
            writer.write('/b', STRING, 10 * stamp, message(f'b{stamp}'))
            writer.write('/a', STRING, 10 * stamp + 1, message(f'a{stamp}'), Quality.LATCHED)
        writer.declare('/c', 'sam3d_msgs/msg/SceneObjectArray')


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / 'recording')
    with AnyReader([tmp_path / 'recording']) as reader:
        read = [
            (connection.topic, stamp, reader.deserialize(data, connection.msgtype).data)
            for connection, stamp, data in reader.messages()
        ]
        qualities = {c.topic: c.ext.offered_qos_profiles[0] for c in reader.connections}
    assert read[:3] == [('/b', 0, 'b0'), ('/a', 1, 'a0'), ('/b', 10, 'b1')]
    assert len(read) == 10
    assert qualities['/a'].durability == QosDurability.TRANSIENT_LOCAL
    assert '/c' in qualities


def test_same_content_same_bytes(tmp_path):
    for run in ('1', '2'):
        write(tmp_path / run / 'recording')
    first, second = (sorted((tmp_path / run / 'recording').iterdir()) for run in '12')
    assert [path.name for path in first] == ['metadata.yaml', 'recording.mcap']
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_refuses_an_existing_folder_and_a_second_type(tmp_path):
    with pytest.raises(RecordingError, match='does not exist yet'):
        RecordingWriter(tmp_path)
    with RecordingWriter(tmp_path / 'recording') as writer:
        writer.declare('/a', STRING)
        with pytest.raises(RecordingError, match='std_msgs/msg/String, as before'):
            writer.write('/a', 'std_msgs/msg/Header', 0, b'')
