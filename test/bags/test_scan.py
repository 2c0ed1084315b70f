# SPDX-License-Identifier: Apache-2.0
"""The first pass finds stamps, calibrations and TF, and says what it could not use."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_recordings import START_NS, STEP_NS, Message, frames, messages, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import scan
from sam3d_ros.bags.selection import select

INFO = '/camera/color/camera_info'


@pytest.fixture(scope='module')
def made(boxes_world):
    """The messages of four frames."""
    return messages(frames(boxes_world, 4, size=(32, 24)))


def found(path, made):
    with Recording(write(path, made)) as recording:
        return scan(recording, select(recording))


def test_stamps_and_tf(tmp_path, made):
    result = found(tmp_path / 'r', made)
    stamps = [START_NS + at * STEP_NS for at in range(4)]
    got = {topic: list(each) for topic, each in result.stamps_ns.items()}
    assert got == {'/camera/color/image': stamps, '/camera/depth/image': stamps}
    assert [item.is_static for item in result.transforms] == [True, False, False, False, False]
    assert result.tree.bounds('world', 'optical') == (stamps[0], stamps[-1])
    assert result.refused == []


def test_a_calibration_counts_from_its_stamp_until_the_next(tmp_path, made):
    other = [number for number, item in enumerate(made) if item.topic == INFO][2]
    made = list(made)
    zoomed = replace(made[other].content, k=made[other].content.k * 2)
    made[other] = replace(made[other], content=zoomed)
    result = found(tmp_path / 'r', made)
    assert len(result.infos[INFO]) == 3, 'said once, changed, changed back'
    assert len(result.infos['/camera/depth/camera_info']) == 1
    focal = [result.info_at(INFO, START_NS + at * STEP_NS).k[0] for at in (-9, 0, 1, 2, 3, 9)]
    assert np.array_equal(np.array(focal) / focal[0], [1, 1, 1, 2, 1, 1])


def test_messages_that_cannot_be_used_are_named(tmp_path, made):
    cut = Message('/tf', 'tf2_msgs/msg/TFMessage', START_NS + 7, b'\0\1\0\0\5\0\0\0')
    result = found(tmp_path / 'r', [*made, cut])
    (sentence,) = result.refused
    assert sentence.startswith(f'/tf at {START_NS + 7} ns:')
    assert len(result.transforms) == 5
