# SPDX-License-Identifier: Apache-2.0
"""Rays of one view through points of space: one projection and one look-up per point."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.grid import Grid, T_cam_grid
from sam3d_ros.reconstruction.views import View

# What a pixel's ray ended on.
NOTHING, BLIND_OWN, OWN, FOREIGN, OTHER = range(5)
FARTHEST_M = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class ViewRays:
    """What one view says about each voxel of a grid, (N, N, N) each, or of a list, (P,) each.

    :param looks: bool, the voxel projects to a pixel that decides (own, or with a return).
    :param in_mask: bool, that pixel is the object's.
    :param free: bool, its ray was measured to go on behind the voxel.
    :param clear: bool, so were the rays of all pixels around it: free whatever the lateral noise.
    :param outside: bool, a ray that is not the object's goes through or ends in the voxel.
    :param behind: bool, behind the object's own surface.
    :param blocked: bool, behind a surface that is not the object's.
    :param near: bool, on an own ray in front of, or less than the truncation behind, the surface.
    :param distance_m: float32, truncated signed projective distance where ``near``, else 0.
    :param surface: float32, likelihood of the observed surface.
    :param proven: float32, the same of what was measured alone; inferred range proves no surface.
    """

    looks: BoolArray
    in_mask: BoolArray
    free: BoolArray
    clear: BoolArray
    outside: BoolArray
    behind: BoolArray
    blocked: BoolArray
    near: BoolArray
    distance_m: Float32Array
    surface: Float32Array
    proven: Float32Array


def cast(view: View, grid: Grid, truncation_m: float, config: EvidenceConfig) -> ViewRays:
    """Return what ``view`` says about every voxel of ``grid``.

    :param truncation_m: of the signed distance.
    :param config: how sure a ray must be of free space.
    """
    T = T_cam_grid(view, grid)
    a = grid.axis_m
    X, Y, z = (
        (
            (T[i, 0] * a)[:, None, None]
            + (T[i, 1] * a)[None, :, None]
            + (T[i, 2] * a + T[i, 3])[None, None, :]
        ).astype(np.float32)
        for i in range(3)
    )
    return _fates(view, (X, Y, z), grid.voxel_m, truncation_m, config)


def cast_at(
    view: View, points_m: Float32Array, grid: Grid, truncation_m: float, config: EvidenceConfig
) -> ViewRays:
    """Return what ``view`` says about voxels, (P,) each.

    :param points_m: (P, 3) float32 centres of voxels of ``grid``, in its frame.
    :param truncation_m: of the signed distance.
    :param config: how sure a ray must be of free space.
    """
    T = T_cam_grid(view, grid).astype(np.float32)
    X, Y, z = T[:3, :3] @ points_m.T + T[:3, 3:]
    return _fates(view, (X, Y, z), grid.voxel_m, truncation_m, config)


def _fates(
    view: View,
    at_cam: tuple[Float32Array, Float32Array, Float32Array],
    voxel_m: float,
    truncation_m: float,
    config: EvidenceConfig,
) -> ViewRays:
    """Return what ``view`` says about voxels of side ``voxel_m`` around points of its frame."""
    kinds, depths = _pixels(view)
    pixel, z = _pixels_of(view, *at_cam), at_cam[2]
    sigmas = view.sensor.axial_sigma(depths)
    if view.range_sigma_m is not None:
        own_m = np.append(view.range_sigma_m, np.float32(np.nan))
        sigmas = np.where(np.isfinite(own_m), own_m, sigmas)
    half_m = np.float32(0.5 * voxel_m)
    kind, gap = kinds[pixel], depths[pixel] - z
    tolerance = (config.free_sigmas * sigmas + half_m)[pixel]
    own, other = kind == OWN, kind >= FOREIGN
    measured = own if view.measured is None else own & np.append(view.measured, False)[pixel]
    through, hidden = gap > tolerance, gap < -tolerance
    near = own & (gap > -truncation_m)
    surface = np.zeros_like(gap)
    close = np.flatnonzero(near & (gap < truncation_m))
    spread = np.square(sigmas[pixel.ravel()[close]]) + half_m * half_m
    surface.ravel()[close] = np.exp(-0.5 * np.square(gap.ravel()[close]) / spread)
    return ViewRays(
        looks=kind != NOTHING,
        in_mask=own | (kind == BLIND_OWN),
        free=(measured | other) & through,
        clear=_cleared(view, config)[pixel] > z + half_m,
        outside=other & ~hidden,
        behind=own & hidden,
        blocked=other & hidden,
        near=near,
        distance_m=np.minimum(gap, np.float32(truncation_m)) * near,
        surface=surface,
        proven=surface if view.measured is None else surface * measured,
    )


def _pixels(view: View) -> tuple[np.ndarray, Float32Array]:
    """Kind and depth of every pixel (flat), and one more for "outside the crop" at the end."""
    depth = view.pointmap[..., 2]
    seen = _seen(view)
    kinds = np.full(depth.size + 1, NOTHING, np.uint8)
    kind = kinds[:-1].reshape(depth.shape)
    kind[seen] = OTHER
    kind[seen & view.foreign] = FOREIGN
    kind[view.mask] = BLIND_OWN
    kind[view.own] = OWN
    depths = np.zeros(depth.size + 1, np.float32)
    depths[:-1] = np.where(seen | view.own, depth, 0.0).ravel()
    return kinds, depths


def _seen(view: View) -> BoolArray:
    """Return (h, w) which pixels were measured; what was inferred tells nothing of free space."""
    seen: BoolArray = np.isfinite(view.pointmap[..., 2])
    return seen if view.measured is None else seen & view.measured


def _cleared(view: View, config: EvidenceConfig) -> Float32Array:
    """Depth up to which each pixel (flat, one more at the end) and its neighbours see through.

    Lateral noise and rounding make a ray as wide as its neighbours.
    """
    depth = view.pointmap[..., 2]
    seen = _seen(view)
    window = np.ones((3, 3), np.uint8)
    nearest = np.asarray(
        cv2.erode(np.where(seen, depth, np.float32(FARTHEST_M)), window), np.float32
    )
    sigmas = view.sensor.axial_sigma(nearest)
    if view.range_sigma_m is not None:
        # The surest of two surfaces may be the nearer one: all around count with the worst.
        sigmas = np.asarray(cv2.dilate(np.nan_to_num(view.range_sigma_m), window), np.float32)
    cleared = nearest - config.free_sigmas * sigmas
    return np.append(np.where(seen, cleared, 0.0), 0.0).astype(np.float32)


def _pixels_of(view: View, X: Float32Array, Y: Float32Array, z: Float32Array) -> np.ndarray:
    """Flat index of the pixel (the last: outside the crop) of points in the optical frame."""
    camera = view.camera
    ahead = z > 0.01
    scale = 1.0 / np.where(ahead, z, 1.0)
    column = np.rint(X * scale * np.float32(camera.fx) + np.float32(camera.cx))
    row = np.rint(Y * scale * np.float32(camera.fy) + np.float32(camera.cy))
    inside = ahead & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    outside = np.float32(camera.width * camera.height)
    # Whole numbers below 2^24 are exact in float32; crops are smaller.
    return np.where(inside, row * np.float32(camera.width) + column, outside).astype(np.int32)
