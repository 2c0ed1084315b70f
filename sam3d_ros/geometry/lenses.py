# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera as its driver delivers images: distorted, perhaps, and rotated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera, FloatArray

#: Models whose coefficients we know, and how many OpenCV takes; its order, as in CameraInfo.
DISTORTION_MODELS = {
    'plumb_bob': (4, 5, 8, 12, 14),
    'rational_polynomial': (4, 5, 8, 12, 14),
    'equidistant': (4,),
    'fisheye': (4,),
}


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


def coefficients(model: str, given: FloatArray) -> FloatArray:
    """Return distortion coefficients as many as OpenCV takes, those left out as zeros.

    :param model: of the lens.
    :param given: (N,) float64 of the model, trailing zeros left out.
    :raises InputError: when the model is unknown or has fewer coefficients.
    """
    if model not in DISTORTION_MODELS:
        raise InputError(
            f'distortion model "{model}"',
            wanted=f'one of {", ".join(DISTORTION_MODELS)}',
            remedy='Rectify the images in the driver and remap to the rectified topics.',
        )
    counts = DISTORTION_MODELS[model]
    if given.size > counts[-1]:
        raise InputError(
            f'{given.size} coefficients of distortion model "{model}"',
            wanted=f'at most {counts[-1]} that are not zero',
            remedy='The CameraInfo names another model than that of its numbers.',
        )
    count = next(count for count in counts if count >= given.size)
    return np.pad(given, (0, count - given.size))


def pinhole(camera: Camera) -> Lens:
    """Return the lens of images that are rectified already."""
    return Lens(camera.width, camera.height, camera.K, camera)
