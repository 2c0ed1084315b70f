# SPDX-License-Identifier: Apache-2.0
"""Where objects are completed: here and at once, or in a worker while poses go on.

Offline, :class:`CompletionHere` makes every shape before the next frame, so that the same
recording gives the same result. Live, :class:`CompletionWorker` does it in one niced process; a
worker that dies costs the job it was at, and the next job starts it again.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

from sam3d_ros.core.config import flatten
from sam3d_ros.core.errors import BackendError, NotReadyError, Sam3dError
from sam3d_ros.core.workers.process import CancelledError, WorkerProcess
from sam3d_ros.core.workers.protocol import Kind, Message
from sam3d_ros.core.workers.values import message_of, value_of
from sam3d_ros.reconstruction.completion.completer import PREVIEW, Completed, Completer, Job
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.generators.config import GENERATORS

LOG = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
LONGEST_S = 600.0
"""A worker that has not answered by then hangs; generators have more time, and limits of their
own."""


class CompletionLane(Protocol):
    """Who completes objects for the reconstructor."""

    def ask(self, jobs: Sequence[Job]) -> None:
        """Have objects completed; a job that waits for the same object is replaced."""
        ...

    def finished(self) -> list[Completed]:
        """Return what was finished since the last call."""
        ...

    def order(self, job: Job, *, patient: bool = False) -> Future[Completed]:
        """Have a job done for somebody who waits for it, before all that nobody waits for.

        :param job: the object.
        :param patient: after all others instead.
        :return: what comes of it, or BackendError when its backend cannot be loaded or fails; if
            cancelled, the job is given up.
        """
        ...

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget the jobs, waiting, running or finished, of all objects but these."""
        ...


class Elsewhere(Protocol):
    """A worker in another process or on another machine, which may come and go."""

    def ask(self, message: Message, timeout_s: float, cancelled: Callable[[], bool]) -> Message:
        """Return the answer to a request; see :class:`WorkerProcess`.

        :param message: the request.
        :param timeout_s: longest time for the answer, s.
        :param cancelled: whether nobody wants the answer any more.
        :raises NotReadyError: when nobody is there, or it dies before it has answered.
        :raises BackendError: when it fails, or takes too long.
        """
        ...


class CompletionHere:
    """Completes in the caller's thread: ``ask`` returns when all is done.

    :param config: of the stage.
    :param failed: called with what went wrong with jobs that nobody waits for in person.
    :raises BackendError: when the configured backend cannot be loaded; from ``make`` when one
        fails.
    """

    def __init__(
        self,
        config: ReconstructionConfig,
        failed: Callable[[Sam3dError], object] = LOG.warning,
    ) -> None:
        self._failed = failed
        self._completer = Completer(config)
        for name in config.completers:
            self._completer.load(name)
        self._finished: list[Completed] = []

    def ask(self, jobs: Sequence[Job]) -> None:
        """Complete objects, all in one batch; a backend that fails costs this batch alone.

        A generator takes one at a time; where it fails, ``volume`` stands in.
        """
        quick = [job for job in jobs if job.backend not in GENERATORS]
        self._finished += self._completed(quick)
        for job in [job for job in jobs if job.backend in GENERATORS]:
            (completed,) = self._completed([job])
            if not completed.backends:
                (completed,) = self._completed([replace(job, backend=PREVIEW)])
            self._finished.append(completed)

    def _completed(self, jobs: Sequence[Job]) -> list[Completed]:
        try:
            return self._completer.complete(jobs)
        except Sam3dError as error:
            self._failed(error)
            return [Completed(job.track_id) for job in jobs]

    def finished(self) -> list[Completed]:
        """Return what was finished since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def order(self, job: Job, *, patient: bool = False) -> Future[Completed]:
        """Do a job; see :meth:`CompletionLane.order`."""
        future: Future[Completed] = Future()
        try:
            future.set_result(self._completer.complete([job])[0])
        except Sam3dError as error:
            future.set_exception(error)
        return future

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget what was finished for all objects but these."""
        self._finished = [item for item in self._finished if item.track_id in track_ids]


