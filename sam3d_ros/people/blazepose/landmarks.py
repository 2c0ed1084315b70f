# SPDX-License-Identifier: Apache-2.0
"""The 33 landmarks of one person and the 21 of one hand, each in a turned square of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.people import HAND_JOINTS, JOINTS
from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.people.blazepose.detector import (
    THREADS,
    Detection,
    Detector,
    Square,
    upright_square,
)

BODY_GROWTH, HAND_GROWTH = 1.25, 2.6
BODY_SIZE, HAND_SIZE = 256, 224
BODY_LAYERS = ((8, 2), (16, 2), (32, 6))
PALM_LAYERS = ((8, 2), (16, 6))
PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
"""Landmarks of a hand that lie in its palm or next to it."""
PRESENT = 0.5
"""A square of less presence shows no body, or no hand."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What the network says about one person.

    :param presence: 0..1, that a person is in the square.
    :param points_px: (33, 2) pixels of the image, (u, v); may lie outside.
    :param visibility: (33,) 0..1, that a joint is in view and not hidden.
    :param relative_m: (33, 3) metres, optical axes, from the middle of the hips; of a body of
        usual size.
    :param following: the square to look at in the next image.
    """

    presence: float
    points_px: FloatArray
    visibility: FloatArray
    relative_m: FloatArray
    following: Square

    @property
    def box_px(self) -> FloatArray:
        """(4,) left, top, right, bottom of all landmarks."""
        return np.concatenate([self.points_px.min(axis=0), self.points_px.max(axis=0)])


@dataclass(frozen=True, slots=True, eq=False)
class HandLandmarks:
    """What the network says about one hand.

    :param is_right: whether it is a right hand, as its owner sees it.
    :param points_px: (21, 2) pixels of the image, (u, v).
    :param relative_m: (21, 3) metres, optical axes, of a hand of usual size.
    """

    presence: float
    is_right: bool
    points_px: FloatArray
    relative_m: FloatArray


class BodyNetworks:
    """The detector of people and the landmarks of one; stateless.

    :param threshold: detections of a lower score are dropped.
    :param device: see :func:`sam3d_ros.core.pretrained.inference.device_option`.
    """

    def __init__(self, threshold: float = 0.5, device: str = 'auto') -> None:
        self._detector = Detector('person-detector', 224, BODY_LAYERS, -1.0, threshold, device)
        example = {'image': np.zeros((1, BODY_SIZE, BODY_SIZE, 3), np.float32)}
        file = verified_file('person-landmarks')
        self._session = open_session(file, THREADS, device, example)

    def detect(self, rgb: ByteArray, window_px: Square | None = None) -> list[Detection]:
        """Return the people in an image; see :meth:`Detector.detect`."""
        return self._detector.detect(rgb, window_px)

    def landmarks(self, rgb: ByteArray, square: Square) -> Landmarks:
        """Return the landmarks of the person in a square.

        :param rgb: (H, W, 3) uint8.
        :param square: of :func:`body_square`, or the last landmarks' ``following``.
        """
        picture = square.picture(rgb, BODY_SIZE)
        names = ['landmarks', 'presence', 'world']
        raw, presence, world = self._session.run(names, {'image': picture})
        points = raw.reshape(-1, 5).astype(np.float64)
        A = square.matrix(BODY_SIZE)
        points_px = points[:, :2] @ A[:, :2].T + A[:, 2]
        count = len(JOINTS)
        visibility = 1 / (1 + np.exp(-points[:count, 3:5].min(axis=1)))
        relative = world.reshape(-1, 3)[:count].astype(np.float64) @ _turn(square).T
        # Behind the joints come the middle of the hips and a point of the circle about the body.
        following = upright_square(points_px[count], points_px[count + 1], BODY_GROWTH)
        return Landmarks(float(presence[0, 0]), points_px[:count], visibility, relative, following)


class HandNetworks:
    """The detector of palms and the landmarks of one hand; stateless.

    :param threshold: palms of a lower score are dropped.
    :param device: see :func:`sam3d_ros.core.pretrained.inference.device_option`.
    """

    def __init__(self, threshold: float = 0.5, device: str = 'auto') -> None:
        self._detector = Detector('palm-detector', 192, PALM_LAYERS, 0.0, threshold, device)
        example = {'image': np.zeros((1, HAND_SIZE, HAND_SIZE, 3), np.float32)}
        file = verified_file('hand-landmarks')
        self._session = open_session(file, THREADS, device, example)

    def hands(self, rgb: ByteArray, window_px: Square | None = None) -> list[HandLandmarks]:
        """Return the hands in an image, the surest palm first.

        :param rgb: (H, W, 3) uint8.
        :param window_px: where to look; None = the whole image.
        """
        found = []
        for palm in self._detector.detect(rgb, window_px):
            first = self._landmarks(rgb, hand_square(palm))
            if first.presence < PRESENT:
                continue
            # A palm says roughly where the fingers are; its landmarks say it well.
            second = self._landmarks(rgb, refined_square(first))
            found.append(second if second.presence >= PRESENT else first)
        return found

    def _landmarks(self, rgb: ByteArray, square: Square) -> HandLandmarks:
        names = ['landmarks', 'presence', 'right', 'world']
        picture = square.picture(rgb, HAND_SIZE)
        raw, presence, right, world = self._session.run(names, {'image': picture})
        A = square.matrix(HAND_SIZE)
        points = raw.reshape(len(HAND_JOINTS), 3).astype(np.float64)
        relative = world.reshape(-1, 3).astype(np.float64) @ _turn(square).T
        points_px = points[:, :2] @ A[:, :2].T + A[:, 2]
        return HandLandmarks(float(presence[0, 0]), bool(right[0, 0] > 0.5), points_px, relative)


def body_square(person: Detection) -> Square:
    """Return the square of a detected person: its first points are hips and a circle's rim."""
    return upright_square(person.points_px[0], person.points_px[1], BODY_GROWTH)


def hand_square(palm: Detection) -> Square:
    """Return the square of the hand of a palm: from wrist (0) to middle finger (2), and beyond."""
    wrist, middle = palm.points_px[0], palm.points_px[2]
    up = (middle - wrist) / max(float(np.linalg.norm(middle - wrist)), 1e-6)
    side = float((palm.box_px[2:] - palm.box_px[:2]).max())
    center = (palm.box_px[:2] + palm.box_px[2:]) / 2 + 0.5 * side * up
    return Square(
        (float(center[0]), float(center[1])),
        HAND_GROWTH * side,
        float(np.arctan2(up[0], -up[1])),
    )


def refined_square(hand: HandLandmarks) -> Square:
    """Return the square of a hand whose landmarks are known: its palm and the fingers' roots."""
    wrist, middle = hand.points_px[0], hand.points_px[[5, 9, 9, 13]].mean(axis=0)
    turn = float(np.arctan2(middle[0] - wrist[0], wrist[1] - middle[1]))
    cos, sin = np.cos(turn), np.sin(turn)
    axes = np.array([[cos, sin], [-sin, cos]])  # right and down in the square
    along = hand.points_px[PALM] @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    side = float((high - low).max())
    center = ((low + high) / 2 - [0.0, 0.1 * side]) @ axes
    return Square((float(center[0]), float(center[1])), 2 * side, turn)


def _turn(square: Square) -> FloatArray:
    """Return the (3, 3) rotation about the line of sight from a square's axes to the image's."""
    cos, sin = np.cos(square.turn_rad), np.sin(square.turn_rad)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
