# SPDX-License-Identifier: Apache-2.0
"""The client's side of a worker: start, ask, time out, cancel, start again."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.workers.protocol import Kind, Message, ProtocolError, receive, send

POLL_S = 0.05
GRACE_S = 0.3
"""How long a worker may take to obey before it is killed; a cancel must work within 0.5 s."""


class CancelledError(BackendError):
    """The request was cancelled before it was done."""


def result_in(answer: Message, name: str) -> Message:
    """Return an answer that is a result.

    :param answer: to a request.
    :param name: what errors call the worker.
    :raises CancelledError: when it says that the request was cancelled.
    :raises BackendError: when it says that the worker failed.
    """
    if answer.kind != Kind.FAILURE:
        return answer
    if answer.fields['cancelled']:
        raise CancelledError(f'the request to {name} was cancelled')
    raise BackendError(f'{name} failed: {answer.fields["reason"]}')


class WorkerProcess:
    """A worker process; started when first needed, and again after it died.

    It speaks :mod:`core.workers.protocol` over a socket whose descriptor its command line names,
    begins with READY, and answers every request with RESULT or FAILURE.

    :param name: what errors call it, e.g. ``SAM 3D Objects``.
    :param command: the descriptor to the command that starts it.
    :param environment: of the process; None = this one's.
    :param start_timeout_s: longest time until READY, s.
    :param remedies: what to do when it cannot be ``start``-ed, or ``answer``-s too late.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        *,
        start_timeout_s: float,
        environment: Mapping[str, str] | None = None,
        remedies: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._command = command
        self._environment = environment
        self._start_timeout_s = start_timeout_s
        self._remedies = dict(remedies or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return None if self._process is None else self._process.pid

    def ask(
        self, message: Message, timeout_s: float, cancelled: Callable[[], bool] = lambda: False
    ) -> Message:
        """Return the answer to a request.

        :param message: the request; an idle worker gets it at once.
        :param timeout_s: longest time for the answer, s.
        :param cancelled: whether nobody wants the answer any more; asked every 50 ms.
        :raises CancelledError: within half a second after ``cancelled()`` turned true.
        :raises BackendError: when the worker cannot start, fails, dies or exceeds its time.
        """
        connection = self._connected(cancelled)
        try:
            send(connection, message)
            answer = self._await(connection, timeout_s, cancelled)
        except (OSError, EOFError, ProtocolError) as error:
            raise self._died(error) from error
        return result_in(answer, self._name)

    def close(self) -> None:
        """End the worker; a later request starts a new one."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                send(self._connection, Message(Kind.QUIT))
            self._connection.close()
        if self._process is not None:
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._connection = None

    def _await(
        self, connection: socket.socket, timeout_s: float, cancelled: Callable[[], bool]
    ) -> Message:
        deadline = monotonic() + timeout_s
        asked_to_stop = False
        while True:
            readable, _, _ = select.select([connection], [], [], POLL_S)
            if readable:
                answer = receive(connection)
                if answer.kind != Kind.PROGRESS:
                    return answer
            if not asked_to_stop and cancelled():
                send(connection, Message(Kind.CANCEL))
                asked_to_stop, deadline = True, monotonic() + GRACE_S
            if monotonic() > deadline:
                self._kill()
                if asked_to_stop:
                    raise CancelledError(
                        f'the request to {self._name} was cancelled, its worker ended'
                    )
                raise BackendError(
                    f'{self._name} did not answer within {timeout_s:g} s',
                    wanted='an answer',
                    remedy=self._remedies.get('answer', 'Look at its output.'),
                )

    def _connected(self, cancelled: Callable[[], bool]) -> socket.socket:
        if self._connection is not None and self._process is not None:
            if self._process.poll() is None:
                return self._connection
            self._kill()
        connection = self._start()
        try:
            ready = self._await(connection, self._start_timeout_s, cancelled)
        except (OSError, EOFError, ProtocolError) as error:
            raise self._died(error) from error
        if ready.kind != Kind.READY:
            self._kill()
            raise BackendError(f'{self._name} began with {ready.kind.name}', wanted='READY')
        return connection

    def _start(self) -> socket.socket:
        """Start the process in a session of its own, so that a terminal's Ctrl-C spares it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = self._command(theirs.fileno())
        try:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise BackendError(
                f'the interpreter "{command[0]}" cannot be started: {error}',
                wanted=f'a Python that can run {self._name}',
                remedy=self._remedies.get('start', ''),
            ) from error
        finally:
            theirs.close()
        self._connection = ours
        return ours

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _died(self, error: Exception) -> BackendError:
        code = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(GRACE_S)
        self._kill()
        return BackendError(
            f'the worker of {self._name} is gone (exit code {code}): {error}',
            wanted='a running worker',
            remedy='Its own output says why; the next request starts it anew.',
        )
