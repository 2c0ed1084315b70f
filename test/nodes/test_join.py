# SPDX-License-Identifier: Apache-2.0
from sam3d_ros.nodes.join import StampJoin


def test_parts_of_one_stamp_join_whatever_order_they_come_in() -> None:
    join = StampJoin(('frame', 'tracks'), depth=4)
    assert join.add('frame', 10, 'f10') is None
    assert join.add('frame', 20, 'f20') is None
    assert join.add('tracks', 20, 't20') == ('f20', 't20')
    assert join.add('tracks', 30, 't30') is None
    assert join.add('frame', 30, 'f30') == ('f30', 't30')


def test_what_is_older_than_a_join_is_forgotten() -> None:
    join = StampJoin(('frame', 'tracks'), depth=4)
    join.add('frame', 10, 'f10')
    join.add('frame', 20, 'f20')
    join.add('tracks', 20, 't20')
    assert join.add('tracks', 10, 't10') is None


def test_no_more_than_depth_is_kept() -> None:
    join = StampJoin(('frame', 'tracks'), depth=2)
    for stamp_ns in (10, 20, 30):
        join.add('frame', stamp_ns, f'f{stamp_ns}')
    assert join.add('tracks', 10, 't10') is None
    assert join.add('tracks', 30, 't30') == ('f30', 't30')


def test_tracks_without_a_frame_are_counted_and_frames_without_tracks_are_not() -> None:
    join = StampJoin(('frame', 'tracks'), depth=1)
    for stamp_ns in (10, 20, 30):
        join.add('frame', stamp_ns, 'f')
    for stamp_ns in (40, 50, 60):
        join.add('tracks', stamp_ns, 't')
    assert join.unmatched == 2


def test_stamps_that_go_back_do_not_mix_two_rounds_of_a_recording() -> None:
    join = StampJoin(('frame', 'tracks'), depth=8)
    for stamp_ns in (10, 20, 30):
        join.add('frame', stamp_ns, f'first round {stamp_ns}')
    assert join.add('frame', 10, 'second round 10') is None
    assert join.add('tracks', 20, 't20') is None
    assert join.add('frame', 20, 'second round 20') == ('second round 20', 't20')
