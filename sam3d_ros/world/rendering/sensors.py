# SPDX-License-Identifier: Apache-2.0
"""Range cameras at work: what a sensor model makes of an ideal rendering."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import ndtri

from sam3d_ros.core.sensors import STEEPEST_RAD, Grain, SensorModel, sensor_model
from sam3d_ros.core.types import BoolArray, Camera, Float32Array
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.world.rendering.render import Rendering

Rng = np.random.Generator

SILHOUETTE = 0.03
"""Neighbours whose depths differ by more than this share lie on two surfaces."""
WARP_CELLS = 4
"""Cells of the slow bending of planes across the image."""
DROPOUT_PX = 3.0
WOBBLE_PX = 3.0
"""Scale on which silhouettes of window matching and loss of returns vary."""


@dataclass(frozen=True, slots=True)
class RangeCamera:
    """A simulated range camera with the errors of a model."""

    model: SensorModel

    def measure(self, rendering: Rendering, camera: Camera, rng: Rng) -> Float32Array:
        """Return (H, W) float32 depth in metres, NaN = no return.

        Errors come in the order in which they arise: what light passes through, what silhouettes
        do to matching, which pixel a return is counted for, its range, rounding, missing returns.

        :param rendering: what is really there.
        :param camera: the rectified pinhole model.
        :param rng: draws all that is left to chance.
        """
        model = self.model
        if model.kind == 'ideal':
            return rendering.depth_m
        theta = incidence(rendering, camera)
        limited = np.minimum(theta, np.float32(STEEPEST_RAD))
        true_m = _through(rendering, rng)
        lost = shadow(true_m, camera, model.baseline_m)
        first, last = model.grazing_rad
        lost |= rng.random(theta.shape, np.float32) < (theta - first) / (last - first)
        if model.fattening_px > 0:
            true_m = _fattened(true_m, model.fattening_px, rng)
        depth = _jittered(true_m, limited, model, rng)
        if model.mixed_px > 0:
            depth = _mixed(depth, model.mixed_px)
        depth += model.slanted_sigma(depth, limited) * field(model.grain, depth.shape, rng)
        if model.warp > 0:
            depth += model.warp * np.square(depth) * _slow(depth.shape, rng)
        if model.step > 0:
            depth = quantised(depth, model.step)
        lost |= _missing(rendering, true_m, theta, model, rng)
        near, far = model.range_m
        depth[lost | ~((depth > near) & (depth < far))] = np.nan
        return depth


def depth_sensor(name: str) -> RangeCamera:
    """Return the range camera with the model of this name.

    :raises ConfigurationError: when there is none.
    """
    return RangeCamera(sensor_model(name))


def incidence(rendering: Rendering, camera: Camera) -> Float32Array:
    """Return (H, W) float32 angle between surface normal and line of sight, radians.

    :param rendering: what each pixel shows.
    :param camera: the rectified pinhole model.
    """
    sight = rays(camera)
    along = np.einsum('ijk,ijk->ij', rendering.normals, sight)
    cosine = np.abs(along) / np.sqrt(np.einsum('ijk,ijk->ij', sight, sight))
    theta: Float32Array = np.arccos(np.minimum(cosine, 1.0)).astype(np.float32)
    return theta


def quantised(depth_m: Float32Array, step: float) -> Float32Array:
    """Return the nearest depths that a whole number of disparity units can say.

    :param depth_m: (H, W) metres.
    :param step: distance of neighbouring depths over z^2, 1/m.
    """
    one_unit_m = 1.0 / step
    units = np.maximum(np.rint(one_unit_m / depth_m), 1)
    return (one_unit_m / units).astype(np.float32)


def shadow(depth_m: Float32Array, camera: Camera, baseline_m: float) -> BoolArray:
    """Return (H, W) bool: the camera sees it, the projector or second camera does not.

    Along a row the projector sees surfaces in the camera's order. A pixel whose column in
    the projector lies right of that of any pixel further right is hidden behind it (and the
    other way round for a projector on the left).

    :param depth_m: (H, W) metres, NaN = nothing.
    :param baseline_m: place of the projector, to the right of the camera.
    """
    offset = camera.fx * baseline_m / np.where(np.isnan(depth_m), np.inf, depth_m)
    column = np.arange(camera.width, dtype=np.float32) - offset.astype(np.float32)
    if baseline_m < 0:
        farthest = np.maximum.accumulate(column, axis=1)
        return np.asarray(column < farthest - 0.5)
    nearest = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    hidden: BoolArray = column > nearest + 0.5
    return hidden


def field(grain: Grain, shape: tuple[int, ...], rng: Rng) -> Float32Array:
    """Return (H, W) float32 of unit variance: a sum of blurred white noise at every scale.

    Wide blurs are made on a coarser image and enlarged.

    :param grain: (scale in px, share of the variance) of each part.
    :param shape: rows and columns.
    :param rng: draws all that is left to chance.
    """
    total = np.zeros(shape, np.float32)
    for scale, share in grain:
        if share > 0:
            total += np.float32(np.sqrt(share)) * _blurred(scale, shape, rng)
    return total


def _blurred(scale_px: float, shape: tuple[int, ...], rng: Rng) -> Float32Array:
    """Return white noise blurred by a Gaussian of ``scale_px`` and brought to unit variance."""
    if scale_px <= 0:
        return rng.standard_normal(shape, np.float32)
    reduced = max(1, int(scale_px / 2))
    rows, columns = (-(-size // reduced) + 2 * int(3 * scale_px / reduced) + 2 for size in shape)
    scale = scale_px / reduced
    noise = cv2.GaussianBlur(rng.standard_normal((rows, columns), np.float32), (0, 0), scale)
    margin = int(3 * scale_px / reduced)
    gain = 2 * np.sqrt(np.pi) * scale  # the blur leaves 1 / (4 pi scale^2) of the variance
    if scale < 2:  # where the kernel's samples are too few for that, by its own weights
        kernel = cv2.getGaussianKernel(2 * int(4 * scale + 1) + 1, scale)
        gain = 1 / float(np.square(kernel).sum())
    if reduced == 1:
        kept = noise[margin : margin + shape[0], margin : margin + shape[1]]
        return np.asarray(gain * kept, np.float32)
    columns_px, rows_px = shape[1], shape[0]
    affine = np.array([[1 / reduced, 0, margin], [0, 1 / reduced, margin]], np.float64)
    enlarged = cv2.warpAffine(
        noise,
        affine,
        (columns_px, rows_px),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(gain * enlarged, np.float32)


def _slow(shape: tuple[int, ...], rng: Rng) -> Float32Array:
    """Return (H, W) smooth bending of unit variance with a few cells across the image."""
    coarse = rng.standard_normal((WARP_CELLS, WARP_CELLS), np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _through(rendering: Rendering, rng: Rng) -> Float32Array:
    """Return the depth that light comes back from: behind clear things, mostly."""
    if not rendering.clear.any():
        return rendering.depth_m
    passes = rendering.clear > 0.35 + 0.25 * field(
        ((DROPOUT_PX, 1.0),), rendering.clear.shape, rng
    )
    return np.where(passes, rendering.behind_m, rendering.depth_m)


def _fattened(depth_m: Float32Array, reach_px: float, rng: Rng) -> Float32Array:
    """Grow near surfaces over far ones, by up to twice ``reach_px``, here more and there less."""
    infinite = np.where(np.isnan(depth_m), np.float32(np.inf), depth_m)
    wobble = field(((WOBBLE_PX, 1.0),), depth_m.shape, rng)
    reach = np.clip(reach_px * (1 + 0.5 * wobble), 0, 2 * reach_px)
    grown = infinite.copy()
    for radius in range(1, int(2 * reach_px) + 1):
        size = 2 * radius + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        nearer = cv2.erode(infinite, kernel, borderValue=float('inf'))
        far = nearer < infinite * (1 - SILHOUETTE)
        np.copyto(grown, nearer, where=far & (reach >= radius))
    return np.where(np.isinf(grown), np.float32(np.nan), grown)


def _jittered(
    depth_m: Float32Array, theta: Float32Array, model: SensorModel, rng: Rng
) -> Float32Array:
    """Return the depth of a pixel nearby: by chance for each pixel, and by a shift for all.

    The chance is Nguyen, Izadi, Lovell (3DIMPVT 2012), equation 1.
    """
    tilt = 0.035 * theta / (np.pi / 2 - theta)
    sigma = (model.lateral_px + tilt * (model.lateral_px > 0)).astype(np.float32)
    rows, columns = depth_m.shape
    shift = rng.standard_normal((2, rows, columns), np.float32) * sigma
    if model.misregistration_px > 0:
        shift += rng.normal(0.0, model.misregistration_px, (2, 1, 1)).astype(np.float32)
    steps = np.rint(shift).astype(np.int32)
    row = np.clip(np.arange(rows)[:, None] + steps[0], 0, rows - 1)
    column = np.clip(np.arange(columns) + steps[1], 0, columns - 1)
    jittered: Float32Array = np.take(depth_m, row * columns + column)
    return jittered


def _mixed(depth_m: Float32Array, width_px: float) -> Float32Array:
    """Return depth in which a band along silhouettes lies between near and far."""
    far_away = np.where(np.isnan(depth_m), np.float32(np.nanmax(depth_m, initial=0.0)), depth_m)
    at = _silhouettes(depth_m, width_px)
    between = cv2.GaussianBlur(far_away, (0, 0), max(0.5, width_px / 2))
    return np.where(at & ~np.isnan(depth_m), between, depth_m)


def _silhouettes(depth_m: Float32Array, width_px: float) -> BoolArray:
    """Return (H, W) bool, the band of this width around steps in depth."""
    filled = np.where(np.isnan(depth_m), np.float32(1e3), depth_m)
    size = 2 * max(1, round(width_px / 2)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    low, high = cv2.erode(filled, kernel), cv2.dilate(filled, kernel)
    steps: BoolArray = high > low * (1 + SILHOUETTE * size / 2)
    return steps


def _missing(
    rendering: Rendering, depth_m: Float32Array, theta: Float32Array, model: SensorModel, rng: Rng
) -> BoolArray:
    """Return where no light comes back, or too much, or matching fails; (H, W) bool."""
    lost = np.zeros(depth_m.shape, bool)
    if model.dark <= 0 and model.gloss >= 1 and model.dropout <= 0 and model.rim_px <= 0:
        return lost
    blobs = field(((1.0, 0.3), (DROPOUT_PX, 0.7)), depth_m.shape, rng)
    if model.rim_px > 0:
        lost |= _silhouettes(depth_m, 2 * model.rim_px) & (blobs > -0.7)
        lost |= _silhouettes(depth_m, model.rim_px)
    if model.dark > 0:
        light = rendering.reflectance * np.cos(theta) / np.square(np.maximum(depth_m, 0.3))
        lost |= light < model.dark * np.exp(0.7 * blobs)
    if model.gloss < 1:
        mirrored = rendering.gloss * np.exp(-np.square(theta / 0.35))
        lost |= mirrored + 0.15 * blobs > model.gloss
        lost |= rendering.gloss + 0.1 * blobs > 0.5 + 0.5 * model.gloss
        lost |= (rendering.clear > 0.2) & (blobs > 0.4)
    if model.dropout > 0:
        lost |= blobs > float(-ndtri(model.dropout))
    return lost
