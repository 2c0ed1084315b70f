# SPDX-License-Identifier: Apache-2.0
"""Prompts from topics: RViz's Publish Point, clicks and boxes in an image. Nobody is answered."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import RegionOfInterest

from sam3d_ros.core.errors import PromptError, Sam3dError, TransformError
from sam3d_ros.core.types import BoxPrompt, Frame, PointPrompt, Prompt
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.messages.headers import vector
from sam3d_ros.messages.prompts import box_from
from sam3d_ros.nodes.objects.tickets import Tickets
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.session.prompts.answers import Answered
from sam3d_ros.session.session import Session


class Clicks:
    """Turns what is clicked into prompts, for as long as a node is active; the log has the answer.

    :param node: whose topics are listened to, and whose worker has the session.
    :param session: is prompted.
    :param tickets: have it answered.
    """

    def __init__(self, node: StageNode, session: Session, tickets: Tickets) -> None:
        self._node = node
        self._tickets = tickets
        self._session = session
        node.listen(PointStamped, 'clicked_point', self._on_clicked_point)
        node.listen(PointStamped, 'segmentation/prompt/point_px', self._on_point_px)
        node.listen(RegionOfInterest, 'segmentation/prompt/box', self._on_box)

    def _on_point_px(self, message: PointStamped) -> None:
        point = (float(message.point.x), float(message.point.y))
        self._prompt(lambda: PointPrompt((point,), (1,)))

    def _on_box(self, message: RegionOfInterest) -> None:
        self._prompt(lambda: BoxPrompt(box_from(message)))

    def _on_clicked_point(self, message: PointStamped) -> None:
        self._prompt(lambda: clicked(message, self._session.latest()))

    def _prompt(self, make: Callable[[], Prompt]) -> None:
        _, future = self._tickets.ask(make)
        future.add_done_callback(self._tell)

    def _tell(self, future: Future[Answered]) -> None:
        if future.cancelled():
            return
        logger = self._node.get_logger()
        error = future.exception()
        if isinstance(error, Sam3dError):
            logger.warning(f'prompt not served: {error}')
        elif error is not None:
            logger.error(f'a prompt failed: {type(error).__name__}: {error}')
        else:
            ids = future.result().ids
            what = f'object {", ".join(map(str, ids))}' if ids else 'a new object'
            logger.info(f'the prompt selects {what}')


def clicked(message: Any, frame: Frame) -> PointPrompt:
    """Return the prompt of a click in RViz.

    :param message: a PointStamped in RViz's fixed frame; its stamp is not an image's.
    :param frame: the latest one.
    :raises TransformError: when it is in neither the fixed frame nor the camera's.
    :raises PromptError: when it lies behind the camera.
    """
    point, frame_id = vector(message.point), message.header.frame_id.removeprefix('/')
    if frame_id == frame.fixed_frame:
        point = apply(inverse(frame.T_fixed_cam), point)
    elif frame_id != frame.frame_id:
        raise TransformError(
            f'a point in frame "{frame_id}"',
            wanted=f'"{frame.fixed_frame}" or "{frame.frame_id}"',
            remedy=f'Set the Fixed Frame of RViz to {frame.fixed_frame}.',
        )
    pixel = project(point, frame.camera)
    if not np.isfinite(pixel).all():
        raise PromptError('a point behind the camera', wanted='a point in the image')
    return PointPrompt(((float(pixel[0]), float(pixel[1])),), (1,))
