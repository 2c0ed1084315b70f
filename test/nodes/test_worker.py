# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from sam3d_ros.nodes.worker import Worker


class Gate:
    """A stage that blocks on demand and notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.done = threading.Condition()

    def handle(self, item: int) -> None:
        self.busy.set()
        assert self.go_on.wait(5.0)
        if item < 0:
            raise ValueError(f'bad item {item}')
        with self.done:
            self.seen.append(item)
            self.done.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.done:
            return self.done.wait_for(lambda: len(self.seen) >= count, 5.0)


def test_a_busy_worker_keeps_only_the_newest_input() -> None:
    gate = Gate()
    worker = Worker(gate.handle, lambda error: None, 'test')
    worker.offer(1)
    assert gate.busy.wait(5.0)
    for item in (2, 3, 4):
        worker.offer(item)
    gate.go_on.set()
    assert gate.wait_for(2)
    assert worker.stop()
    assert gate.seen == [1, 4]
    assert worker.dropped == 2


def test_late_series_are_worked_on_whole() -> None:
    gate = Gate()
    worker = Worker(gate.handle, lambda error: None, 'test')
    worker.offer(1)
    assert gate.busy.wait(5.0)
    for item in (2, 3):
        worker.offer(item)
    for item in (4, 5, 6):
        worker.offer(item, is_late=True)
    for item in (7, 8):
        worker.offer(item)
    gate.go_on.set()
    assert gate.wait_for(6)
    assert worker.stop()
    assert gate.seen == [1, 3, 4, 5, 6, 8]
    assert worker.dropped == 2


def test_sources_do_not_drop_each_others_inputs() -> None:
    gate = Gate()
    worker = Worker(gate.handle, lambda error: None, 'test')
    worker.offer(1, source='left')
    assert gate.busy.wait(5.0)
    for item, source in ((2, 'left'), (3, 'right'), (4, 'left')):
        worker.offer(item, source=source)
    gate.go_on.set()
    assert gate.wait_for(3)
    assert worker.stop()
    assert gate.seen == [1, 3, 4]
    assert worker.dropped == 1


def test_a_failing_input_is_reported_and_the_next_one_is_worked_on() -> None:
    gate = Gate()
    gate.go_on.set()
    errors: list[str] = []
    failed = threading.Event()

    def note(error: Exception) -> None:
        errors.append(str(error))
        failed.set()

    worker = Worker(gate.handle, note, 'test')
    worker.offer(-1)
    assert failed.wait(5.0)
    worker.offer(7)
    assert gate.wait_for(1)
    assert worker.stop()
    assert errors == ['bad item -1']


def test_requests_run_before_the_waiting_input_and_return_results_and_errors() -> None:
    gate = Gate()
    worker = Worker(gate.handle, lambda error: None, 'test')
    worker.offer(1)
    assert gate.busy.wait(5.0)
    worker.offer(2)
    seen_at_request = worker.call(lambda: list(gate.seen))
    division = worker.call(lambda: 1 // 0)
    gate.go_on.set()
    assert seen_at_request.result(5.0) == [1]
    with pytest.raises(ZeroDivisionError):
        division.result(5.0)
    assert gate.wait_for(2)
    assert worker.stop()


def test_a_stopped_worker_cancels_what_waits_and_takes_no_more() -> None:
    gate = Gate()
    worker = Worker(gate.handle, lambda error: None, 'test')
    worker.offer(1)
    assert gate.busy.wait(5.0)
    waiting = worker.call(lambda: None)
    assert not worker.stop(timeout_s=0.01)
    assert waiting.cancelled()
    assert worker.call(lambda: None).cancelled()
    gate.go_on.set()
    assert worker.stop()


def test_what_nobody_waits_for_does_not_fail_in_silence() -> None:
    failures: list[Exception] = []
    gate = Gate()
    gate.go_on.set()
    worker = Worker(gate.handle, failures.append, 'test')
    worker.tell(lambda: gate.handle(-7))
    worker.offer(1)
    assert gate.wait_for(1)
    assert worker.stop()
    assert [str(error) for error in failures] == ['bad item -7']
