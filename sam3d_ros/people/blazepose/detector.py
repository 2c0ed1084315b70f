# SPDX-License-Identifier: Apache-2.0
"""Where people and palms are in an image: single-shot detectors over fixed anchors.

The image is fitted into a square; each anchor answers with a box, a few points and a score, and
boxes of one person are blended (Bazarevsky et al., BlazePose, 2020; BlazeFace, 2019). What follows
a detector needs no box but a turned square about the body, which two of its points span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray
from sam3d_ros.geometry.masks import box_iou

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SAME = 0.3
"""Boxes of one thing overlap by at least this IoU."""
THREADS = 1
"""The geometry of the frame keeps the other core busy."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One person or palm in an image.

    :param score: 0..1.
    :param box_px: (4,) left, top, right, bottom.
    :param points_px: (P, 2) the detector's points, (u, v).
    """

    score: float
    box_px: FloatArray
    points_px: FloatArray


@dataclass(frozen=True, slots=True)
class Square:
    """A square of the image, turned so that what is in it stands upright.

    :param center_px: (u, v) of its middle.
    :param side_px: length of its sides.
    :param turn_rad: by which its upper side is turned clockwise in the image.
    """

    center_px: tuple[float, float]
    side_px: float
    turn_rad: float

    def matrix(self, size: int) -> FloatArray:
        """Return the (2, 3) affine map from pixels of its picture of this size to the image."""
        scale = self.side_px / size
        cos, sin = scale * np.cos(self.turn_rad), scale * np.sin(self.turn_rad)
        A = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
        A[:, 2] = np.array(self.center_px) - A[:, :2] @ np.full(2, (size - 1) / 2)
        return A

    def picture(self, rgb: ByteArray, size: int) -> Float32Array:
        """Return what it shows: (1, size, size, 3) float32, 0..1, black beyond the image."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown = cv2.warpAffine(rgb, self.matrix(size), (size, size), flags=flags)
        return np.asarray(shown[None], np.float32) / np.float32(255)


def upright_square(start_px: FloatArray, end_px: FloatArray, growth: float) -> Square:
    """Return the square about a body part whose axis two points span.

    :param start_px: (2,) its middle.
    :param end_px: (2,) a point on its rim, straight up when the body is upright.
    :param growth: side over twice the distance of the two.
    """
    du, dv = end_px - start_px
    side = 2 * growth * float(np.hypot(du, dv))
    return Square((float(start_px[0]), float(start_px[1])), side, float(np.arctan2(du, -dv)))


class Detector:
    """A network over anchors; stateless.

    :param weights: name in the registry.
    :param size: rows and columns of its input.
    :param layers: (stride in px, anchors for each cell) of its outputs, in order.
    :param lowest: what black is in its input, 0 or -1; white is 1.
    :param threshold: detections of a lower score are dropped.
    :param device: see :func:`sam3d_ros.core.pretrained.inference.device_option`.
    """

    def __init__(
        self,
        weights: str,
        size: int,
        layers: tuple[tuple[int, int], ...],
        lowest: float,
        threshold: float,
        device: str = 'auto',
    ) -> None:
        example = {'image': np.zeros((1, size, size, 3), np.float32)}
        file = verified_file(weights)
        self._session: InferenceSession = open_session(file, THREADS, device, example)
        self._size, self._lowest, self._threshold = size, lowest, threshold
        self._anchors = anchors(size, layers)

    def detect(self, rgb: ByteArray, window_px: Square | None = None) -> list[Detection]:
        """Return what is in an image, the surest first.

        :param rgb: (H, W, 3) uint8.
        :param window_px: where to look; None = the whole image.
        """
        height, width = rgb.shape[:2]
        if window_px is None:
            middle = ((width - 1) / 2, (height - 1) / 2)
            window_px = Square(middle, float(max(height, width)), 0.0)
        picture = window_px.picture(rgb, self._size)
        image = picture * np.float32(1 - self._lowest) + np.float32(self._lowest)
        raw, logits = self._session.run(['boxes', 'scores'], {'image': image})
        A = window_px.matrix(self._size)
        found = []
        for k in np.flatnonzero(logits[0, :, 0] > np.log(self._threshold / (1 - self._threshold))):
            score = float(1 / (1 + np.exp(-logits[0, k, 0].astype(np.float64))))
            middle, size, *points = raw[0, k].astype(np.float64).reshape(-1, 2)
            middle += self._anchors[k]
            # The box stays upright in the picture; of a turned window it is that of the corners.
            corners = np.array([middle - size / 2, middle + size / 2]) @ A[:, :2].T + A[:, 2]
            points_px = (np.array(points) + self._anchors[k]) @ A[:, :2].T + A[:, 2]
            found.append(Detection(score, corners.reshape(4), points_px))
        return blended(found)


def anchors(size: int, layers: tuple[tuple[int, int], ...]) -> FloatArray:
    """Return the (A, 2) middles of all anchors, pixels of the network's input, row by row."""
    made = []
    for stride, count in layers:
        cells = -(-size // stride)
        middle = (np.arange(cells) + 0.5) * stride
        grid = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
        made.append(np.repeat(grid, count, axis=0))
    return np.concatenate(made)


def blended(found: list[Detection]) -> list[Detection]:
    """Return one detection for each group of overlapping ones: their mean, by score.

    :param found: of one image, in any order; the answer begins with the surest.
    """
    left = sorted(found, key=lambda item: -item.score)
    kept = []
    while left:
        overlaps = [box_iou(item.box_px, left[0].box_px) for item in left]
        group = [item for item, share in zip(left, overlaps, strict=True) if share >= SAME]
        left = [item for item, share in zip(left, overlaps, strict=True) if share < SAME]
        weights = np.array([item.score for item in group])
        box, points = (
            np.average([getattr(item, name) for item in group], axis=0, weights=weights)
            for name in ('box_px', 'points_px')
        )
        kept.append(Detection(group[0].score, box, points))
    return kept
