# SPDX-License-Identifier: Apache-2.0
"""The worker's protocol over topics: what a session and a reconstruction node say."""

from __future__ import annotations

import threading
import uuid
from array import array
from collections.abc import Callable
from time import monotonic

from sam3d_msgs.msg import Work

from sam3d_ros.core.errors import BackendError, NotReadyError
from sam3d_ros.core.workers.process import CancelledError, result_in
from sam3d_ros.core.workers.protocol import Kind, Message, ProtocolError, pack, unpack
from sam3d_ros.messages.topics import WORK, WORK_DONE
from sam3d_ros.nodes.managed_node import ManagedNode

NAME = 'the reconstruction node'
BEAT_S = 0.5
"""How often a reconstruction node says that it is there."""
SILENCE_S = 2.0
"""Without a word for this long, it is gone."""
POLL_S = 0.05


def work(client: str, number: int, message: Message) -> Work:
    """Return a message of the protocol as a message of ROS.

    :param client: who asks or is answered; empty = to everybody.
    :param number: of the request.
    :param message: what is said.
    """
    return Work(client=client, number=number, data=array('B', pack(message)))


class WorkElsewhere:
    """The session's side: a reconstruction node as a worker that may come and go.

    :param node: publishes requests and, while active, listens to answers.
    """

    def __init__(self, node: ManagedNode) -> None:
        self._node = node
        self._work = node.publish_topic(WORK)
        # A session that was started again must not take the answers to the one before.
        self._client = f'{node.get_fully_qualified_name()} {uuid.uuid4().hex[:8]}'
        self._changed = threading.Condition()
        self._number = 0
        self._answer: Message | None = None
        self._heard_s = float('-inf')

    def listen(self) -> None:
        """Hear of a reconstruction node until the node is deactivated."""
        self._node.listen(Work, WORK_DONE.name, self._hear)

    @property
    def is_there(self) -> bool:
        """Whether a node of this version has said a word lately."""
        return monotonic() - self._heard_s < SILENCE_S

    def ask(self, message: Message, timeout_s: float, cancelled: Callable[[], bool]) -> Message:
        """Return the answer to a request; see :class:`lane.Elsewhere`.

        :param message: the request.
        :param timeout_s: longest time for the answer.
        :param cancelled: whether nobody wants the answer any more.
        """
        if not self.is_there:
            raise NotReadyError(f'{NAME} is not there')
        deadline = monotonic() + timeout_s
        with self._changed:
            self._number += 1
            self._answer = None
            self._work.publish(work(self._client, self._number, message))
            while self._answer is None:
                if cancelled() or monotonic() > deadline:
                    self._work.publish(work(self._client, self._number, Message(Kind.CANCEL)))
                    if cancelled():
                        raise CancelledError(f'the request to {NAME} was cancelled')
                    raise BackendError(f'{NAME} did not answer within {timeout_s:g} s')
                if not self.is_there:
                    raise NotReadyError(f'{NAME} is gone, and with it its answer')
                self._changed.wait(POLL_S)
            return result_in(self._answer, NAME)

    def _hear(self, said: Work) -> None:
        """Take an answer, or note that a node is there; in the thread of the node's callbacks."""
        try:
            message = unpack(said.data.tobytes())
        except ProtocolError as error:
            self._node.get_logger().warning(f'{NAME} is not used: {error}', once=True)
            return
        with self._changed:
            self._heard_s = monotonic()
            if (said.client, said.number) == (self._client, self._number):
                self._answer = message
                self._changed.notify_all()
