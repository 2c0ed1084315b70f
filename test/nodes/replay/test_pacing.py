# SPDX-License-Identifier: Apache-2.0
import threading
import time

from sam3d_ros.nodes.replay.pacing import Pace, Timeline, wait_for_subscribers


def test_a_timeline_keeps_the_recorded_intervals_at_its_rate() -> None:
    timeline = Timeline(10.0, threading.Event())
    begin = time.monotonic()
    timeline.begin(5_000_000_000)
    assert timeline.wait_until(7_000_000_000)
    assert 0.2 <= time.monotonic() - begin < 1.0


def test_a_stopped_timeline_waits_no_longer() -> None:
    stop = threading.Event()
    timeline = Timeline(1.0, stop)
    timeline.begin(0)
    stop.set()
    assert not timeline.wait_until(3_600_000_000_000)


def test_a_third_image_waits_for_the_result_of_the_first() -> None:
    pace = Pace(5.0, threading.Event(), ahead=2)
    pace.wait(10)
    pace.wait(20)
    passed = threading.Event()

    def third_image() -> None:
        pace.wait(30)
        passed.set()

    thread = threading.Thread(target=third_image)
    thread.start()
    pace.result(9)
    assert not passed.wait(0.2)
    pace.result(10)
    assert passed.wait(5.0)
    thread.join()
    assert pace.missed == 0


def test_a_result_that_never_comes_is_counted_and_waited_for_no_longer() -> None:
    pace = Pace(0.1, threading.Event(), ahead=1)
    pace.wait(10)
    pace.wait(20)
    assert pace.missed == 1


def test_a_result_takes_those_before_it_with_it() -> None:
    pace = Pace(5.0, threading.Event(), ahead=3)
    for stamp_ns in (10, 20, 30):
        pace.wait(stamp_ns)
    pace.result(20)
    assert pace.missed == 1
    pace.result(30)
    begin = time.monotonic()
    pace.wait_for_all()
    assert time.monotonic() - begin < 1.0


def test_subscribers_are_waited_for_until_no_more_come() -> None:
    known = iter([(0,), (0,), (1,), *[(2,)] * 100])
    assert wait_for_subscribers(lambda: next(known), 30.0, threading.Event())


def test_the_wait_for_subscribers_has_an_end() -> None:
    assert not wait_for_subscribers(lambda: (0, 0), 0.2, threading.Event())
