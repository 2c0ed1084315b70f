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


def test_a_frame_that_a_stage_works_on_outlasts_a_fast_camera() -> None:
    join = StampJoin(('frame', 'tracks'), depth=3)
    for stamp_ns in range(10, 200, 10):
        join.add('frame', stamp_ns, f'f{stamp_ns}')
        if stamp_ns == 50:
            join.pin(50)
    assert join.add('tracks', 50, 't50') == ('f50', 't50')


def test_a_frame_with_tracks_outlasts_a_fast_camera_until_its_reconstructions_come() -> None:
    join = StampJoin(('frame', 'tracks', 'reconstructions'), depth=3)
    for stamp_ns in range(10, 200, 10):
        join.add('frame', stamp_ns, f'f{stamp_ns}')
        if stamp_ns == 50:
            join.add('tracks', 50, 't50')
    assert join.add('reconstructions', 50, 'r50') == ('f50', 't50', 'r50')


def test_pinned_frames_do_not_pile_up_without_end() -> None:
    join = StampJoin(('frame', 'tracks'), depth=3)
    for stamp_ns in range(10, 1000, 10):
        join.pin(stamp_ns)
        join.add('frame', stamp_ns, 'f')
    assert len(join._kept) <= 3
    assert len(join._pinned) <= 7


def test_stamps_that_go_back_do_not_mix_two_rounds_of_a_recording() -> None:
    join = StampJoin(('frame', 'tracks'), depth=8)
    for stamp_ns in (10, 20, 30):
        join.add('frame', stamp_ns, f'first round {stamp_ns}')
    assert join.add('frame', 10, 'second round 10') is None
    assert join.add('tracks', 20, 't20') is None
    assert join.add('frame', 20, 'second round 20') == ('second round 20', 't20')
