# SPDX-License-Identifier: Apache-2.0
"""Containers as people have them: what is missing or wrong in one costs itself, and is named."""

import shutil
import sqlite3
import struct
from dataclasses import replace

import numpy as np
import pytest
import yaml
from field_recordings import as_topics, ros1_store
from made_up_recordings import as_ros1, frames, messages, write, write_ros1, write_sqlite
from mcap_files import MAGIC, Topic, write_mcap
from rosbags.rosbag1 import Writer as Writer1

from sam3d_ros.bags.recording import Recording
from sam3d_ros.core.errors import RecordingError

IMAGE = '/camera/depth/image'


@pytest.fixture(scope='module')
def made(boxes_world):
    """The messages of four frames."""
    return messages(frames(boxes_world, 4, size=(32, 24)))


def content(path):
    """Return (topic, receive time, type, stamp or None, pixels) of all messages, and the notes."""
    with Recording(path) as recording:
        found = []
        for raw in recording.messages([topic.name for topic in recording.topics]):
            if recording.problem(raw.topic):
                continue
            decoded = recording.decode(raw)
            data = bytes(np.asarray(decoded.data)) if hasattr(decoded, 'data') else b''
            stamp = recording.stamp_of(raw) if hasattr(decoded, 'header') else None
            found.append((raw.topic, raw.log_ns, raw.type, stamp, data))
        return sorted(found, key=lambda item: (item[1], item[0])), recording.notes


@pytest.fixture(scope='module')
def expected(made, tmp_path_factory):
    found, notes = content(write(tmp_path_factory.mktemp('good') / 'r', made))
    assert notes == [] and len(found) == len(made)
    return found


@pytest.mark.parametrize('chunked', [True, False])
@pytest.mark.parametrize(
    ('options', 'walked'),
    [
        ({}, False),
        ({'message_indexes': False}, False),
        ({'summary': ('channels', 'chunks')}, True),
        ({'summary': ('channels', 'statistics')}, True),
        ({'summary': ('chunks', 'statistics')}, True),
        ({'summary': ('channels',)}, True),
        ({'summary': ()}, True),
        ({'footer': False}, True),
    ],
)
def test_an_mcap_with_parts_of_its_index_missing(
    tmp_path, made, expected, chunked, options, walked
):
    path = write_mcap(tmp_path / 'r.mcap', as_topics(made), chunked=chunked, **options)
    found, notes = content(path)
    assert found == expected
    assert [note for note in notes if 'index is incomplete' in note] == notes
    assert bool(notes) == (walked or not chunked)
    with Recording(path) as recording:
        assert {topic.name: topic.count for topic in recording.topics}[IMAGE] == 4


def test_a_damaged_chunk_costs_itself(tmp_path, made, expected):
    path = write_mcap(tmp_path / 'r.mcap', as_topics(made))
    data = bytearray(path.read_bytes())
    at = len(MAGIC)
    for _ in range(3):  # the header, two chunks and their indexes
        at += 9 + struct.unpack_from('<Q', data, at + 1)[0]
        while data[at] != 0x06:
            at += 9 + struct.unpack_from('<Q', data, at + 1)[0]
    struct.pack_into('<Q', data, at + 9 + 16, 12345)
    path.write_bytes(data)
    found, notes = content(path)
    assert 0 < len(expected) - len(found) <= 2
    assert any('is damaged' in note for note in notes)


@pytest.mark.parametrize('profile', ['ros1', '', 'other'])
def test_an_mcap_of_another_profile(tmp_path, made, expected, profile):
    topics = as_topics(made, ros1=profile == 'ros1')
    found, notes = content(write_mcap(tmp_path / 'r.mcap', topics, profile=profile))
    assert found == expected and notes == []


def test_messages_of_another_encoding_are_left_out_by_name(tmp_path, made, expected):
    video = Topic('/video', 'foxglove.CompressedVideo', 'protobuf', 'xyz', 'protobuf', [(7, b'a')])
    found, (note,) = content(write_mcap(tmp_path / 'r.mcap', [video, *as_topics(made)], ''))
    assert found == expected
    assert note == 'left out: /video (its messages are protobuf, not cdr or ros1)'


