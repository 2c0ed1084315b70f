# SPDX-License-Identifier: Apache-2.0
"""Which camera has these rays: intrinsics, rotation and centre of a ray map.

A pixel p = (u, v, 1) looks along d ~ R K^-1 p. The direct linear transform finds A = R K^-1 up to
a scale from d x (A p) = 0 (Hartley, Zisserman, Multiple View Geometry, 2nd ed., section 4.1), and
its QR decomposition with a positive diagonal splits it: Q is R, the upper triangle K^-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.lenses import Lens

FEWEST = 6
_STEP_PX = 8
# Second smallest eigenvalue over the largest, below which another A explains the rays as well.
_DEGENERATE = 1e-7
# What a CameraInfo may be off before it is suspected: of the focal length, and px.
_FOCAL_SHARE, _CENTER_PX = 0.01, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class RayCamera:
    """Cameras of ray maps.

    :param K: (..., 3, 3) intrinsics, px, a pixel's centre at whole numbers.
    :param R: (..., 3, 3) rotation of optical axes into the frame of the rays.
    :param center: (..., 3) where the rays begin, unit of the origins.
    """

    K: FloatArray
    R: FloatArray
    center: FloatArray


def camera_of_rays(
    directions: FloatArray,
    pixels: FloatArray,
    weights: FloatArray | None = None,
    origins: FloatArray | None = None,
) -> RayCamera:
    """Return the cameras whose pixels look along given directions.

    :param directions: (..., N, 3) of any length, in any frame.
    :param pixels: (N, 2) column and row of each, px.
    :param weights: (..., N) how much each counts; None = all the same.
    :param origins: (..., N, 3) where each ray begins; None = at zero.
    :raises InputError: when the rays fix no camera, or a mirrored one.
    """
    if pixels.shape[0] < FEWEST:
        raise InputError(f'{pixels.shape[0]} rays', wanted=f'at least {FEWEST}')
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    half, middle = np.maximum((high - low) / 2, 1e-9), (high + low) / 2
    p = np.concatenate([(pixels - middle) / half, np.ones((len(pixels), 1))], axis=1)
    length = np.linalg.norm(directions, axis=-1, keepdims=True)
    weight = np.ones(directions.shape[:-1]) if weights is None else np.asarray(weights, float)
    is_known = np.isfinite(length[..., 0]) & (length[..., 0] > 0)
    weight = np.where(is_known, weight, 0.0)
    d = np.where(is_known[..., None], directions / np.where(length > 0, length, 1.0), 0.0)
    # Of A row by row: |d x (A p)|^2 = |A p|^2 - (d . A p)^2, summed over the rays.
    outside = np.eye(3) - d[..., :, None] * d[..., None, :]
    normal = np.einsum('...n,...nij,nk,nl->...ikjl', weight, outside, p, p, optimize=True)
    normal = normal.reshape(*normal.shape[:-4], 9, 9)
    values, vectors = np.linalg.eigh(normal)
    if (weight.sum(axis=-1) <= 0).any() or (values[..., 1] <= _DEGENERATE * values[..., -1]).any():
        raise InputError(
            'rays that more than one camera has: all alike, or of pixels on one line',
            wanted='rays of pixels all over the image',
        )
    A = vectors[..., 0].reshape(*vectors.shape[:-2], 3, 3)
    A = A * np.sign(np.linalg.det(A))[..., None, None]
    ahead = np.einsum('...n,...ni,...ij,nj->...', weight, d, A, p, optimize=True)
    if (ahead <= 0).any():
        raise InputError(
            'rays of a mirrored image', wanted='columns that grow to the right, rows downwards'
        )
    Q, U = np.linalg.qr(A)
    signs = np.sign(np.diagonal(U, axis1=-2, axis2=-1))
    R, U = Q * signs[..., None, :], U * signs[..., :, None]
    K = np.linalg.inv(U)
    K = K / K[..., 2:, 2:]
    to_pixels = np.array([[half[0], 0, middle[0]], [0, half[1], middle[1]], [0, 0, 1.0]])
    if origins is None:
        center = np.zeros(R.shape[:-1])
    else:
        share = weight / weight.sum(axis=-1, keepdims=True)
        center = np.einsum('...n,...ni->...i', share, np.nan_to_num(origins))
    return RayCamera(to_pixels @ K, R, center)


def suspected_calibration(points_m: Float32Array, lens: Lens) -> str:
    """Return why a CameraInfo is probably not that of an organised cloud's camera, or nothing.

    :param points_m: (H, W, 3) float32 of the same pixels as the image, optical axes, NaN = none.
    :param lens: what the CameraInfo says of the image.
    """
    few = points_m[_STEP_PX // 2 :: _STEP_PX, _STEP_PX // 2 :: _STEP_PX].astype(np.float64)
    row, column = np.mgrid[: few.shape[0], : few.shape[1]] * _STEP_PX + _STEP_PX // 2
    known = np.isfinite(few).all(axis=-1) & (few[..., 2] > 0)
    try:
        found = camera_of_rays(few[known], np.stack([column[known], row[known]], axis=1))
    except InputError:
        return ''
    said = lens.rectified.K
    focal = np.abs(np.diag(found.K)[:2] / np.diag(said)[:2] - 1).max()
    center_px = np.abs(found.K[:2, 2] - said[:2, 2]).max()
    if focal < _FOCAL_SHARE and center_px < _CENTER_PX:
        return ''
    cells = [
        f'fx {K[0, 0]:.1f}, fy {K[1, 1]:.1f}, cx {K[0, 2]:.1f}, cy {K[1, 2]:.1f}'
        for K in (said, found.K)
    ]
    return (
        f'CameraInfo says {cells[0]} px, the rays of the cloud are those of {cells[1]} px: it is '
        'of another camera or another image size'
    )
