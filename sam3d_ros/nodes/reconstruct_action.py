# SPDX-License-Identifier: Apache-2.0
"""The action Reconstruct: known objects once more, one by one, until done or cancelled.

One goal at a time: a second one is rejected while the first runs. A cancel is answered at once;
what the worker is computing for it then is finished and dropped.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from builtin_interfaces.msg import Duration
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sam3d_msgs.action import Reconstruct

from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.core.types import Frame, Reconstruction, Reconstructions, Scene, Track, Tracks
from sam3d_ros.messages.products import MeshLibrary
from sam3d_ros.messages.scene import object_message
from sam3d_ros.messages.types import ClassTypes
from sam3d_ros.nodes.requests import FAILED, OK, NotFoundError, NotReadyError, code_of
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.memory import ObjectMemory

POLL_S = 0.05

Latest = tuple[Frame, Tracks]
Again = Callable[[Frame, Tracks, int, str], Reconstruction | None]
Call = Callable[[Callable[[], list[Any]]], Future[list[Any]]]


class ReconstructServer:
    """Serves the action for one node.

    :param latest: the last frame that was reconstructed, None before the first; asked for in
        the worker.
    :param again: makes one track's shape again; called in the worker.
    :param call: runs a function in the worker.
    """

    def __init__(
        self,
        node: Node,
        group: ReentrantCallbackGroup,
        latest: Callable[[], Latest | None],
        again: Again,
        call: Call,
    ) -> None:
        self._node = node
        self._latest = latest
        self._again = again
        self._call = call
        self._running = threading.Lock()
        self._server = ActionServer(
            node,
            Reconstruct,
            '~/reconstruct',
            self._execute,
            callback_group=group,
            goal_callback=self._accept,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )

    def close(self) -> None:
        """Take the action off the graph."""
        self._server.destroy()

    def _accept(self, request: Any) -> GoalResponse:
        if self._running.acquire(blocking=False):
            return GoalResponse.ACCEPT
        self._node.get_logger().warning('Reconstruct goal rejected: another one is running')
        return GoalResponse.REJECT

    def _execute(self, goal: Any) -> Any:
        """Wait for the worker; runs in a thread of the executor that has nothing else to do."""
        cancelled = threading.Event()
        try:
            future = self._call(lambda: self._rebuild(goal, cancelled))
            while not goal.is_cancel_requested:
                try:
                    return self._succeeded(goal, future.result(POLL_S))
                except FutureTimeoutError:
                    continue
            cancelled.set()
            goal.canceled()
            return Reconstruct.Result(success=False, code=FAILED, message='cancelled')
        except Exception as error:
            return self._failed(goal, error)
        finally:
            self._running.release()

    def _succeeded(self, goal: Any, objects: list[Any]) -> Any:
        goal.succeed()
        message = f'{len(objects)} objects'
        return Reconstruct.Result(success=True, code=OK, message=message, objects=objects)

    def _failed(self, goal: Any, error: Exception) -> Any:
        if not isinstance(error, Sam3dError):
            self._node.get_logger().error(f'Reconstruct failed:\n{traceback.format_exc()}')
        goal.abort()
        message = str(error) or type(error).__name__
        return Reconstruct.Result(success=False, code=code_of(error), message=message)

    def _rebuild(self, goal: Any, cancelled: threading.Event) -> list[Any]:
        """Make every chosen object again; in the worker."""
        latest = self._latest()
        if latest is None:
            raise NotReadyError('no frame yet', wanted='a frame that was reconstructed')
        frame, tracks = latest
        chosen = choose(goal.request.ids, goal.request.region, tracks)
        begin, made = time.perf_counter(), []
        for done, track in enumerate(chosen):
            if cancelled.is_set():
                return []
            spent_s = time.perf_counter() - begin
            eta_s = spent_s / done * (len(chosen) - done) if done else 0.0
            goal.publish_feedback(_feedback(done / len(chosen), eta_s))
            result = self._again(frame, tracks, track.id, goal.request.backend)
            if result is None:
                raise NotFoundError(f'object {track.id} has not shown enough to reconstruct')
            made.append(result)
        goal.publish_feedback(_feedback(1.0, 0.0))
        return _messages(frame, tracks, made)


def choose(ids: Sequence[str], region: Any, tracks: Tracks) -> list[Track]:
    """Return the tracks of a goal: by id, by region, or every confirmed one that is seen.

    :raises NotFoundError: when an id is not tracked, or nothing lies in the region.
    """
    known = {str(track.id): track for track in tracks.items}
    missing = [object_id for object_id in ids if object_id not in known]
    if missing:
        raise NotFoundError(
            f'no object {", ".join(missing)}', wanted=f'some of: {", ".join(known) or "none"}'
        )
    if ids:
        return [known[object_id] for object_id in ids]
    seen = [track for track in tracks.items if track.instance >= 0]
    if not (region.width and region.height):
        return [track for track in seen if track.state]
    left, top = int(region.x_offset), int(region.y_offset)
    window = (slice(top, top + int(region.height)), slice(left, left + int(region.width)))
    masks = {track.id: tracks.instances.items[track.instance].mask for track in seen}
    inside = [t for t in seen if 2 * masks[t.id][window].sum() > masks[t.id].sum()]
    if not inside:
        raise NotFoundError('nothing in the region', wanted='a region around a tracked object')
    return inside


def _feedback(fraction: float, eta_s: float) -> Any:
    seconds = int(eta_s)
    eta = Duration(sec=seconds, nanosec=int((eta_s - seconds) * 1e9))
    return Reconstruct.Feedback(stage='completion', fraction=fraction, eta=eta)


def _messages(frame: Frame, tracks: Tracks, made: Sequence[Reconstruction]) -> list[Any]:
    """Return the SceneObjects of reconstructions, placed in the fixed frame."""
    visible = {item.track_id for item in made}
    seen = Tracks(
        tracks.stamp_ns,
        tracks.instances,
        tuple(t for t in tracks.items if t.id in visible and t.instance >= 0),
    )
    reconstructions = Reconstructions(frame.stamp_ns, tuple(made))
    scene: Scene = ObjectMemory(SceneConfig()).update(frame, seen, reconstructions)
    products = MeshLibrary(marker_faces=100).update(scene)
    types = ClassTypes()
    return [object_message(types, scene, item, products[item.id]) for item in scene.objects]
