# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera: rays, back-projection, projection. Pixel (u, v) is a pixel's centre."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sam3d_ros.core.types import Camera, Float32Array, FloatArray


def rays(camera: Camera) -> Float32Array:
    """Return (H, W, 3) float32 ray directions with z = 1, optical axes. Cached, read-only."""
    return _rays(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)


@lru_cache(maxsize=8)
def _rays(w: int, h: int, fx: float, fy: float, cx: float, cy: float) -> Float32Array:
    grid = np.empty((h, w, 3), np.float32)
    grid[..., 0] = (np.arange(w) - cx) / fx
    grid[..., 1] = ((np.arange(h) - cy) / fy)[:, None]
    grid[..., 2] = 1.0
    grid.flags.writeable = False
    return grid


def pointmap_from_depth(depth_m: Float32Array, camera: Camera) -> Float32Array:
    """Return the (H, W, 3) float32 pointmap of (H, W) z-depth in metres, NaN = no return.

    :param depth_m: (H, W) float32 z-depth, metres, NaN = no return.
    :param camera: the rectified pinhole model.
    """
    pointmap: Float32Array = rays(camera) * depth_m[..., None].astype(np.float32, copy=False)
    return pointmap


def project(points: FloatArray, camera: Camera) -> FloatArray:
    """Return (..., 2) pixel coordinates (u, v) of (..., 3) optical points with z > 0.

    Points at or behind the camera give NaN.
    """
    points = np.asarray(points)
    z = np.where(points[..., 2] > 0, points[..., 2], np.nan)
    u = points[..., 0] / z * camera.fx + camera.cx
    v = points[..., 1] / z * camera.fy + camera.cy
    return np.stack([u, v], axis=-1)


def scaled(camera: Camera, width: int, height: int) -> Camera:
    """Return the camera of the same image resampled to another size.

    :param width: columns of the resampled image, px.
    :param height: rows of the resampled image, px.
    """
    sx, sy = width / camera.width, height / camera.height
    K = camera.K.copy()
    K[0, 0] *= sx
    K[1, 1] *= sy
    K[0, 2] = (camera.cx + 0.5) * sx - 0.5
    K[1, 2] = (camera.cy + 0.5) * sy - 0.5
    return Camera(width, height, K)
