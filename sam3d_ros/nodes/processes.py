# SPDX-License-Identifier: Apache-2.0
"""Child processes under watch: started together, deaths noticed, stopped by Ctrl-C's signal."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

DEFERRED = {signal.SIGINT, signal.SIGTERM}


def stop_on_signals() -> threading.Event:
    """Return the event that SIGINT and SIGTERM set from now on.

    Those count that came before, while :meth:`Processes.start` had them blocked. Outside of the
    main thread nothing sets it.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in DEFERRED:
            signal.signal(number, on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, DEFERRED)
    return stop


@dataclass(frozen=True, slots=True)
class Death:
    """A process that ended with a failure."""

    name: str
    exit_code: int

    def __str__(self) -> str:
        how = f'exit code {self.exit_code}'
        if self.exit_code < 0:
            how = f'signal {signal.Signals(-self.exit_code).name}'
        return f'{self.name} died ({how})'


class Processes:
    """A set of processes; a context manager that leaves none behind.

    :param log_folder: where ``NAME.log`` takes a process's output; None = this one's own.
    """

    def __init__(self, log_folder: Path | None = None) -> None:
        self._log_folder = log_folder
        self._commands: dict[str, Sequence[str]] = {}
        self._environments: dict[str, Mapping[str, str] | None] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a process in a session of its own: a terminal's Ctrl-C reaches only us.

        It starts with SIGINT and SIGTERM blocked, so that none is lost or kills it before it can
        listen; it unblocks them when it can, as :func:`stop_on_signals` does.

        :param name: that it is known by.
        :param command: program and arguments.
        :param environment: its variables; None = this process's.
        """
        self._commands[name] = command
        self._environments[name] = environment
        output = self._log(name)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, DEFERRED)
        try:
            self._running[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if output:
                output.close()

    def restart(self, name: str) -> None:
        """Start a process again with its former command."""
        self.start(name, self._commands[name], self._environments[name])

    def pid(self, name: str) -> int:
        """Return the process id of a running process."""
        return self._running[name].pid

    def exit_code(self, name: str) -> int | None:
        """Return the exit code of a process that has ended, None while it runs."""
        return self._running[name].poll()

    def running(self, name: str) -> bool:
        """Return whether a process was started and has not ended."""
        return name in self._running and self._running[name].poll() is None

    def deaths(self) -> list[Death]:
        """Return the processes that ended badly since the last call, and forget them."""
        dead = [
            Death(name, code)
            for name, process in self._running.items()
            if (code := process.poll()) not in (None, 0)
        ]
        for death in dead:
            del self._running[death.name]
        return dead

    def wait(self, name: str, timeout_s: float) -> int | None:
        """Return the exit code of a process once it ends; None when it goes on too long.

        :param name: of the process.
        :param timeout_s: longest wait.
        """
        try:
            return self._running[name].wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout_s: float = 15.0) -> list[Death]:
        """Interrupt all processes; return those that did not end well by themselves.

        What still runs after ``timeout_s`` is killed.
        """
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + timeout_s
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return self.deaths()

    def log_tail(self, name: str, lines: int = 12) -> str:
        """Return the last lines a process wrote; empty when its output was not kept.

        :param name: of the process.
        """
        if self._log_folder is None:
            return ''
        text = (self._log_folder / f'{name}.log').read_text(errors='replace')
        return '\n'.join(text.splitlines()[-lines:])

    def _log(self, name: str) -> IO[bytes] | None:
        if self._log_folder is None:
            return None
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return (self._log_folder / f'{name}.log').open('ab')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
