# SPDX-License-Identifier: Apache-2.0
from sam3d_ros.core.types import Instances, Track, Tracks, TrackState
from sam3d_ros.nodes.clearing import ClearedGate


def tracks(stamp_ns: int, *births_ns: int) -> Tracks:
    items = tuple(
        Track(number, TrackState.TENTATIVE, 1, born_ns, stamp_ns, 0)
        for number, born_ns in enumerate(births_ns, start=1)
    )
    return Tracks(stamp_ns, Instances(stamp_ns), items)


def test_tracks_of_the_time_before_a_clear_are_kept_out() -> None:
    gate = ClearedGate()
    assert gate.admits(tracks(10, 10))
    gate.close()
    assert not gate.admits(tracks(20, 10, 20))
    assert gate.admits(tracks(30, 30))
    assert gate.admits(tracks(40, 30, 40))


def test_tracks_adopted_after_the_clear_may_be_older_than_it() -> None:
    gate = ClearedGate()
    assert gate.admits(tracks(10, 10))
    gate.close()
    assert gate.admits(tracks(20))
    assert gate.admits(tracks(30, 5))


def test_a_clear_before_any_frame_keeps_nothing_out() -> None:
    gate = ClearedGate()
    gate.close()
    assert gate.admits(tracks(10, 5))


def test_after_a_jump_of_time_earlier_tracks_are_welcome() -> None:
    gate = ClearedGate()
    assert gate.admits(tracks(100, 100))
    gate.close()
    gate.open()
    assert gate.admits(tracks(10, 10))
