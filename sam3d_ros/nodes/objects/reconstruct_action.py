# SPDX-License-Identifier: Apache-2.0
"""The action Reconstruct: known objects once more, one by one, until done or cancelled.

One goal at a time: a second one is rejected while the first runs. Frames go on meanwhile. A cancel
is answered at once, and nobody goes on computing for it.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, TypeVar

from builtin_interfaces.msg import Duration
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from sam3d_msgs.action import Reconstruct

from sam3d_ros.core.errors import NotReadyError, Sam3dError
from sam3d_ros.core.types import Scene, SceneObject
from sam3d_ros.messages.results.products import MeshProducts
from sam3d_ros.messages.results.scene import object_message
from sam3d_ros.messages.types import ClassTypes
from sam3d_ros.nodes.requests import FAILED, OK, code_of
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.reconstruction.completion.completer import Completed

POLL_S = 0.05
CLOSE_S = 2.0
"""How long a node that is deactivated waits for a goal to be aborted."""
DRAWN_FACES = 100
"""Triangles of a drawing that nobody asks for here."""

Result = TypeVar('Result')


class CancelledError(Exception):
    """The goal was cancelled."""


class ReconstructServer:
    """Serves the action for one node.

    :param node: whose worker has the session.
    :param choose: returns the ids that a goal's request means; in the worker.
    :param rebuild: has an object made again, by id and backend; in the worker.
    :param deliver: takes over what came of it; returns the scene and the object; in the worker.
    """

    def __init__(
        self,
        node: StageNode,
        choose: Callable[[Any], Sequence[int]],
        rebuild: Callable[[int, str], Future[Completed]],
        deliver: Callable[[Completed], tuple[Scene, SceneObject]],
    ) -> None:
        self._node = node
        self._choose = choose
        self._rebuild = rebuild
        self._deliver = deliver
        self._running = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._server = ActionServer(
            node,
            Reconstruct,
            'reconstruction/reconstruct',
            execute_callback=lambda goal: None,  # set for each goal, when its outcome is known
            handle_accepted_callback=self._start,
            goal_callback=self._accept,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

    def close(self) -> None:
        """Abort the goal that runs, and take the action off the graph."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
        self._server.destroy()

    def _accept(self, request: Any) -> GoalResponse:
        if self._running.acquire(blocking=False):
            return GoalResponse.ACCEPT
        self._node.get_logger().warning('Reconstruct goal rejected: another one is running')
        return GoalResponse.REJECT

    def _start(self, goal: Any) -> None:
        self._thread = threading.Thread(target=self._serve, args=(goal,), name='reconstruct')
        self._thread.start()

    def _serve(self, goal: Any) -> None:
        """Make every chosen object again, and end the goal.

        rclpy executes a goal in the thread of the node's callbacks; it is given the outcome there,
        so until then the goal's status is accepted.
        """
        try:
            objects = self._rebuilt(goal)
            message = f'{len(objects)} objects'
            result = Reconstruct.Result(success=True, code=OK, message=message, objects=objects)
            end = ServerGoalHandle.succeed
        except CancelledError:
            result = Reconstruct.Result(success=False, code=FAILED, message='cancelled')
            end = ServerGoalHandle.canceled
        except Exception as error:
            if not isinstance(error, Sam3dError):
                self._node.get_logger().error(f'Reconstruct failed:\n{traceback.format_exc()}')
            message = str(error) or type(error).__name__
            result = Reconstruct.Result(success=False, code=code_of(error), message=message)
            end = ServerGoalHandle.abort
        self._running.release()

        def execute(goal: Any) -> Any:
            end(goal)
            return result

        goal.execute(execute)

    def _rebuilt(self, goal: Any) -> list[Any]:
        request = goal.request
        ids = self._outcome(goal, self._node.call_worker(lambda: self._choose(request)))
        begin, messages = time.perf_counter(), []
        for done, object_id in enumerate(ids):
            spent_s = time.perf_counter() - begin
            eta_s = spent_s / done * (len(ids) - done) if done else 0.0
            goal.publish_feedback(_feedback(done / len(ids), eta_s))
            asked = self._node.call_worker(partial(self._rebuild, object_id, request.backend))
            completed = self._outcome(goal, self._outcome(goal, asked))
            taken = self._node.call_worker(partial(self._deliver, completed))
            scene, item = self._outcome(goal, taken)
            products = MeshProducts(item.mesh, DRAWN_FACES)
            messages.append(object_message(ClassTypes(), scene, item, products))
        goal.publish_feedback(_feedback(1.0, 0.0))
        return messages

    def _outcome(self, goal: Any, future: Future[Result]) -> Result:
        """Wait for what the worker, or whoever it has asked, makes, or for a cancel."""
        while not (goal.is_cancel_requested or self._closing.is_set()):
            try:
                return future.result(POLL_S)
            except FutureTimeoutError:
                continue
        future.cancel()
        if not goal.is_cancel_requested:
            raise NotReadyError('the node was deactivated', wanted='an active node')
        raise CancelledError


def _feedback(fraction: float, eta_s: float) -> Any:
    seconds = int(eta_s)
    eta = Duration(sec=seconds, nanosec=int((eta_s - seconds) * 1e9))
    return Reconstruct.Feedback(stage='completion', fraction=fraction, eta=eta)
