# SPDX-License-Identifier: Apache-2.0
"""Prompts of a running graph: a thread of their own asks the segmenter, and frames go on.

What a slow backend has not answered in time gets a ticket, its number; the answer is kept for
whoever asks for it by that number, and for corrections.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from typing import Any

import numpy as np

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import NotFoundError, NotReadyError
from sam3d_ros.core.types import Prompt
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.types import MessageTypes
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.session.prompts.answers import Answered, Question
from sam3d_ros.session.session import Session

PATIENCE_S = 3.0
"""Whoever asks waits so long for the answer itself."""
KEPT = 16
"""So many tickets are valid."""


class Tickets:
    """Asks, for as long as a node is active.

    :param node: whose worker has the session.
    :param session: is prompted.
    """

    def __init__(self, node: StageNode, session: Session) -> None:
        self._node = node
        self._session = session
        self._asking = ThreadPoolExecutor(1, thread_name_prefix='prompts')
        self._given: dict[int, Future[Answered]] = {}
        self._count = 0
        self._lock = threading.Lock()
        node.on_close(lambda: self._asking.shutdown(wait=False, cancel_futures=True))

    def ask(
        self, make: Callable[[], Prompt | Correction], stamp_ns: int | None = None
    ) -> tuple[int, Future[Answered]]:
        """Have a prompt answered; return its ticket, and what will be the answer.

        :param make: returns what is said, between two frames; a correction names a ticket.
        :param stamp_ns: of the frame that its pixels are of; None = the latest.
        """

        def answer() -> Answered:
            def question() -> Question:
                said = make()
                if isinstance(said, Correction):
                    said = replace(said, number=self._corrected(said.number))
                return self._session.question(said, stamp_ns)

            asked = self._node.call_worker(question).result()
            given = asked.ask(self._session.segmenter)
            return self._node.call_worker(lambda: self._session.take(asked, given)).result()

        with self._lock:
            self._count += 1
            future = self._asking.submit(answer)
            self._given[self._count] = future
            while len(self._given) > KEPT:
                del self._given[next(iter(self._given))]
            return self._count, future

    def of(self, ticket: int) -> Future[Answered]:
        """Return what is or will be the answer of a ticket.

        :raises NotFoundError: when there is no such ticket.
        """
        with self._lock:
            if ticket not in self._given:
                raise NotFoundError(
                    f'no prompt {ticket}',
                    wanted=f'one of {", ".join(map(str, self._given)) or "none yet"}',
                    remedy='Point at it anew.',
                )
            return self._given[ticket]

    def _corrected(self, ticket: int) -> int:
        """Return the number by which the session knows the answer of an earlier ticket."""
        # Prompts are answered in turn: what has no answer yet is this correction itself.
        future = self.of(ticket)
        if not future.done() or not future.result().number:
            raise NotFoundError(
                f'prompt {ticket} is none that can be corrected',
                wanted='an earlier one by points, a box or a mask',
                remedy='Point at it anew.',
            )
        return future.result().number


def answer_in_time(future: Future[Answered]) -> Answered | None:
    """Return an answer, None when it is not there in time.

    :raises Sam3dError: what the asking ended in.
    :raises NotReadyError: when the node has ended meanwhile.
    """
    try:
        return future.result(PATIENCE_S)
    except CancelledError as error:
        raise NotReadyError('the node ends', wanted='one that runs') from error
    except FutureTimeoutError:
        return None


def fill_answer(types: MessageTypes, response: Any, answer: Answered) -> None:
    """Put an answer into a response of AddPrompt.

    :param types: makes the messages.
    :param response: whose ticket stands already.
    :param answer: with alternatives, or ids alone.
    """
    response.track_ids = [str(object_id) for object_id in answer.ids]
    if not answer.number:
        response.number = 0
    frame = answer.frame
    header = header_message(types, frame.stamp_ns, frame.frame_id)
    masks = [item.mask for item in answer.alternatives]
    masks += [] if answer.region is None else [answer.region]
    images = [
        types.new(
            'sensor_msgs/msg/Image',
            header=header,
            height=mask.shape[0],
            width=mask.shape[1],
            encoding='mono8',
            step=mask.shape[1],
            data=mask.reshape(-1).astype(np.uint8) * np.uint8(255),
        )
        for mask in masks
    ]
    if answer.region is not None:
        response.region = images.pop()
    response.masks = images
    response.presence = float(answer.presence)
    response.scores = [float(item.score) for item in answer.alternatives]
    response.levels = list(answer.levels)
    response.chosen = answer.chosen
