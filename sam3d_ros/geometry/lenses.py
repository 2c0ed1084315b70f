# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera as its driver delivers images: distorted, perhaps, and rotated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.core.types import Camera, FloatArray

#: Models whose coefficients we know; OpenCV's order of coefficients, as in CameraInfo.
DISTORTION_MODELS = ('plumb_bob', 'rational_polynomial', 'equidistant', 'fisheye')


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """What maps the pixels of a delivered image to those of a rectified pinhole camera.

    :param width: columns of the delivered image, px.
    :param height: rows of the delivered image, px.
    :param K: (3, 3) float64 intrinsics of the delivered image, px.
    :param rectified: the pinhole camera to rectify to; same size.
    :param model: one of :data:`DISTORTION_MODELS`, or empty without distortion.
    :param distortion: (N,) float64 coefficients; empty = none.
    :param R_rect_raw: (3, 3) float64, rotates delivered optical axes to rectified ones.
    """

    width: int
    height: int
    K: FloatArray
    rectified: Camera
    model: str = ''
    distortion: FloatArray = field(default_factory=lambda: np.zeros(0))
    R_rect_raw: FloatArray = field(default_factory=lambda: np.eye(3))

    @property
    def is_pinhole(self) -> bool:
        """Whether delivered and rectified image are the same."""
        return (
            self.distortion.size == 0
            and np.array_equal(self.R_rect_raw, np.eye(3))
            and np.allclose(self.K, self.rectified.K, rtol=0, atol=1e-6)
        )


def pinhole(camera: Camera) -> Lens:
    """Return the lens of images that are rectified already."""
    return Lens(camera.width, camera.height, camera.K, camera)