@pytest.mark.parametrize(
    ('encoding', 'definition'), [('unknown', ''), ('ros2msg', ''), ('ros2msg', 'no definition')]
)
def test_a_topic_whose_type_cannot_be_had_is_left_out(
    tmp_path, made, expected, encoding, definition
):
    name = 'example_interfaces/action/Fibonacci_FeedbackMessage'
    extra = Topic('/fib/_action/feedback', name, encoding, definition, 'cdr', [(7, b'\0\1\0\0')])
    path = write_mcap(tmp_path / 'r.mcap', [extra, *as_topics(made)])
    found, (note,) = content(path)
    assert found == expected
    assert note.startswith('left out: /fib/_action/feedback (') and 'defin' in note


def test_a_type_that_everybody_knows_needs_no_definition(tmp_path, made, expected):
    bare = [replace(topic, schema_encoding='', definition='') for topic in as_topics(made)]
    found, notes = content(write_mcap(tmp_path / 'r.mcap', bare))
    assert found == expected and notes == []


def test_sqlite_with_a_definition_of_an_unknown_language(tmp_path, made, expected):
    folder = write_sqlite(tmp_path / 'r', made)
    with sqlite3.connect(next(folder.glob('*.db3'))) as database:
        database.execute(
            'INSERT INTO topics (id, name, type, serialization_format, offered_qos_profiles, '
            "type_description_hash) VALUES (99, '/odd', 'a_msgs/msg/B', 'cdr', 'no: [yaml', '')"
        )
        database.execute("INSERT INTO messages VALUES (9999, 99, 7, x'00010000')")
    found, notes = content(folder)
    assert found == expected
    assert any('/odd (no definition of a_msgs/msg/B)' in note for note in notes)


def ros1_bag(path, made, definition, digest):
    """Write a bag with a topic of Int8 beside, its connection as given."""
    store = ros1_store()
    with Writer1(path) as writer:
        for item in made:
            known = {connection.topic: connection for connection in writer.connections}
            connection = known.get(item.topic) or writer.add_connection(
                item.topic, item.type, typestore=store
            )
            data = store.serialize_ros1(as_ros1(store, item.content), item.type)
            writer.write(connection, item.stamp_ns, data)
        extra = writer.add_connection(
            '/extra', 'std_msgs/msg/Int8', msgdef=definition, md5sum=digest
        )
        writer.write(extra, made[0].stamp_ns, b'\x05')
    return path


@pytest.mark.parametrize(
    ('digest', 'is_known'),
    [('27ffa0c9c4b8fb8492252bcad9e5c57b', True), ('*', True), ('0' * 32, False)],
)
def test_ros_1_connections_without_a_definition(tmp_path, made, expected, digest, is_known):
    path = ros1_bag(tmp_path / 'r.bag', made, ' ', digest)
    found, notes = content(path)
    assert [item for item in found if item[0] != '/extra'] == expected
    if is_known:
        with Recording(path) as recording:
            assert recording.first('/extra').data == 5
        assert notes == []
    else:
        assert '/extra (no definition of std_msgs/msg/Int8, and it is not' in notes[0]


def test_a_ros_1_bag_without_its_index(tmp_path, made, expected):
    """As a killed recorder leaves it: nothing after the chunks, the last one cut off."""
    path = write_ros1(tmp_path / 'r.bag', made)
    data = bytearray(path.read_bytes())
    at = data.index(b'index_pos=') + len(b'index_pos=')
    index = int.from_bytes(data[at : at + 8], 'little')
    data[at : at + 8] = bytes(8)
    path.write_bytes(data[:index] + b'\x20\0\0\0cut')
    found, notes = content(path)
    assert found == expected
    assert notes == ['r.bag: its index is missing; read from end to end']
    with Recording(path) as recording:
        assert {topic.name: topic.count for topic in recording.topics}[IMAGE] == 4


