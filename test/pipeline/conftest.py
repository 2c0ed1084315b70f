# SPDX-License-Identifier: Apache-2.0
"""Makes the made-up recordings of the recording tests importable; good recordings and readers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'bags'))

from field_recordings import good_messages
from made_up_recordings import write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.pipeline.checkup import check_up
from sam3d_ros.pipeline.frames import FrameReader, overrides_of
from sam3d_ros.pointmaps.config import PointmapConfig


@pytest.fixture(scope='session')
def good(tmp_path_factory):
    """The messages of four frames of the demo's world."""
    return good_messages(tmp_path_factory.mktemp('demo') / 'world')


@pytest.fixture(scope='session')
def swept(tmp_path_factory):
    """The messages of three frames with a LiDAR."""
    return good_messages(tmp_path_factory.mktemp('lidar') / 'world', 'lidar', 3)


@pytest.fixture
def read(tmp_path):
    """Return a function that writes messages and reads frames and notes."""

    def run(messages, topics=None, path=None, **options):
        config = PointmapConfig(**options)
        path = path or write(tmp_path / f'r{len(list(tmp_path.iterdir()))}', messages)
        with Recording(path) as recording:
            overrides = overrides_of(recording, config, **(topics or {}))
            selection = select(recording, overrides)
            reader = FrameReader(recording, selection, config)
            return list(reader), reader.notes.sentences

    return run


@pytest.fixture
def doctor(tmp_path):
    """Return a function that writes messages and returns what the doctor finds."""

    def run(messages, **options):
        config = PointmapConfig(**options)
        path = write(tmp_path / f'd{len(list(tmp_path.iterdir()))}', messages)
        with Recording(path) as recording:
            return list(check_up(recording, config, overrides_of(recording, config)))

    return run


@pytest.fixture(scope='session')
def expected(good, tmp_path_factory):
    """The frames of the good recording."""
    with Recording(write(tmp_path_factory.mktemp('good') / 'r', good)) as recording:
        reader = FrameReader(recording, select(recording), PointmapConfig())
        frames = list(reader)
    assert len(frames) == 4 and reader.notes.sentences == []
    return frames
