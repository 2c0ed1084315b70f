# SPDX-License-Identifier: Apache-2.0
"""The adapter's side of the worker: start, ask, time out, cancel, restart."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.reconstruction.sam3d_objects.config import Sam3dObjectsConfig
from sam3d_ros.reconstruction.sam3d_objects.protocol import (
    Kind,
    Message,
    ProtocolError,
    receive,
    send,
)

POLL_S = 0.05
GRACE_S = 0.3
"""How long a worker may take to obey before it is killed; a cancel must work within 0.5 s."""


@dataclass(frozen=True, slots=True, eq=False)
class OfficialRequest:
    """One object as the official interface wants it.

    :param image: (H, W, 3) uint8 RGB.
    :param mask: (H, W) bool.
    :param pointmap: (H, W, 3) float32 in the official camera, metres, NaN = none.
    """

    image: ByteArray
    mask: BoolArray
    pointmap: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class OfficialResult:
    """One object as the official interface returns it; see ``worker.read_output``."""

    rotation_wxyz: FloatArray
    translation: FloatArray
    scale: FloatArray
    vertices: Float32Array
    faces: IndexArray
    colors: ByteArray


class CancelledError(BackendError):
    """The request was cancelled before it was done."""


class OfficialWorker:
    """A worker process; started when first needed, and again after it died."""

    def __init__(self, config: Sam3dObjectsConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def reconstruct(
        self,
        requests: Sequence[OfficialRequest],
        seed: int,
        cancelled: Callable[[], bool],
    ) -> list[OfficialResult]:
        """Return one result for each request.

        :raises CancelledError: within half a second after ``cancelled()`` turned true.
        :raises BackendError: when the worker cannot start, fails, dies or exceeds its time.
        """
        arrays: dict[str, np.ndarray] = {}
        for index, request in enumerate(requests):
            arrays[f'image_{index}'] = request.image
            arrays[f'mask_{index}'] = request.mask
            arrays[f'pointmap_{index}'] = request.pointmap
        message = Message(Kind.RECONSTRUCT, {'count': len(requests), 'seed': seed}, arrays)
        answer = self._ask(message, self._config.timeout_s * len(requests), cancelled)
        if self._config.memory == 'on_demand':
            self._ask(Message(Kind.UNLOAD), self._config.timeout_s, cancelled)
        names = ('rotation', 'translation', 'scale', 'vertices', 'faces', 'colors')
        return [
            OfficialResult(*(answer.arrays[f'{name}_{index}'] for name in names))
            for index in range(len(requests))
        ]

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

    def _ask(self, message: Message, timeout_s: float, cancelled: Callable[[], bool]) -> Message:
        connection = self._connected(cancelled)
        try:
            send(connection, message)
            answer = self._await(connection, timeout_s, cancelled)
        except (OSError, EOFError, ProtocolError) as error:
            raise self._died(error) from error
        if answer.kind == Kind.FAILURE:
            if answer.fields['cancelled']:
                raise CancelledError('the reconstruction was cancelled')
            raise BackendError(f'SAM 3D Objects failed: {answer.fields["reason"]}')
        return answer

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
                    raise CancelledError('the reconstruction was cancelled, its worker ended')
                raise BackendError(
                    f'SAM 3D Objects did not answer within {timeout_s:g} s',
                    wanted='an answer',
                    remedy='Raise reconstruction.sam3d_objects.timeout_s, or look at its output.',
                )

    def _connected(self, cancelled: Callable[[], bool]) -> socket.socket:
        if self._connection is not None and self._process is not None:
            if self._process.poll() is None:
                return self._connection
            self._kill()
        self._start()
        assert self._connection is not None
        try:
            ready = self._await(self._connection, self._config.timeout_s, cancelled)
        except (OSError, EOFError, ProtocolError) as error:
            raise self._died(error) from error
        if ready.kind != Kind.READY:
            self._kill()
            raise BackendError(f'the worker began with {ready.kind.name}', wanted='READY')
        return self._connection

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [
            self._config.python,
            str(Path(__file__).with_name('worker.py')),
            f'--fd={theirs.fileno()}',
            f'--notebook={self._config.notebook}',
            f'--config={self._config.pipeline}',
        ]
        try:
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        except OSError as error:
            ours.close()
            raise BackendError(
                f'the interpreter "{self._config.python}" cannot be started: {error}',
                wanted='the Python of a SAM 3D Objects installation',
                remedy='Set reconstruction.sam3d_objects.python to it.',
            ) from error
        finally:
            theirs.close()
        self._connection = ours

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
            f'the SAM 3D Objects worker is gone (exit code {code}): {error}',
            wanted='a running worker',
            remedy='Its own output says why; the next request starts it anew.',
        )
