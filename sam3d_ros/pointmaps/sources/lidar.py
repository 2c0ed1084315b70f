# SPDX-License-Identifier: Apache-2.0
"""A sparse cloud seen from the colour camera: z-buffer, hidden returns, careful densification.

The inverse depth of a plane is linear in the image, so gaps are closed by a local linear fit of
1/z with Gaussian weights (moving least squares). Where that fit does not explain the returns, or
none lie around a pixel, the pixel stays NaN.
"""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Camera, Float32Array
from sam3d_ros.pointmaps.config import LidarConfig
from sam3d_ros.pointmaps.sources.depth import splat

# The fit's centre of returns lies at most this far from the pixel, in units of the radius: the
# pixel is among the returns, not beside them.
_LARGEST_OFFSET = 0.35
# Smallest determinant of the normalised moments: returns on one line fix no plane.
_SMALLEST_SPREAD = 1e-3
_FEWEST_RETURNS = 3.0
# Residual beyond which returns do not lie on one plane, in sigmas of the sensor.
_EDGE = 1.5


def depth_from_cloud(
    points_m: Float32Array, camera: Camera, config: LidarConfig, sensor: SensorModel
) -> tuple[Float32Array, SensorModel]:
    """Return (H, W) float32 z-depth, metres, NaN = unknown, and how far it may be off.

    :param points_m: (..., 3) float32, metres, optical frame of ``camera``.
    :param config: how gaps are closed.
    :param sensor: how far single returns may be off.
    """
    sparse = splat((points_m[..., 0], points_m[..., 1], points_m[..., 2]), camera)
    hidden = _hidden(sparse, config)
    kept = np.where(hidden, np.float32(np.nan), sparse)
    if config.radius_px == 0:
        return kept, sensor
    filled = _fit(kept, config, sensor)
    # Beside a hidden return it is not known which surface shows.
    filled[_distance(~np.isnan(kept)) > _distance(hidden)] = np.nan
    # The fit is less noisy than a single return.
    depth = np.where(np.isnan(filled), kept, filled)
    returns, pixels = (float(np.isfinite(image).sum()) for image in (kept, depth))
    return depth, _after_fit(sensor, config.radius_px, returns / max(pixels, 1.0))


def _after_fit(sensor: SensorModel, radius_px: int, returns: float) -> SensorModel:
    """Return what the fit leaves of the errors of returns that err on their own, as a LiDAR's do.

    Gaussian weights of s = radius / 2 over ``returns`` a pixel leave 1 / (4 pi s^2 returns) of the
    variance, which pixels d apart share by exp(-d^2 / (4 s^2)). Errors that neighbouring returns
    of other sensors share are not averaged.
    """
    if sensor.kind != 'lidar' or returns == 0:
        return sensor
    scale_px = 0.5 * radius_px
    left = 1.0 / (4.0 * np.pi * scale_px**2 * returns)
    return sensor.measured(float(np.sqrt(min(left, 1.0))), ((scale_px, 1.0),))


def _hidden(sparse: Float32Array, config: LidarConfig) -> BoolArray:
    """Return returns that a clearly nearer neighbour hides: the LiDAR looks past it."""
    window = np.ones((2 * config.radius_px + 1,) * 2, np.uint8)
    nearest = cv2.erode(np.where(np.isnan(sparse), np.float32(np.inf), sparse), window)
    with np.errstate(invalid='ignore', over='ignore'):
        hidden: BoolArray = sparse > nearest * np.float32(1.0 + config.occlusion_margin)
    return hidden


def _distance(marked: BoolArray) -> Float32Array:
    """Return the distance of each pixel to the nearest marked one, px; infinite without any."""
    if not marked.any():
        return np.full(marked.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, 3))


def _fit(depth_m: Float32Array, config: LidarConfig, sensor: SensorModel) -> Float32Array:
    """Return the local linear fit of inverse depth, as depth; NaN where it is not trusted."""
    weight = (~np.isnan(depth_m)).astype(np.float32)
    inverse = np.where(weight > 0, 1.0 / depth_m, np.float32(0.0)).astype(np.float32)
    offset = np.arange(-config.radius_px, config.radius_px + 1, dtype=np.float32)
    bell = np.exp(-0.5 * (2.0 * offset / config.radius_px) ** 2)
    unit = offset / config.radius_px

    def moment(image: Float32Array, x_power: int, y_power: int) -> Float32Array:
        return np.asarray(
            cv2.sepFilter2D(
                image,
                cv2.CV_32F,
                bell * unit**x_power,
                bell * unit**y_power,
                borderType=cv2.BORDER_CONSTANT,
            )
        )

    total = moment(weight, 0, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        x, y = moment(weight, 1, 0) / total, moment(weight, 0, 1) / total
        xx = moment(weight, 2, 0) / total - x * x
        yy = moment(weight, 0, 2) / total - y * y
        xy = moment(weight, 1, 1) / total - x * y
        mean = moment(inverse, 0, 0) / total
        xr = moment(inverse, 1, 0) / total - x * mean
        yr = moment(inverse, 0, 1) / total - y * mean
        rr = moment(inverse * inverse, 0, 0) / total - mean * mean
        spread = xx * yy - xy * xy
        slope_x, slope_y = (yy * xr - xy * yr) / spread, (xx * yr - xy * xr) / spread
        value = mean - slope_x * x - slope_y * y
        # An error dz of z is one of dz / z^2 of 1/z.
        residual_m = np.sqrt(np.maximum(rr - slope_x * xr - slope_y * yr, 0.0)) / (mean * mean)
        count = cv2.boxFilter(weight, cv2.CV_32F, (offset.size,) * 2, normalize=False)
        trusted = (count >= _FEWEST_RETURNS) & (spread > _SMALLEST_SPREAD)
        trusted &= np.hypot(x, y) < _LARGEST_OFFSET
        trusted &= residual_m < _EDGE * sensor.axial_sigma(1.0 / mean)
        return np.where(trusted & (value > 0), 1.0 / value, np.float32(np.nan))
