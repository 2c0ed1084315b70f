# SPDX-License-Identifier: Apache-2.0
"""Bodies beside the frames: one person at a time is asked about, joints never wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.people import Body
from sam3d_ros.core.types import BoolArray, FloatArray, Frame
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.people.body import seen_faces
from sam3d_ros.people.sam3d_body.client import BodyRequest, OfficialBodyWorker, offset_to_returns
from sam3d_ros.people.sam3d_body.config import Sam3dBodyConfig


@dataclass(frozen=True, slots=True, eq=False)
class MadeBody:
    """A body that was asked for.

    :param person_id: whose it is.
    :param body: its surface, fixed frame, as it was in the frame that was asked about.
    :param place_m: (3,) middle of the person's trunk in that frame.
    """

    person_id: int
    body: Body
    place_m: FloatArray


class BodyLane:
    """Asks an installation about one person after the other.

    :param config: where it is, and how often it is asked.
    :param say: takes what a user should know.
    :param wait: answer within :meth:`ask`, as offline; else in a thread.
    """

    def __init__(self, config: Sam3dBodyConfig, say: Callable[[str], object], wait: bool) -> None:
        self._worker = OfficialBodyWorker(config)
        self._every_ns = round(1e9 * config.every_s)
        self._say = say
        self._wait = wait
        self._pool = ThreadPoolExecutor(1, 'sam3d-body')
        self._pending: Future[MadeBody] | None = None
        self._asked_ns: dict[int, int] = {}

    def is_due(self, person_id: int, stamp_ns: int) -> bool:
        """Return whether the lane is free and this person's turn has come.

        :param person_id: who.
        :param stamp_ns: of the frame.
        """
        last = self._asked_ns.get(person_id)
        return self._pending is None and (last is None or stamp_ns - last >= self._every_ns)

    def ask(
        self,
        person_id: int,
        frame: Frame,
        box_px: FloatArray,
        mask: BoolArray,
        place_m: FloatArray,
    ) -> None:
        """Ask about a person.

        :param person_id: who.
        :param frame: that shows the person.
        :param box_px: (4,) left, top, right, bottom about its landmarks.
        :param mask: (H, W) bool of its pixels.
        :param place_m: (3,) middle of its trunk, fixed frame.
        """
        self._asked_ns[person_id] = frame.stamp_ns
        self._pending = self._pool.submit(self._made, person_id, frame, box_px, mask, place_m)
        if self._wait:
            self._pending.exception()

    def take(self) -> MadeBody | None:
        """Return a body that has been finished since the last call, or None."""
        if self._pending is None or not self._pending.done():
            return None
        pending, self._pending = self._pending, None
        error = pending.exception()
        if isinstance(error, BackendError):
            self._say(f'people: {error}')
            return None
        return pending.result()

    def forget(self) -> None:
        """Forget whose turn it is, and what is under way."""
        self._asked_ns.clear()
        self._pending = None

    def close(self) -> None:
        """End the worker and the thread."""
        self._worker.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _made(
        self,
        person_id: int,
        frame: Frame,
        box_px: FloatArray,
        mask: BoolArray,
        place_m: FloatArray,
    ) -> MadeBody:
        request = BodyRequest(frame.rgb, box_px, mask, frame.camera.K)
        official = self._worker.estimate(request)
        points = frame.pointmap[mask]
        returns = points[np.isfinite(points[:, 2])].astype(np.float64)
        vertices = official.vertices_m + offset_to_returns(official.vertices_m, returns)
        fixed = apply(frame.T_fixed_cam, vertices).astype(np.float32)
        body = Body(fixed, official.faces, np.ones(len(official.faces), np.uint8), official.mhr)
        eye_m = frame.T_fixed_cam[:3, 3]
        labels = seen_faces(body, apply(frame.T_fixed_cam, returns), eye_m)
        return MadeBody(person_id, replace(body, face_labels=labels), place_m)
