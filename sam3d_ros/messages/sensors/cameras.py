# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/CameraInfo to lenses and cameras, and back.

Raw images are described by K, D and R, rectified ones by P (the comments of CameraInfo.msg);
binning and region of interest apply to both. Where one of K and P is empty and nothing is to be
undistorted, the other counts; without a size, that of the image does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera, FloatArray
from sam3d_ros.geometry.lenses import Lens, coefficients, pinhole

_RECTIFIED = 'If the images are rectified, set pointmaps.rectified to yes.'
_CALIBRATE = 'Calibrate the camera, or remap to the CameraInfo that belongs to the image.'


def lens_from(info: Any, size_px: tuple[int, int], *, rectified: bool) -> Lens:
    """Return the lens of images of (width, height) pixels that ``info`` describes.

    The origin is the camera's own optical centre: the fourth column of P (the offset to the
    first camera of a stereo pair) is not used.

    :param info: a CameraInfo.
    :param size_px: width and height of the images.
    :param rectified: True when the images are rectified (P counts), False when raw (K, D, R).
    :raises InputError: when the camera is not calibrated, the size is not that of the images,
        or the distortion model is unknown or has too many coefficients.
    """
    K, P = _matrix(info, 'k', (3, 3)), _matrix(info, 'p', (3, 4))[:, :3]
    R, D = _matrix(info, 'r', (3, 3)), np.asarray(info.d, np.float64).reshape(-1)
    D = D[: int(np.flatnonzero(D)[-1]) + 1] if np.any(D) else D[:0]
    has_K, has_P = _is_calibrated(K), _is_calibrated(P)
    if not has_K and not (has_P and (rectified or not D.size)):
        raise InputError(
            f'CameraInfo with K[0] = {K[0, 0]:g}{" and a distortion D" if has_P else ""}',
            wanted='a calibrated camera',
            remedy=_RECTIFIED if has_P else _CALIBRATE,
        )
    if rectified and not has_P and D.size:
        raise InputError(
            'CameraInfo of a rectified image with an empty P and a distortion D',
            wanted='P of the rectified camera',
            remedy=_CALIBRATE,
        )
    target = _cropped(P if has_P else K, info)
    _check_size(info, size_px)
    width, height = size_px
    camera = Camera(width, height, target)
    if rectified or not has_K:
        return pinhole(camera)
    model = str(info.distortion_model)
    R = R if np.any(R) else np.eye(3)
    return Lens(
        width,
        height,
        _cropped(K, info),
        camera,
        model if D.size else '',
        coefficients(model, D) if D.size else D,
        R,
    )


def camera_from(info: Any) -> Camera:
    """Return the pinhole camera of rectified images that ``info`` describes.

    :raises InputError: as :func:`lens_from`.
    """
    return lens_from(info, _image_size(info), rectified=True).rectified


def encode_camera(camera: Camera, info_class: type, roi_class: type, header: Any) -> Any:
    """Return the CameraInfo of rectified images: K = P, no distortion.

    :param camera: the rectified pinhole model.
    :param info_class: class of CameraInfo.
    :param roi_class: class of RegionOfInterest.
    :param header: the message's header, of the class that fits.
    """
    K = camera.K.reshape(9).astype(np.float64)
    P = np.hstack([camera.K, np.zeros((3, 1))]).reshape(12)
    roi = roi_class(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return info_class(
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=K,
        r=np.eye(3).reshape(9),
        p=P,
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def _is_calibrated(K: FloatArray) -> bool:
    """Return whether intrinsics are finite and no placeholder: zeros, or ones."""
    return bool(np.isfinite(K).all() and K[0, 0] > 1 and K[1, 1] > 1)


def _matrix(info: Any, name: str, shape: tuple[int, int]) -> FloatArray:
    values = np.array(getattr(info, name), np.float64)
    if values.size != shape[0] * shape[1]:
        raise InputError(
            f'CameraInfo with {values.size} numbers in {name}', wanted=str(shape[0] * shape[1])
        )
    return values.reshape(shape)


def _binning(info: Any) -> tuple[int, int]:
    return max(int(info.binning_x), 1), max(int(info.binning_y), 1)


def _image_size(info: Any) -> tuple[int, int]:
    """Return (width, height) of the images after region of interest and binning."""
    binning_x, binning_y = _binning(info)
    width = int(info.roi.width) or int(info.width)
    height = int(info.roi.height) or int(info.height)
    return width // binning_x, height // binning_y


def has_size(info: Any) -> bool:
    """Return whether a CameraInfo says how large the images are."""
    return all(_image_size(info))


def _check_size(info: Any, size_px: tuple[int, int]) -> None:
    described = _image_size(info)
    if has_size(info) and described != size_px:
        raise InputError(
            f'an image of {size_px[0]}x{size_px[1]} with a CameraInfo for '
            f'{described[0]}x{described[1]}',
            wanted='the same size',
            remedy='Remap to the CameraInfo that belongs to the image, or set the binning and '
            'region of interest in it.',
        )


def _cropped(K: FloatArray, info: Any) -> FloatArray:
    """Return full-resolution intrinsics moved to the region of interest and binned.

    A binned pixel is the centre of a block of pixels, hence the half pixels.
    """
    binning_x, binning_y = _binning(info)
    out = K.copy()
    out[0, 2] = (K[0, 2] - info.roi.x_offset + 0.5) / binning_x - 0.5
    out[1, 2] = (K[1, 2] - info.roi.y_offset + 0.5) / binning_y - 0.5
    out[0, 0] /= binning_x
    out[1, 1] /= binning_y
    out[0, 1] = 0.0
    return out