class _Order:
    """A job that waits, with who waits for it, if anybody does in person."""

    def __init__(
        self, job: Job, number: int, future: Future[Completed] | None, patient: bool
    ) -> None:
        self.job = job
        self.future = future
        self.is_dropped = False
        # Persons first, then objects without any shape, then the newest need; the patient last.
        self.urgency = (not patient, future is not None, job.is_first, number)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still wants what comes of it."""
        return not (self.is_dropped or (self.future is not None and self.future.cancelled()))


class CompletionWorker:
    """Completes in a process of its own, one object after the other, the newest need first.

    :param config: of the stage.
    :param failed: called with what went wrong with a job that nobody waits for in person.
    :param done: called when there is something finished. Both in a thread of this object's.
    :param elsewhere: asked first, where there is one.
    :param backend: loaded at the start; empty = those in use.
    :raises BackendError: when the worker cannot start or a backend not be loaded.
    """

    def __init__(
        self,
        config: ReconstructionConfig,
        failed: Callable[[Sam3dError], object],
        done: Callable[[], object] = lambda: None,
        elsewhere: Elsewhere | None = None,
        backend: str = '',
    ) -> None:
        self._failed = failed
        self._done = done
        self._elsewhere = elsewhere
        self._longest_s = LONGEST_S + config.generation_s
        self._process = worker_process(config)
        try:
            for name in (backend,) if backend else config.completers:
                self._process.ask(Message(Kind.LOAD, {'backend': name}), START_TIMEOUT_S)
        except BackendError:
            self._process.close()
            raise
        self._changed = threading.Condition()
        self._waiting: list[_Order] = []
        self._running: _Order | None = None
        self._finished: list[Completed] = []
        self._count = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name='completion', daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is no process."""
        return self._process.pid

    def ask(self, jobs: Sequence[Job]) -> None:
        """Have objects completed some time; a job that waits for the same object is replaced."""
        asked = {job.track_id for job in jobs}
        with self._changed:
            self._waiting = [
                order
                for order in self._waiting
                if order.future is not None or order.job.track_id not in asked
            ]
            for job in jobs:
                self._add(job, None)

    def finished(self) -> list[Completed]:
        """Return what was finished since the last call; never waits."""
        with self._changed:
            finished, self._finished = self._finished, []
        return finished

    def wait_until_idle(self) -> None:
        """Wait until nothing is asked for any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and self._running is None)

    def order(self, job: Job, *, patient: bool = False) -> Future[Completed]:
        """Have a job done for somebody who waits; see :meth:`CompletionLane.order`."""
        future: Future[Completed] = Future()
        with self._changed:
            self._add(job, future, patient)
        return future

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget the jobs of all objects but these; one that runs is cancelled."""
        with self._changed:
            running = [] if self._running is None else [self._running]
            for order in (*self._waiting, *running):
                order.is_dropped |= order.future is None and order.job.track_id not in track_ids
            self._waiting = [order for order in self._waiting if order.is_wanted]
            self._finished = [item for item in self._finished if item.track_id in track_ids]

    def close(self) -> None:
        """End the worker, at once; who waits in person is told."""
        with self._changed:
            self._closing = True
            for order in self._waiting:
                _refuse(order)
            self._waiting = []
            if self._running is not None:
                self._running.is_dropped = True
            self._changed.notify_all()
        self._thread.join()
        self._process.close()

    def _add(self, job: Job, future: Future[Completed] | None, patient: bool = False) -> None:
        if self._closing:
            raise BackendError('completion has ended', wanted='a job before that')
        self._count += 1
        self._waiting.append(_Order(job, self._count, future, patient))
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                order = max(self._waiting, key=lambda item: item.urgency)
                self._waiting.remove(order)
                if not order.is_wanted:
                    continue
                self._running = order
            self._work(order)

    def _work(self, order: _Order) -> None:
        """Have one job done; what goes wrong is told, and costs this job alone."""
        completed = Completed(order.job.track_id)
        error: Sam3dError | None = None
        try:
            message = message_of(Kind.WORK, order.job)
            answer = self._answer(message, lambda: not order.is_wanted)
            completed = value_of(Completed, answer)
        except CancelledError:
            pass  # whoever cancelled it knows
        except Sam3dError as failure:
            error = failure
        with self._changed:
            self._running = None
            self._changed.notify_all()
            if order.future is None and order.is_wanted:
                self._finished.append(completed)
        if order.is_dropped:
            _refuse(order)
        elif order.future is not None:
            _answer(order.future, error or completed)
        else:
            if error is not None:
                self._failed(error)
            self._done()

    def _answer(self, message: Message, cancelled: Callable[[], bool]) -> Message:
        """Have a job done elsewhere, or here where nobody is there or it dies meanwhile."""
        if self._elsewhere is not None:
            try:
                return self._elsewhere.ask(message, self._longest_s, cancelled)
            except NotReadyError as error:
                LOG.debug('%s', error)
        return self._process.ask(message, self._longest_s, cancelled)


def _refuse(order: _Order) -> None:
    if order.future is not None:
        _answer(order.future, CancelledError('completion ended before this job'))


def _answer(future: Future[Completed], outcome: Completed | Sam3dError) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Sam3dError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def worker_process(config: ReconstructionConfig) -> WorkerProcess:
    """Return the process that completes objects, started when it is first asked.

    :param config: of the stage.
    """
    values = json.dumps(flatten(config))
    return WorkerProcess(
        'completion',
        lambda descriptor: [
            sys.executable,
            '-P',
            '-m',
            'sam3d_ros.reconstruction.completion.completion_worker',
            f'--fd={descriptor}',
            f'--config={values}',
        ],
        # Its threads would take the cores from those that find poses.
        environment={**os.environ, 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'},
        start_timeout_s=START_TIMEOUT_S,
    )
