# SPDX-License-Identifier: Apache-2.0
"""No file, whatever its bytes, ends in anything but messages or an error of ours."""

from contextlib import closing

import pytest
from damage import FUZZ, damaged
from hypothesis import given
from hypothesis import strategies as st
from made_up_recordings import frames, messages, write, write_ros1, write_sqlite

from sam3d_ros.bags.containers import open_file
from sam3d_ros.bags.recording import Recording
from sam3d_ros.core.errors import RecordingError


@pytest.fixture(scope='module')
def files(boxes_world, tmp_path_factory):
    """The bytes of a tiny recording as MCAP, SQLite and ROS 1 bag."""
    folder = tmp_path_factory.mktemp('whole')
    made = messages(frames(boxes_world, 1, size=(8, 6)))
    paths = [
        next(write(folder / 'm', made).glob('*.mcap')),
        next(write_sqlite(folder / 's', made).glob('*.db3')),
        write_ros1(folder / 'r.bag', made),
    ]
    return {path.suffix: path.read_bytes() for path in paths}


@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag'])
def test_containers(files, tmp_path, suffix):
    path = tmp_path / f'damaged{suffix}'

    @FUZZ
    @given(damaged(files[suffix]))
    def read(data):
        path.write_bytes(data)
        try:
            with closing(open_file(path)) as container:
                for _, log_ns, content in container.messages(container.channels.keys()):
                    assert isinstance(log_ns, int) and isinstance(content, bytes)
        except RecordingError:
            return

    read()


def decode(recording, message):
    try:
        recording.decode(message)
    except RecordingError:
        return


@FUZZ
@given(st.data())
def test_messages_in_a_recording(whole, data):
    recording, raw = whole
    message = data.draw(st.sampled_from(raw))
    changed = data.draw(damaged(message.data))
    decode(recording, type(message)(message.topic, message.type, 0, changed, message.channel))


@pytest.fixture(scope='module')
def whole(files, tmp_path_factory):
    """A recording and its messages, as CDR and as ROS 1 writes them."""
    folder = tmp_path_factory.mktemp('again')
    opened, raw = [], []
    for suffix in ('.mcap', '.bag'):
        (folder / f'r{suffix}').write_bytes(files[suffix])
        opened.append(Recording(folder / f'r{suffix}'))
        raw += opened[-1].messages({topic.name for topic in opened[-1].topics})
    yield opened[0], raw
    for each in opened:
        each.close()
