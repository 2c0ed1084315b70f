# SPDX-License-Identifier: Apache-2.0
"""Service replies: every service of the graph answers with ``success``, ``code``, ``message``."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from rclpy.client import Client

from sam3d_ros.core.errors import (
    BackendError,
    InputError,
    NotFoundError,
    NotReadyError,
    PromptError,
    Sam3dError,
)

OK, BAD_REQUEST, NOT_FOUND, NOT_READY, FAILED = range(5)
"""The values of ``code`` in every response and in the result of Reconstruct."""


ANSWER_TIMEOUT_S = 5.0
"""How long one node waits for another's answer."""


def code_of(error: Exception) -> int:
    """Return the response code that says what went wrong."""
    match error:
        case NotFoundError():
            return NOT_FOUND
        case NotReadyError() | BackendError():
            return NOT_READY
        case PromptError() | InputError():
            return BAD_REQUEST
    return FAILED


def call(client: Client, request: Any, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
    """Return the response of another node's service; it must be a success.

    :param client: of the service.
    :param request: what is asked.
    :raises NotReadyError: when there is no such service, or it does not answer in time.
    :raises NotFoundError, InputError: when it refuses.
    """
    if not client.service_is_ready():
        raise NotReadyError(f'nobody offers {client.srv_name}', wanted='the node that does')
    response = client.call(request, timeout_sec=timeout_s)
    if response is None:
        raise NotReadyError(f'{client.srv_name} gave no answer in {timeout_s:g} s')
    if not response.success:
        kinds = {BAD_REQUEST: InputError, NOT_FOUND: NotFoundError}
        raise kinds.get(response.code, NotReadyError)(f'{client.srv_name}: {response.message}')
    return response


def answering(
    handle: Callable[[Any, Any], str], log_error: Callable[[str], Any]
) -> Callable[[Any, Any], Any]:
    """Return a service callback: ``handle`` fills the response and returns its message.

    What it raises becomes the response's code and message; what is not ours is logged too.

    :param log_error: takes the trace of an error that is not ours.
    """

    def callback(request: Any, response: Any) -> Any:
        try:
            response.message = handle(request, response)
            response.success, response.code = True, OK
        except Exception as error:
            if not isinstance(error, Sam3dError):
                log_error(f'a request failed:\n{traceback.format_exc()}')
            response.success, response.code = False, code_of(error)
            response.message = str(error) or type(error).__name__
        return response

    return callback


def answer_from(threads: Executor, service: Any) -> None:
    """Let a service's callback run in other threads, and answer when it is done.

    rclpy sends what a callback returns, at once; here it returns what will be the response.

    :param threads: run the callback; one that is dropped there leaves its request unanswered.
    :param service: of rclpy, with its callback.
    """
    serve, send = service.callback, service.send_response

    def send_once_done(response: Future[Any], header: Any) -> None:
        response.add_done_callback(lambda done: done.cancelled() or send(done.result(), header))

    service.callback = partial(threads.submit, serve)
    service.send_response = send_once_done
