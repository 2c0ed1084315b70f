# SPDX-License-Identifier: Apache-2.0
"""Images of distorted or rotated lenses to rectified pinhole images, through cached maps."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.lenses import DISTORTION_MODELS, Lens


def rectify_color(rgb: ByteArray, lens: Lens) -> ByteArray:
    """Return the (H, W, 3) uint8 image of ``lens.rectified``, interpolated; black outside.

    :param rgb: (h, w, 3) uint8 as the camera gave it.
    :raises InputError: when the coefficients do not fit the distortion model.
    """
    if lens.is_pinhole:
        return rgb
    columns, rows = _maps(lens)
    return np.asarray(cv2.remap(rgb, columns, rows, cv2.INTER_LINEAR))


def rectify_depth(depth_m: Float32Array, lens: Lens) -> Float32Array:
    """Return the (H, W) float32 z-depth of ``lens.rectified``, NaN outside; metres.

    The nearest pixel is taken: between two surfaces there is no third one. A rotated lens
    measures z along another axis, which is corrected for.

    :param depth_m: (h, w) float32 z-depth as the camera gave it.
    :raises InputError: when the coefficients do not fit the distortion model.
    """
    if lens.is_pinhole:
        return depth_m
    columns, rows = _maps(lens)
    depth: Float32Array = np.asarray(
        cv2.remap(
            depth_m,
            columns,
            rows,
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float('nan'),
        ),
        np.float32,
    )
    if not np.array_equal(lens.R_rect_raw, np.eye(3)):
        # A rectified ray r with z = 1 has depth (R^T r)_z along the delivered optical axis.
        depth = depth / (rays(lens.rectified) @ lens.R_rect_raw[:, 2].astype(np.float32))
    return depth


def _maps(lens: Lens) -> tuple[Float32Array, Float32Array]:
    """Return (columns, rows): where each rectified pixel lies in the delivered image."""
    count, known = lens.distortion.size, DISTORTION_MODELS.get(lens.model, ())
    if count and count not in known:
        raise InputError(
            f'{count} coefficients of distortion model "{lens.model}"',
            wanted=f'one of {", ".join(map(str, known))}',
        )
    fisheye = lens.model in ('equidistant', 'fisheye')
    return _cached_maps(
        (lens.width, lens.height),
        fisheye and count > 0,
        lens.K.tobytes(),
        lens.distortion.tobytes(),
        lens.R_rect_raw.tobytes(),
        lens.rectified.K.tobytes(),
    )


@lru_cache(maxsize=8)
def _cached_maps(
    size: tuple[int, int], fisheye: bool, K: bytes, D: bytes, R: bytes, P: bytes
) -> tuple[Float32Array, Float32Array]:
    def matrix(data: bytes) -> FloatArray:
        return np.frombuffer(data, np.float64).reshape(3, 3)

    make = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
    columns, rows = make(
        matrix(K), np.frombuffer(D, np.float64), matrix(R), matrix(P), size, cv2.CV_32FC1
    )
    return np.asarray(columns, np.float32), np.asarray(rows, np.float32)
