# SPDX-License-Identifier: Apache-2.0
"""Depth of one camera seen from another: registration to the colour image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Camera, Float32Array, FloatArray
from sam3d_ros.geometry.cameras import scaled
from sam3d_ros.geometry.transforms import inverse

# Depth pixels lie this far apart in the coarse image, at most: a closed surface stays closed
# when it is turned or comes nearer.
_COARSE_SPACING_PX = 0.75
# Two depths that differ by less (relative) lie on the same surface.
_SAME_SURFACE = 0.03


Planes = tuple[Float32Array, Float32Array, Float32Array]
Pixels = npt.NDArray[np.intp]


def seen_pixels(points: Planes, camera: Camera) -> tuple[BoolArray, Pixels, Pixels]:
    """Return which optical points lie in the image, and column and row of each that does.

    Points with NaN, behind the camera or outside the image do not.

    :param points: x, y, z, each of the same shape, metres.
    :param camera: the rectified pinhole model.
    """
    x, y, z = points
    with np.errstate(divide='ignore', invalid='ignore'):
        column = x / z * np.float32(camera.fx) + np.float32(camera.cx + 0.5)
        row = y / z * np.float32(camera.fy) + np.float32(camera.cy + 0.5)
    # Comparisons with NaN are false; the half pixel above makes truncation rounding.
    inside = (z > 0) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return inside, column[inside].astype(np.intp), row[inside].astype(np.intp)


def splat(points: Planes, camera: Camera) -> Float32Array:
    """Return the (H, W) float32 z-buffer of optical points: nearest point wins, NaN = none.

    Points with NaN, behind the camera or outside the image are left out.

    :param points: x, y, z, each of the same shape, metres.
    """
    inside, column, row = seen_pixels(points, camera)
    nearest = np.full(camera.height * camera.width, np.inf, np.float32)
    np.minimum.at(nearest, row * camera.width + column, points[2][inside])
    nearest[np.isinf(nearest)] = np.nan
    return nearest.reshape(camera.height, camera.width)


def register(
    depth_m: Float32Array, source: Camera, T_target_source: FloatArray, target: Camera
) -> Float32Array:
    """Return z-depth as ``target`` sees the surfaces that ``source`` measured.

    Forward: all points go into a z-buffer coarse enough to have no gaps, which settles what
    hides what. Backward: each target pixel looks up, through that depth, where the source saw
    it, and takes the depth measured there, so that a target finer than its source gets a smooth
    surface without gaps. What the source did not see stays NaN.

    :param depth_m: (h, w) float32 z-depth of ``source``, metres, NaN = no return.
    :param T_target_source: (4, 4) frame of ``source`` to that of ``target``.
    :return: (H, W) float32 z-depth of ``target``, metres, NaN = no return.
    """
    finer = max(target.fx / source.fx, target.fy / source.fy)
    scale = min(1.0, _COARSE_SPACING_PX / finer)
    size = (max(round(target.width * scale), 1), max(round(target.height * scale), 1))
    coarse = splat(_move(depth_m, source, T_target_source), scaled(target, *size))
    size = (target.width, target.height)
    guess: Float32Array = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST))
    return _refine(guess, target, depth_m, source, T_target_source)


def _move(depth_m: Float32Array, camera: Camera, T: FloatArray) -> Planes:
    """Return x, y, z planes, float32, of back-projected depth moved by T.

    A rotated ray is linear in column and row, so no array of points is made.
    """
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    planes = []
    for R, t in zip(T[:3, :3], T[:3, 3], strict=True):
        along_row = (R[0] * x).astype(np.float32)
        along_column = (R[1] * y + R[2]).astype(np.float32)
        planes.append((along_row + along_column[:, None]) * depth_m + np.float32(t))
    return planes[0], planes[1], planes[2]


def _refine(
    guess: Float32Array, target: Camera, depth_m: Float32Array, source: Camera, T: FloatArray
) -> Float32Array:
    """Replace each guessed depth by the one measured where the guess projects to."""
    x, y, z = _move(guess, target, inverse(T))
    with np.errstate(divide='ignore', invalid='ignore'):
        x, y = x / z, y / z
    measured = _sample(
        depth_m,
        x * np.float32(source.fx) + np.float32(source.cx),
        y * np.float32(source.fy) + np.float32(source.cy),
    )
    along = T[2, :3].astype(np.float32)
    found = measured * (along[0] * x + along[1] * y + along[2]) + np.float32(T[2, 3])
    return np.where(np.abs(found - guess) < _SAME_SURFACE * guess, found, guess)


def _sample(depth_m: Float32Array, column: Float32Array, row: Float32Array) -> Float32Array:
    """Return depth at positions: linear on a surface, nearest at its edges, NaN outside."""
    nan = float('nan')

    def remap(interpolation: int) -> Float32Array:
        return np.asarray(
            cv2.remap(
                depth_m,
                column,
                row,
                interpolation,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=nan,
            )
        )

    nearest, linear = remap(cv2.INTER_NEAREST), remap(cv2.INTER_LINEAR)
    return np.where(np.abs(linear - nearest) < _SAME_SURFACE * nearest, linear, nearest)


def within_range(depth_m: Float32Array, nearest_m: float, farthest_m: float) -> Float32Array:
    """Return depth with what lies outside [nearest_m, farthest_m] as NaN.

    :param depth_m: (H, W) float32, metres.
    """
    inside = (depth_m >= nearest_m) & (depth_m <= farthest_m)
    return np.where(inside, depth_m, np.float32(np.nan))


def same_camera(a: Camera, b: Camera) -> bool:
    """Return whether two cameras see the same thing in every pixel, to a hundredth of a pixel.

    :param b: the other one.
    """
    same_size = (a.width, a.height) == (b.width, b.height)
    return same_size and bool(np.allclose(a.K, b.K, rtol=0, atol=0.01))
