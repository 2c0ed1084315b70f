# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import NotFoundError, NotReadyError, PromptError
from sam3d_ros.core.types import Instances, Tracks
from sam3d_ros.session.recent_frames import Kept, RecentFrames

S = 1_000_000_000


@pytest.fixture
def shown(boxes_world):
    """Return four frames, a second apart, with the tracks after each."""
    drawn, _ = boxes_world((0.9, 0.0, 0.7), (), size=(40, 30))
    stamps = [k * S + 5 for k in range(1, 5)]
    return [Kept(replace(drawn, stamp_ns=t), Tracks(t, Instances(t))) for t in stamps]


def test_frames_are_found_by_stamp_and_the_latest_without(shown):
    recent = RecentFrames(3)
    for kept in shown:
        recent.add(kept)
    assert recent.at(None) is shown[3]
    assert recent.at(2 * S + 5) is shown[1]
    assert recent.at(2 * S + 5, 'camera') is shown[1]
    with pytest.raises(NotFoundError, match='"other"'):
        recent.at(2 * S + 5, 'other')


def test_a_frame_that_is_told_of_again_takes_its_own_place(shown):
    recent = RecentFrames(3)
    for kept in shown:
        recent.add(kept)
    again = replace(shown[2], tracks=Tracks(0, Instances(0)))
    recent.add(again)
    assert recent.at(3 * S + 5) is again
    assert recent.latest() is shown[3]


def test_a_stamp_no_longer_kept_is_refused_with_what_is_kept(shown):
    recent = RecentFrames(3)
    for kept in shown:
        recent.add(kept)
    with pytest.raises(NotFoundError, match=r'1\.000000005 s.*3 frames.*2\.0+5 to 4\.0+5 s'):
        recent.at(S + 5)


def test_without_a_frame_there_is_nothing_to_refer_to(shown):
    recent = RecentFrames(3)
    recent.add(shown[0])
    recent.clear()
    for stamp_ns in (None, shown[0].frame.stamp_ns):
        with pytest.raises(NotReadyError, match='no frame'):
            recent.at(stamp_ns)


def test_an_exemplar_on_nothing_or_without_depth_says_so(shown):
    here = shown[0]
    blind = replace(here, frame=replace(here.frame, pointmap=np.full((30, 40, 3), np.nan)))
    for box, place in (
        ((5.0, 5.0, 5.0, 5.0), r'at \(5, 5\) px'),
        ((2.0, 2.0, 9.0, 9.0), r'fills the box \(2, 2, 9, 9\) px'),
    ):
        with pytest.raises(PromptError, match=f'no object {place}; wanted'):
            here.filling(box)
        with pytest.raises(PromptError, match=f'no object {place}, where nothing has depth'):
            blind.filling(box)
    with pytest.raises(PromptError, match='no object at'):
        here.filling((500.0, 500.0, 500.0, 500.0))
