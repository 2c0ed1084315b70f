# SPDX-License-Identifier: Apache-2.0
"""The worker that completes objects beside the poses: a program, started by :mod:`.lane`."""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from sam3d_ros.core.config import build
from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.core.pretrained.inference import limit_threads
from sam3d_ros.core.registry import with_options
from sam3d_ros.core.workers.process import CancelledError
from sam3d_ros.core.workers.protocol import Kind, Message, receive, serve
from sam3d_ros.core.workers.values import message_of, value_of
from sam3d_ros.reconstruction.completion.completer import Completer, Job
from sam3d_ros.reconstruction.config import ReconstructionConfig

NICENESS = 5
"""Poses come first, three to one: at 10 a busy machine would leave shapes a tenth of a core."""
AGAIN_S = 0.05


def answer(completer: Completer, connection: socket.socket, message: Message) -> Message:
    """Return what comes of a request as a message, also when that is a failure.

    :param completer: does the work.
    :param connection: to the client, who may cancel the work.
    :param message: a WORK with a job, or a LOAD with a backend's name.
    """
    try:
        if message.kind == Kind.LOAD:
            completer.load(message.fields['backend'])
            return Message(Kind.RESULT)
        job = value_of(Job, message)
        with until_cancelled(connection, completer.cancel):
            completed = completer.complete([job])[0]
        if completed.shape is not None:
            # Made here, since whoever tells of the shape is the one who finds poses.
            completed = replace(completed, shape=completed.shape.with_parts(job.T_ref_obj))
        return message_of(Kind.RESULT, completed)
    except CancelledError as error:
        return Message(Kind.FAILURE, {'cancelled': True, 'reason': str(error)})
    except Sam3dError as error:
        reason = str(error)
    except Exception:
        # A backend may be anybody's code: whatever it raises costs this job, and is told whole.
        reason = traceback.format_exc()
    return Message(Kind.FAILURE, {'cancelled': False, 'reason': reason})


@contextmanager
def until_cancelled(connection: socket.socket, cancel: Callable[[], None]) -> Iterator[None]:
    """Listen for a cancel while something is done.

    :param connection: to the client.
    :param cancel: called when one comes, and again and again until the work has ended.
    """
    ours, theirs = socket.socketpair()

    def listen() -> None:
        readable, _, _ = select.select([connection, theirs], [], [])
        if connection in readable:
            # A cancel; or it closes, or is gone, and then nobody wants it any more either.
            with suppress(EOFError, OSError):
                receive(connection)
            cancel()
            while not select.select([theirs], [], [], AGAIN_S)[0]:
                cancel()  # evidence comes first: the backend may not have begun before

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        ours.close()
        thread.join()
        theirs.close()


def main() -> None:
    """Serve the socket whose descriptor was handed over."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--fd', type=int, required=True)
    parser.add_argument('--config', type=json.loads, required=True)
    args = parser.parse_args()
    os.nice(NICENESS)
    limit_threads(1)
    kind = with_options('reconstruction', ReconstructionConfig)
    completer = Completer(build(kind, args.config))
    with socket.socket(fileno=args.fd) as connection:
        serve(connection, partial(answer, completer, connection))
    completer.close()


if __name__ == '__main__':
    main()
