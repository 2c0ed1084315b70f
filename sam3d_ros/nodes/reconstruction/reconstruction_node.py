# SPDX-License-Identifier: Apache-2.0
"""The optional node that completes shapes for the session, on another machine as well.

It remembers nothing. Its worker is the one that the session would start; a session does without
it as soon as it is silent.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from sam3d_msgs.msg import Work

from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.core.registry import with_options
from sam3d_ros.core.workers.process import CancelledError
from sam3d_ros.core.workers.protocol import Kind, Message, ProtocolError, unpack
from sam3d_ros.messages.topics import WORK, WORK_DONE
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.reconstruction.work import BEAT_S, work
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.reconstruction.completion.lane import LONGEST_S, START_TIMEOUT_S, worker_process
from sam3d_ros.reconstruction.config import ReconstructionConfig


class ReconstructionNode(StageNode):
    """Views of objects to shapes, one object after the other."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {'reconstruction': with_options('reconstruction', ReconstructionConfig)}
        super().__init__('reconstruction', groups, bus, **arguments)
        self._given_up: dict[str, int] = {}

    def build(self) -> None:
        """Start the worker and load its backend."""
        config = self.config('reconstruction')
        self._process = worker_process(config)
        self._process.ask(Message(Kind.LOAD, {'backend': config.completer}), START_TIMEOUT_S)
        self._done = self.publish_topic(WORK_DONE)

    def connect(self) -> None:
        """Listen to requests, and say regularly that somebody does."""
        self.listen(Work, WORK.name, self._take)
        ready = work('', 0, Message(Kind.READY))
        self.every(BEAT_S, lambda: self._done.publish(ready))

    def release(self) -> None:
        """End the worker."""
        is_built = self.is_configured
        super().release()
        if is_built:
            self._process.close()

    def process(self, item: tuple[str, int, Message]) -> None:
        """Have one job done, and answer."""
        client, number, message = item
        try:
            longest_s = LONGEST_S + self.config('reconstruction').generation_s
            answer = self._process.ask(
                message, longest_s, lambda: self._given_up.get(client) == number
            )
        except CancelledError:
            return
        except Sam3dError as error:
            answer = Message(Kind.FAILURE, {'cancelled': False, 'reason': str(error)})
        self._done.publish(work(client, number, answer))

    def _take(self, asked: Work) -> None:
        """Leave a request to the worker; it replaces one that its client has given up."""
        try:
            message = unpack(asked.data.tobytes())
        except ProtocolError as error:
            self.get_logger().warning(f'a request of {asked.client} cannot be read: {error}')
            return
        if message.kind == Kind.CANCEL:
            self._given_up[asked.client] = asked.number
        else:
            self.offer((asked.client, asked.number, message), source=asked.client)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [ReconstructionNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
