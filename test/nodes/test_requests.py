# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from sam3d_ros.core.errors import (
    InputError,
    NotFoundError,
    NotReadyError,
    PromptError,
    TransformError,
)
from sam3d_ros.nodes.requests import (
    BAD_REQUEST,
    FAILED,
    NOT_FOUND,
    NOT_READY,
    OK,
    answer_from,
    answering,
)


def answer(handle) -> tuple[SimpleNamespace, list[str]]:
    logged: list[str] = []
    response = SimpleNamespace(success=None, code=None, message=None)
    return answering(handle, logged.append)(SimpleNamespace(), response), logged


def test_success_carries_the_message_of_the_handler() -> None:
    response, logged = answer(lambda request, response: 'done')
    assert (response.success, response.code, response.message) == (True, OK, 'done')
    assert not logged


@pytest.mark.parametrize(
    ('error', 'code'),
    [
        (PromptError('no place'), BAD_REQUEST),
        (InputError('no image'), BAD_REQUEST),
        (NotFoundError('no object 7', wanted='one of 1, 2'), NOT_FOUND),
        (NotReadyError('no frame yet'), NOT_READY),
        (TransformError('no TF'), FAILED),
    ],
)
def test_an_error_of_ours_becomes_its_code_and_sentence(error: Exception, code: int) -> None:
    def handle(request, response) -> str:
        raise error

    response, logged = answer(handle)
    assert (response.success, response.code, response.message) == (False, code, str(error))
    assert not logged


def test_any_other_error_is_reported_and_logged_with_its_traceback() -> None:
    response, logged = answer(lambda request, response: 1 // 0)
    assert (response.success, response.code) == (False, FAILED)
    assert 'ZeroDivisionError' in logged[0]


def test_a_service_that_takes_long_holds_up_nobody_and_answers_at_last() -> None:
    may_end, sent = threading.Event(), []

    def callback(request, response):
        assert may_end.wait(10.0)
        return f'{response} to {request}'

    service = SimpleNamespace(
        callback=callback, send_response=lambda response, header: sent.append((response, header))
    )
    with ThreadPoolExecutor(1) as threads:
        answer_from(threads, service)
        # As an executor does, in the thread of all callbacks.
        service.send_response(service.callback('a question', 'an answer'), 'its header')
        assert not sent
        may_end.set()
    assert sent == [('an answer to a question', 'its header')]
