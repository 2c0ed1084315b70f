# SPDX-License-Identifier: Apache-2.0
"""Several cameras of a recording: all frames, in the order of stamps."""

import numpy as np
import pytest
from made_up_recordings import START_NS, STEP_NS, frames, messages, of_camera, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import Overrides, select
from sam3d_ros.core.errors import ConfigurationError, RecordingError
from sam3d_ros.core.types import Frame
from sam3d_ros.pipeline.cameras import in_stamp_order, read_cameras
from sam3d_ros.pipeline.checkup import Level, check_up
from sam3d_ros.pointmaps.config import PointmapConfig


@pytest.fixture
def rig(tmp_path, boxes_world):
    """Return a function that writes two cameras of two frames each, and opens the recording."""
    made = messages(frames(boxes_world, 2))
    opened = []

    def run(**options):
        both = [*made[:1], *of_camera(made, 'left'), *of_camera(made, 'right', **options)]
        path = write(tmp_path / 'rig', sorted(both, key=lambda item: item.stamp_ns))
        opened.append(Recording(path))
        return opened[0]

    yield run
    for each in opened:
        each.close()


def test_frames_of_equal_stamps_come_in_the_order_of_the_names(rig):
    readers = read_cameras(rig(), ['right', 'left'], PointmapConfig())
    got = list(in_stamp_order(readers))
    assert [item.camera_id for item in got] == ['left', 'right'] * 2
    assert [item.stamp_ns for item in got] == [START_NS] * 2 + [START_NS + STEP_NS] * 2
    assert all(isinstance(item, Frame) and item.fixed_frame == 'world' for item in got)
    assert {item.frame_id for item in got} == {'left_optical', 'right_optical'}
    assert np.array_equal(got[0].rgb, got[1].rgb)


def test_cameras_of_other_rates_and_times_are_merged_and_nothing_is_dropped(rig):
    got = list(
        in_stamp_order(read_cameras(rig(later_ns=40_000_000), ['left', 'right'], PointmapConfig()))
    )
    assert [item.camera_id for item in got] == ['left', 'right'] * 2
    stamps = [item.stamp_ns for item in got]
    assert stamps == sorted(stamps) and len(set(stamps)) == 4


def test_cameras_without_a_common_frame_are_refused(rig):
    recording = rig(parent='elsewhere')
    with pytest.raises(ConfigurationError, match='"world" of left, "elsewhere" of right'):
        read_cameras(recording, ['left', 'right'], PointmapConfig())


def test_a_camera_is_chosen_by_a_level_of_its_topics(rig):
    recording = rig()
    chosen = select(recording, Overrides(camera='right'))
    assert chosen.rgb.topic == '/robot/right/color/image'
    assert chosen.depth.topic == '/robot/right/depth/image'
    with pytest.raises(RecordingError, match='no images or points on topics of a camera "righ"'):
        select(recording, Overrides(camera='righ'))
    found = list(check_up(recording, PointmapConfig(), Overrides(camera='left')))
    assert not any(item.level == Level.ERROR or 'right' in item.text for item in found)
