# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from sam3d_ros.core.errors import NotFoundError, NotReadyError
from sam3d_ros.core.types import Instances, Tracks
from sam3d_ros.session.recent_frames import RecentFrames

S = 1_000_000_000


@pytest.fixture
def shown(boxes_world):
    """Return four frames, a second apart, with the tracks after each."""
    drawn, _ = boxes_world((0.9, 0.0, 0.7), (), size=(40, 30))
    stamps = [k * S + 5 for k in range(1, 5)]
    return [(replace(drawn, stamp_ns=t), Tracks(t, Instances(t))) for t in stamps]


def test_frames_are_found_by_stamp_and_the_latest_without(shown):
    recent = RecentFrames(3)
    for frame, tracks in shown:
        recent.add(frame, tracks)
    assert recent.at(None) == shown[3]
    assert recent.at(2 * S + 5) == shown[1]


def test_a_stamp_no_longer_kept_is_refused_with_what_is_kept(shown):
    recent = RecentFrames(3)
    for frame, tracks in shown:
        recent.add(frame, tracks)
    with pytest.raises(NotFoundError, match=r'1\.000000005 s.*3 frames.*2\.0+5 to 4\.0+5 s'):
        recent.at(S + 5)


def test_without_a_frame_there_is_nothing_to_refer_to(shown):
    recent = RecentFrames(3)
    recent.add(*shown[0])
    recent.clear()
    for stamp_ns in (None, shown[0][0].stamp_ns):
        with pytest.raises(NotReadyError, match='no frame'):
            recent.at(stamp_ns)
