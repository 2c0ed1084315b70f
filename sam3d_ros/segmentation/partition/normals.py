# SPDX-License-Identifier: Apache-2.0
"""Local planes that stay sharp at creases and steps.

A plane is fitted to the disparity in a window around every pixel (moments by separable filters);
each pixel then takes, of all windows that contain it, the plane that fits its own window best
(the idea of Kuwahara et al. 1976, with planes in place of means).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.segmentation.partition.grid import Grid

WINDOW_RADIUS = 3
MIN_FILL = 0.5
TRUSTED = 2.0  # factor within which a frame's median residual may differ from the sensor's spread
LEAST_SIGMA = 1e-5  # 1/m: of a sensor without errors, so that nothing is divided by zero
SHIFTS = ((0, 0), (-2, 0), (2, 0), (0, -2), (0, 2), (-2, -2), (-2, 2), (2, -2), (2, 2))


@dataclass(frozen=True, slots=True, eq=False)
class LocalPlanes:
    """The plane of every pixel of the grid.

    :param dual: (h, w, 3) float32 m with m . X = 1 on the plane, zero where unknown.
    :param normal: (h, w, 3) float32 unit normal towards the camera, zero where unknown.
    :param residual: (h, w) float32 root mean square disparity residual of the fit, 1/m.
    :param known: (h, w) bool.
    :param sigma: standard deviation of the sensor's disparity noise in this frame, 1/m.
    """

    dual: Float32Array
    normal: Float32Array
    residual: Float32Array
    known: BoolArray
    sigma: float


def local_planes(grid: Grid, sensor: SensorModel) -> LocalPlanes:
    """Fit a plane at every pixel, and estimate the noise as the median residual.

    :param sensor: errors of the frame's ranges; the estimate stays within a factor of them.
    """
    window_dual, window_residual = _window_fits(grid)
    pick = _best_window(window_residual)
    residual = window_residual.ravel()[pick]
    known = np.isfinite(residual) & grid.valid
    a, b, c = (part.ravel()[pick] * known for part in window_dual)
    inverse = -1 / np.maximum(np.sqrt(a * a + b * b + c * c), np.float32(1e-9))
    dual = np.asarray(cv2.merge([a, b, c]), np.float32)
    normal = np.asarray(cv2.merge([a * inverse, b * inverse, c * inverse]), np.float32)
    return LocalPlanes(dual, normal, residual, known, _noise(residual, known, grid, sensor))


def _noise(residual: Float32Array, known: BoolArray, grid: Grid, sensor: SensorModel) -> float:
    """Return the median residual, within :data:`TRUSTED` of the sensor's spread, 1/m."""
    if not known.any():
        return LEAST_SIGMA
    disparity = grid.disparity[known]
    expected = float(np.median(sensor.axial_sigma(1 / disparity) * np.square(disparity)))
    sigma = float(np.clip(np.median(residual[known]), expected / TRUSTED, expected * TRUSTED))
    return max(sigma, LEAST_SIGMA)


def _window_fits(grid: Grid) -> tuple[tuple[Float32Array, ...], Float32Array]:
    """Parts of the dual vector, and residual, of the window around every pixel.

    The residual is infinite where the window is too empty.
    """
    r = WINDOW_RADIUS
    one = np.ones(2 * r + 1, np.float32)
    ramp = np.arange(-r, r + 1, dtype=np.float32)

    def moment(image: Float32Array, ku: Float32Array, kv: Float32Array) -> Float32Array:
        filtered = cv2.sepFilter2D(image, cv2.CV_32F, ku, kv, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(filtered, np.float32)

    w = grid.valid.astype(np.float32)
    middle = grid.disparity.sum() / max(1, int(w.sum()))  # off first: float32 squares cancel
    d = np.asarray((grid.disparity - middle) * w, np.float32)
    n = moment(w, one, one)
    inverse = np.asarray(1 / np.maximum(n, 1), np.float32)
    mu, mv = moment(w, ramp, one) * inverse, moment(w, one, ramp) * inverse
    md = moment(d, one, one) * inverse
    uu = moment(w, ramp * ramp, one) * inverse - mu * mu
    vv = moment(w, one, ramp * ramp) * inverse - mv * mv
    uv = moment(w, ramp, ramp) * inverse - mu * mv
    du = moment(d, ramp, one) * inverse - mu * md
    dv = moment(d, one, ramp) * inverse - mv * md
    dd = moment(d * d, one, one) * inverse - md * md
    determinant = uu * vv - uv * uv
    known = (n >= MIN_FILL * (2 * r + 1) ** 2) & (determinant > 1.0)
    scale = np.asarray(1 / np.maximum(determinant, 1), np.float32)
    slope_u, slope_v = (du * vv - dv * uv) * scale, (dv * uu - du * uv) * scale
    residual = np.sqrt(np.maximum(dd - slope_u * du - slope_v * dv, np.float32(0)))
    residual[~known] = np.inf
    level = md + np.float32(middle) - slope_u * mu - slope_v * mv
    a, b = slope_u / np.float32(grid.pitch[0]), slope_v / np.float32(grid.pitch[1])
    return (a, b, level - a * grid.x - b * grid.y), residual


def _best_window(residual: Float32Array) -> np.ndarray:
    """Flat index of the window that each pixel takes its plane from."""
    h, w = residual.shape
    reach = max(max(abs(dy), abs(dx)) for dy, dx in SHIFTS)
    padded = cv2.copyMakeBorder(residual, *(reach,) * 4, cv2.BORDER_CONSTANT, value=np.inf)
    best = residual.copy()
    index = np.arange(h * w, dtype=np.int32).reshape(h, w)
    pick = index.copy()
    for dy, dx in SHIFTS[1:]:
        candidate = padded[reach + dy : reach + dy + h, reach + dx : reach + dx + w]
        better = candidate < best
        np.copyto(best, candidate, where=better)
        np.copyto(pick, index + np.int32(dy * w + dx), where=better)
    return pick
