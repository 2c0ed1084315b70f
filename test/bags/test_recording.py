# SPDX-License-Identifier: Apache-2.0
"""Every form of recording reads the same; what is none says so."""

import numpy as np
import pytest
from made_up_recordings import frames, messages, write, write_ros1, write_sqlite

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.core.errors import RecordingError


@pytest.fixture(scope='module')
def made(boxes_world):
    """The messages of two frames."""
    return messages(frames(boxes_world, 2, size=(32, 24)))


@pytest.fixture(
    params=['mcap folder', 'mcap file', 'sqlite folder', 'sqlite file', 'ros1 bag'],
)
def path(request, made, tmp_path):
    """The same messages in one form after the other."""
    kind = request.param
    if kind == 'ros1 bag':
        return write_ros1(tmp_path / 'r.bag', made)
    if kind.startswith('sqlite'):
        folder = write_sqlite(tmp_path / 'r', made)
        return folder if kind.endswith('folder') else next(folder.glob('*.db3'))
    folder = write(tmp_path / 'r', made)
    return folder if kind.endswith('folder') else next(folder.glob('*.mcap'))


def test_topics_messages_and_stamps(path, made):
    with Recording(path) as recording:
        topics = {topic.name: (topic.type, topic.count) for topic in recording.topics}
        assert topics['/camera/color/image'] == ('sensor_msgs/msg/Image', 2)
        assert topics['/tf'] == ('tf2_msgs/msg/TFMessage', 2)
        assert len(topics) == 6
        wanted = [item for item in made if item.topic == '/camera/depth/image']
        got = list(recording.messages(['/camera/depth/image']))
        assert [recording.stamp_of(item) for item in got] == [item.stamp_ns for item in wanted]
        for item, expected in zip(got, wanted, strict=True):
            decoded = recording.decode(item)
            assert np.array_equal(decoded.data, expected.content.data)
            assert decoded.header.frame_id == 'optical'
        assert recording.first('/camera/color/camera_info').width == 32
        assert list(recording.messages(['/nothing'])) == []


def test_two_messages_of_ros1_stamped_with_a_zero_sequence(made, tmp_path):
    """The four bytes before a ROS 1 stamp are a counter, not an endianness."""
    with Recording(write_ros1(tmp_path / 'r.bag', made)) as recording:
        first = next(recording.messages(['/camera/color/image']))
        assert first.data[:4] == bytes(4)
        assert recording.stamp_of(first) == made[0].stamp_ns


@pytest.mark.parametrize(
    ('name', 'content', 'reason'),
    [
        ('absent', None, 'nothing at'),
        ('notes.txt', b'hello', 'is no recording'),
        ('empty.mcap', b'', 'cannot be read'),
        ('broken.mcap', b'\x89MCAP\x30\r\n' + bytes(200), 'cannot be read'),
        ('broken.bag', b'#ROSBAG V2.0\n' + bytes(50), 'cannot be read'),
        ('broken.db3', b'SQLite format 3\0' + bytes(80), 'cannot be read'),
    ],
)
def test_what_is_no_recording(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=reason):
        Recording(tmp_path / name)


def test_a_folder_whose_recorder_was_killed(made, tmp_path):
    folder = write(tmp_path / 'r', made)
    (folder / 'metadata.yaml').unlink()
    with Recording(folder) as recording:
        assert sum(topic.count for topic in recording.topics) == len(made)
        assert recording.notes == ['no metadata.yaml; read: r.mcap']


def test_a_folder_of_several_recordings(made, tmp_path):
    for name in ('a', 'b'):
        file = next(write(tmp_path / name, made).glob('*.mcap'))
        file.rename(tmp_path / file.name)
    with pytest.raises(
        RecordingError, match=r'several: a\.mcap, b\.mcap.*Name a file in it: .*a\.'
    ):
        Recording(tmp_path)


def test_a_cut_off_file(made, tmp_path):
    file = next(write(tmp_path / 'r', made).glob('*.mcap'))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(RecordingError, match='mcap recover'):
        Recording(file)
    with pytest.raises(RecordingError, match='mcap recover'):
        Recording(file.parent)


def test_bytes_that_do_not_fit_their_type(tmp_path):
    with RecordingWriter(tmp_path / 'r') as writer:
        writer.write('/cut', 'sensor_msgs/msg/Image', 0, b'\0\1\0\0' + bytes(30))
        writer.write('/short', 'sensor_msgs/msg/Image', 0, b'\0\1\0\0')
    with Recording(tmp_path / 'r') as recording:
        cut = next(recording.messages(['/cut']))
        assert recording.stamp_of(cut) == 0
        with pytest.raises(RecordingError, match='/cut that cannot be decoded'):
            recording.decode(cut)
        with pytest.raises(RecordingError, match='4 bytes on /short'):
            recording.stamp_of(next(recording.messages(['/short'])))