def with_metadata(folder, change):
    path = folder / 'metadata.yaml'
    tree = yaml.safe_load(path.read_text())
    change(tree['rosbag2_bagfile_information'])
    path.write_text(yaml.safe_dump(tree))
    return folder


def no_qos(info):
    for topic in info['topics_with_message_count']:
        topic['topic_metadata']['offered_qos_profiles'] = ''


def no_counts(info):
    for topic in info['topics_with_message_count']:
        topic['message_count'] = 0


def other_names(info):
    info['relative_file_paths'] = ['before_it_was_renamed_0.mcap']


def broken_qos(info):
    info['topics_with_message_count'][0]['topic_metadata']['offered_qos_profiles'] = '- {a: ['


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (no_qos, 'other quality of service'),
        (no_counts, '0 messages, in the files'),
        (other_names, ''),
        (broken_qos, 'other quality of service'),
        (lambda info: info.pop('topics_with_message_count'), None),
        (lambda info: info.pop('version'), None),
        (lambda info: info.update(version=99, storage_identifier='other'), None),
    ],
)
@pytest.mark.parametrize('writer', [write, write_sqlite])
def test_where_metadata_disagrees_the_files_win(tmp_path, made, expected, writer, change, words):
    found, notes = content(with_metadata(writer(tmp_path / 'r', made), change))
    assert found == expected
    # Our SQLite files offer no quality of service to disagree about.
    if words and not (writer is write_sqlite and 'quality' in words):
        (note,) = notes
        assert note.startswith('metadata.yaml disagrees with the files') and words in note


@pytest.mark.parametrize('text', ['', '{', 'a: 1', '- 1'])
def test_metadata_that_is_none(tmp_path, made, expected, text):
    folder = write(tmp_path / 'r', made)
    (folder / 'metadata.yaml').write_text(text)
    found, (note,) = content(folder)
    assert found == expected and 'cannot be read' in note


def parts(tmp_path, made, suffix, writer, count=3):
    """Write the parts of a recording beside each other, /tf_static in the first only."""
    folder = tmp_path / 'split'
    folder.mkdir()
    size = -(-len(made) // count)
    for number in range(count):
        some = made[number * size : (number + 1) * size]
        target = folder / f'r_{number + 8}{suffix}'
        written = writer(tmp_path / f'part{number}{suffix}', some)
        shutil.move(written if written.is_file() else next(written.glob(f'*{suffix}')), target)
    return folder


@pytest.mark.parametrize(
    ('suffix', 'writer'), [('.mcap', write), ('.db3', write_sqlite), ('.bag', write_ros1)]
)
def test_parts_without_metadata_are_one_recording(tmp_path, made, expected, suffix, writer):
    folder = parts(tmp_path, made, suffix, writer)
    found, notes = content(folder)
    assert found == expected
    assert notes == [f'no metadata.yaml; read: r_10{suffix}, r_8{suffix}, r_9{suffix}']
    with Recording(folder) as recording:
        times = [raw.log_ns for raw in recording.messages(['/tf', '/tf_static', IMAGE])]
        assert times == sorted(times)


def test_a_part_that_is_cut_off_costs_itself(tmp_path, made):
    folder = parts(tmp_path, made, '.mcap', write)
    last = folder / 'r_10.mcap'
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 3])
    found, notes = content(folder)
    assert 0 < len(found) < len(made)
    assert any('r_10.mcap cannot be read: cut off' in note for note in notes)


def test_a_file_is_what_its_first_bytes_say(tmp_path, made, expected):
    file = write_mcap(tmp_path / 'r.bag', as_topics(made))
    assert content(file)[0] == expected
    file.rename(tmp_path / 'nameless')
    assert content(tmp_path / 'nameless')[0] == expected


def test_a_walk_over_nonsense_ends(tmp_path):
    (tmp_path / 'r.mcap').write_bytes(MAGIC + b'\x06' + struct.pack('<Q', 2**60))
    with pytest.raises(RecordingError, match=r'cut off or damaged at byte 8.*mcap recover'):
        Recording(tmp_path / 'r.mcap')
