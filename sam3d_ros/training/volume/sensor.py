# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between a true frame and what reaches the completion: depth, masks, planes.

Depth errors follow Nguyen, Izadi, Lovell (3DIMPVT 2012) in size, drawn wider than they report.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Camera, Float32Array

BASELINE_M = 0.075
"""Distance of projector and camera of a structured-light sensor."""
GRAZING_COSINE = 0.15
"""Surfaces seen flatter than this give no return."""


@dataclass(frozen=True, slots=True)
class DepthErrors:
    """One draw of a sensor: how large each error is.

    :param axial: factor on the axial noise 1.2 mm + 1.9 mm/m^2 (z - 0.4 m)^2.
    :param lateral_px: jitter of the pixel that a return belongs to, one sigma.
    :param disparity_step_px: quantisation of disparity, 0 = none.
    :param shadow: whether the projector's shadow gives no return.
    :param dropout: share of pixels without a return, in blobs.
    """

    axial: float
    lateral_px: float
    disparity_step_px: float
    shadow: bool
    dropout: float


NO_ERRORS = DepthErrors(0.0, 0.0, 0.0, False, 0.0)


def draw_depth_errors(rng: np.random.Generator) -> DepthErrors:
    """Return a random sensor, from nearly ideal to poor."""
    return DepthErrors(
        axial=rng.uniform(0.2, 1.6),
        lateral_px=rng.uniform(0.0, 1.0),
        disparity_step_px=float(rng.choice([0.0, 0.05, 0.125])),
        shadow=bool(rng.random() < 0.6),
        dropout=float(rng.choice([0.0, 0.01, 0.05])),
    )


def corrupt_depth(
    depth_m: Float32Array,
    cosine: Float32Array,
    camera: Camera,
    errors: DepthErrors,
    rng: np.random.Generator,
) -> Float32Array:
    """Return (H, W) float32 depth as the sensor would give it, NaN = no return.

    :param depth_m: (H, W) float32 true depth, metres, inf = nothing there.
    :param cosine: (H, W) float32 cosine between the ray and the surface normal, 0..1.
    """
    h, w = depth_m.shape
    lost = ~np.isfinite(depth_m) | (cosine < GRAZING_COSINE * min(errors.axial, 1.0))
    if errors.shadow:
        lost |= _projector_shadow(depth_m, camera)
    if errors.dropout > 0:
        lost |= _blobs((h, w), errors.dropout, rng)
    rows, columns = np.indices((h, w), np.float32)
    rows += rng.normal(0.0, errors.lateral_px, (h, w)).astype(np.float32)
    columns += rng.normal(0.0, errors.lateral_px, (h, w)).astype(np.float32)
    depth = cv2.remap(
        np.where(lost, np.float32(np.nan), depth_m),
        columns,
        rows,
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sigma = errors.axial * (0.0012 + 0.0019 * np.square(depth - 0.4))
    white = rng.standard_normal((h, w), np.float32)
    smooth = 2.5 * cv2.GaussianBlur(rng.standard_normal((h, w), np.float32), (0, 0), 1.0)
    depth = depth + sigma * (0.7 * white + 0.7 * smooth)
    if errors.disparity_step_px > 0:
        scale = camera.fx * BASELINE_M / errors.disparity_step_px
        depth = scale / np.rint(scale / depth)
    return depth.astype(np.float32)


def _projector_shadow(depth_m: Float32Array, camera: Camera) -> BoolArray:
    """Pixels whose point the projector, BASELINE_M to the left, cannot see."""
    columns = np.arange(depth_m.shape[1], dtype=np.float32)
    projected = columns - camera.fx * BASELINE_M / depth_m
    reached = np.maximum.accumulate(projected[:, ::-1] * -1.0, axis=1)[:, ::-1] * -1.0
    shadow: BoolArray = projected > reached + 1.0
    return shadow


def _blobs(shape: tuple[int, int], share: float, rng: np.random.Generator) -> BoolArray:
    """Random blobs that cover about ``share`` of an image."""
    small = rng.standard_normal((shape[0] // 4, shape[1] // 4), np.float32)
    field = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.6, 2.0)))
    blobs: BoolArray = cv2.resize(field, shape[::-1]) > np.quantile(field, 1.0 - share)
    return blobs


def corrupt_mask(
    mask: BoolArray, neighbour: BoolArray | None, rng: np.random.Generator
) -> BoolArray:
    """Return (H, W) bool mask as a segmenter might give it: right, wobbly, cut, too large.

    :param neighbour: mask of another object that may leak in, or None.
    """
    kind = rng.random()
    if kind < 0.3:
        return mask
    if kind < 0.8:
        return _wobble(mask, rng)
    if kind < 0.9 or neighbour is None:
        return _cut(mask, rng.uniform(0.05, 0.35), rng)
    return mask | (neighbour & ~_cut(neighbour, rng.uniform(0.05, 0.3), rng))


def _wobble(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Move the outline by up to some pixels: a constant (erosion, dilation) and a smooth part."""
    size = float(np.sqrt(mask.sum()))
    inner = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outer = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    noise = cv2.GaussianBlur(rng.standard_normal(mask.shape, np.float32), (0, 0), 4.0) * 14.0
    limit = min(3.0, 0.06 * size)
    shift = rng.uniform(-limit, limit) + noise * rng.uniform(0.0, 0.5 * limit)
    moved: BoolArray = inner - outer + shift > 0.5
    return moved


def _cut(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Cut off about ``share`` of a mask along a random straight line."""
    rows, columns = np.nonzero(mask)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    kept = along >= np.quantile(along, share)
    out = np.zeros_like(mask)
    out[rows[kept], columns[kept]] = True
    return out
