# SPDX-License-Identifier: Apache-2.0
"""Looking at the image: which network pass a frame is worth, and what comes of it.

A pass is either a look at the whole image for new people, a look at a tall body that nobody has
looked at yet, or the joints of one person in the square where they were last. Every frame has few
passes; what waited longest goes first, so that the cost of a frame does not grow with people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import ByteArray, Camera, FloatArray, Frame
from sam3d_ros.people.blazepose.detector import Detection, Square
from sam3d_ros.people.blazepose.landmarks import PRESENT, BodyNetworks, Landmarks, body_square
from sam3d_ros.people.config import PeopleConfig

WINDOW = 1.5
"""Side of the window about a tall body over its height in the image."""
SURE_OF_BODY = 0.8
"""Presence that a square needs the first time."""
LOOK_AGAIN_S = 0.2
"""A tall body that no look has recognised waits so long for the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one pass over a square has shown.

    :param owner: id of the person whose square it was; 0 = somebody new.
    :param score: of the detection, or the presence of a body.
    """

    owner: int
    score: float
    landmarks: Landmarks


@dataclass(frozen=True, slots=True, eq=False)
class _New:
    """A detection whose joints wait for their pass."""

    stamp_ns: int
    score: float
    square: Square


class Looking:
    """The networks and their turns, for all cameras of a session.

    :param config: how often to look, and with how many passes.
    """

    def __init__(self, config: PeopleConfig) -> None:
        self._config = config
        self._networks = BodyNetworks(config.threshold, config.device)
        self._looked_ns: dict[str, int] = {}
        self._windows_ns: dict[int, int] = {}
        self._waiting: dict[str, list[_New]] = {}

    def reset(self) -> None:
        """Forget whose turn it is."""
        self._looked_ns.clear()
        self._windows_ns.clear()
        self._waiting.clear()

    def look(
        self,
        frame: Frame,
        squares: Sequence[tuple[int, int, Square]],
        windows: Sequence[tuple[int, Square]],
    ) -> list[Look]:
        """Return what the passes of one frame have shown.

        :param frame: one observation.
        :param squares: (id, stamp of its last joints, where to look) of everyone with joints.
        :param windows: (id, where to look) of tall bodies that nobody has recognised.
        """
        name, now = frame.camera_name, frame.stamp_ns
        left = self._config.passes
        waiting = [item for item in self._waiting.pop(name, []) if now - item.stamp_ns < 1e9]
        made: list[Look] = []
        turns = sorted(squares, key=lambda item: item[1])
        every_ns = round(1e9 * self._config.detect_every_s)
        is_due = now - self._looked_ns.get(name, -(1 << 60)) >= every_ns
        unseen = [
            (id_, square)
            for id_, square in windows
            if now - self._windows_ns.get(id_, -(1 << 60)) >= round(1e9 * LOOK_AGAIN_S)
        ]
        unseen.sort(key=lambda item: self._windows_ns.get(item[0], 0))
        # Somebody may not go without joints while others wait to be recognised.
        while left > 0 and (waiting or turns or unseen or is_due):
            left -= 1
            if waiting:
                made += self._joints_of_new(frame, waiting)
            elif is_due:
                is_due = False
                self._looked_ns[name] = now
                waiting += self._found(frame, None, squares)
            elif unseen and not (turns and now - turns[0][1] > 3e8):
                id_, window = unseen.pop(0)
                self._windows_ns[id_] = now
                waiting += self._found(frame, window, squares)[:1]
            elif turns:
                id_, _, square = turns.pop(0)
                landmarks = self._networks.landmarks(frame.rgb, square)
                made.append(Look(id_, landmarks.presence, landmarks))
        self._waiting[name] = waiting
        return made

    def _found(
        self, frame: Frame, window: Square | None, squares: Sequence[tuple[int, int, Square]]
    ) -> list[_New]:
        """Return the people that a look has found and nobody follows."""
        found = []
        for person in self._networks.detect(frame.rgb, window):
            square = body_square(person)
            if not any(_same(square, other) for _, _, other in squares):
                found.append(_New(frame.stamp_ns, person.score, square))
        return found

    def _joints_of_new(self, frame: Frame, waiting: list[_New]) -> list[Look]:
        new = waiting.pop(0)
        landmarks = self._networks.landmarks(frame.rgb, new.square)
        if landmarks.presence < max(PRESENT, SURE_OF_BODY):
            return []
        return [Look(0, new.score, landmarks)]


def find_in_photograph(
    networks: BodyNetworks, rgb: ByteArray
) -> list[tuple[Detection, Landmarks]]:
    """Return everybody in one picture, without a time before or after.

    The square of a detection is rough; that of its landmarks is good, so there are two passes.

    :param networks: of BlazePose.
    :param rgb: (H, W, 3) uint8.
    """
    found = []
    for person in networks.detect(rgb):
        first = networks.landmarks(rgb, body_square(person))
        if first.presence < SURE_OF_BODY:
            continue
        second = networks.landmarks(rgb, first.following)
        found.append((person, second if second.presence >= SURE_OF_BODY else first))
    return found


def window_about(camera: Camera, points_cam: FloatArray) -> Square | None:
    """Return the square of the image about a body, or None when it is not before the camera.

    :param points_cam: (2, 3) its lower and upper end, optical frame, metres.
    """
    if points_cam[:, 2].min() < 0.2:
        return None
    pixels = points_cam[:, :2] / points_cam[:, 2:] * [camera.fx, camera.fy] + [
        camera.cx,
        camera.cy,
    ]
    low, high = np.clip(pixels, 0, [camera.width - 1, camera.height - 1])
    side = WINDOW * max(float(np.linalg.norm(high - low)), 48.0)
    middle = (low + high) / 2
    return Square((float(middle[0]), float(middle[1])), side, 0.0)


def _same(a: Square, b: Square) -> bool:
    """Return whether two squares show one body."""
    apart = float(np.hypot(a.center_px[0] - b.center_px[0], a.center_px[1] - b.center_px[1]))
    return apart < 0.2 * min(a.side_px, b.side_px)
