# SPDX-License-Identifier: Apache-2.0
"""A frame at half its size and below, as dense alignment compares it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array
from sam3d_ros.geometry.cameras import rays, scaled

WIDTH_PX = 320
"""About so wide is the finest level."""
LEVELS = 4
MOST_PIXELS = 4000
"""Pixels of a surface that others are aligned with: of blank tables fewer, so that all directions
of surfaces, and texture, have a say (normal-space sampling, Rusinkiewicz and Levoy, 2001)."""
LEAST_SHARE = 0.5
"""Share of a block's pixels that need a return for the block to have one."""
MOST_SPREAD = 0.03
"""Of the depths in a block, over their mean; more is a silhouette."""
STEP = np.float32(1.6e-4)
"""Of inverse depth as it is kept, 1/m: a sixth of a millimetre at 1 m, and 0.1 m is in reach."""
SLOW_SHARE = 0.1
"""Of the width; brightness that changes over so much is of lamps and lenses, not of surfaces."""
ROUGH_PX = 7
"""Normals of a smooth surface differ within such a window by errors alone."""
LEAST_GRADIENT = 2.0
"""Of brightness (0..255), a pixel; less may be grain, or a lens that is darker at its rim."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One size of a frame.

    :param camera: of this size.
    :param image: (h, w, 2) float32: inverse depth, 1/m, NaN = none, and brightness, 0..255.
    """

    camera: Camera
    image: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class KeptLevel:
    """A level in half the memory, and as good: steps are far below what a camera measures.

    :param inverse_depth: (h, w) uint16, multiples of :data:`STEP`, 0 = none.
    :param brightness: (h, w) float16.
    """

    camera: Camera
    inverse_depth: npt.NDArray[np.uint16]
    brightness: npt.NDArray[np.float16]

    @classmethod
    def of(cls, level: Level) -> KeptLevel:
        """Return a level as it is kept."""
        steps = np.clip(np.rint(level.image[..., 0] / STEP), 1, np.iinfo(np.uint16).max)
        return cls(
            level.camera,
            np.nan_to_num(steps).astype(np.uint16),
            level.image[..., 1].astype(np.float16),
        )

    def level(self) -> Level:
        """Return it as it is compared."""
        inverse_depth = self.inverse_depth * STEP
        inverse_depth[self.inverse_depth == 0] = np.nan
        return Level(self.camera, np.dstack([inverse_depth, self.brightness.astype(np.float32)]))


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What of a level another view is aligned with, pixel by pixel.

    :param points: (N, 3) float32, metres, optical axes.
    :param normals: (N, 3) float32 unit normals, towards the camera.
    :param brightness: (N,) float32, 0..255.
    :param shape: (N, 6) float32 rows: how the height over the surface changes with a motion.
    :param shade: (N, 6) float32 rows: how brightness does; zero where it hardly changes.
    :param textured: (N,) bool, where it does.
    :param roughness: variance of the direction of normals among neighbours, radians squared.
    """

    points: Float32Array
    normals: Float32Array
    brightness: Float32Array
    shape: Float32Array
    shade: Float32Array
    textured: BoolArray
    roughness: float


def levels_of(rgb: ByteArray, depth_m: Float32Array, camera: Camera) -> tuple[Level, ...]:
    """Return a frame's levels, the finest first.

    :param rgb: (H, W, 3) uint8.
    :param depth_m: (H, W) float32 z-depth, metres, NaN = no return.
    :param camera: of both.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    step = max(1, round(camera.width / WIDTH_PX))
    width, height = camera.width // step, camera.height // step
    gray = gray[: height * step, : width * step]
    depth_m = depth_m[: height * step, : width * step]
    cut = Camera(width * step, height * step, camera.K)
    levels = []
    for _ in range(LEVELS):
        small = scaled(cut, width, height)
        brightness = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
        depth_m = _shrunk(depth_m, (width, height))
        across = 2 * round(SLOW_SHARE * width / 2) + 1
        slow = cv2.blur(brightness, (across, across), borderType=cv2.BORDER_REFLECT)
        detail = brightness.astype(np.float32) - slow
        image = np.dstack([1.0 / depth_m, detail])
        levels.append(Level(small, np.ascontiguousarray(image, np.float32)))
        width, height = max(width // 2, 1), max(height // 2, 1)
        gray, depth_m = brightness[: 2 * height, : 2 * width], depth_m[: 2 * height, : 2 * width]
        cut = Camera(2 * width, 2 * height, small.K)
    return tuple(levels)


def surface_of(level: Level) -> Surface:
    """Return the pixels of a level that have a range and a normal."""
    inverse_depth: Float32Array = level.image[..., 0].copy()
    brightness: Float32Array = level.image[..., 1].copy()
    camera = level.camera
    # A plane is linear in the image, in inverse depth: its normal is its gradient there.
    along_u = cv2.Sobel(inverse_depth, cv2.CV_32F, 1, 0, scale=camera.fx / 8)
    along_v = cv2.Sobel(inverse_depth, cv2.CV_32F, 0, 1, scale=camera.fy / 8)
    ray = rays(camera)
    normals = np.dstack(
        [along_u, along_v, inverse_depth - ray[..., 0] * along_u - ray[..., 1] * along_v]
    )
    length = np.sqrt(np.einsum('hwc,hwc->hw', normals, normals))
    known = np.isfinite(length) & (length > 0)
    known[[0, -1]] = known[:, [0, -1]] = False
    blurred = cv2.GaussianBlur(brightness, (3, 3), 0)
    du = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8)
    dv = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8)
    normals = -normals / np.maximum(length, 1e-9)[..., None]
    around = cv2.blur(np.where(known[..., None], normals, np.float32(0)), (ROUGH_PX, ROUGH_PX))
    known = _chosen(known, normals, np.hypot(du, dv) > LEAST_GRADIENT)
    n = normals[known]
    mean = around[known] / np.maximum(np.linalg.norm(around[known], axis=1, keepdims=True), 1e-9)
    aside = np.square(n - mean).sum(axis=1) / 2
    # The median of squared errors in two directions is ln 2 of their mean.
    roughness = float(np.median(aside) / np.log(2)) if len(n) else 1.0
    p = ray[known] / inverse_depth[known, None]
    du, dv = du[known], dv[known]
    textured = np.hypot(du, dv) > LEAST_GRADIENT
    over_z = inverse_depth[known]
    g = np.column_stack([du * camera.fx * over_z, dv * camera.fy * over_z, np.zeros_like(du)])
    g[:, 2] = -(g[:, 0] * p[:, 0] + g[:, 1] * p[:, 1]) * over_z
    g[~textured] = 0.0
    return Surface(
        p,
        n,
        brightness[known],
        np.hstack([n, np.cross(p, n)]),
        -np.hstack([g, np.cross(p, g)]),
        textured,
        roughness,
    )


def _chosen(known: BoolArray, normals: Float32Array, textured: BoolArray) -> BoolArray:
    """Return (h, w) which of the known pixels are used: as many of each direction, as far as that
    goes, and of those with texture and without.

    :param known: (h, w) bool.
    :param normals: (h, w, 3) unit normals.
    :param textured: (h, w) bool.
    """
    if (total := int(known.sum())) <= MOST_PIXELS:
        return known
    kind = (
        np.rint(1.5 * normals[known]) @ np.array([25, 5, 1], np.float32) + 1000 * textured[known]
    )
    _, of, counts = np.unique(kind, return_inverse=True, return_counts=True)
    # The largest of u^(1/weight) are a sample without replacement (Efraimidis and Spirakis, 2006).
    keys = np.log(np.random.default_rng(0).random(total)) * counts[of]
    used = np.zeros(total, bool)
    used[np.argpartition(keys, -MOST_PIXELS)[-MOST_PIXELS:]] = True
    chosen = known.copy()
    chosen[known] = used
    return chosen


def _shrunk(depth_m: Float32Array, size_px: tuple[int, int]) -> Float32Array:
    """Return mean depths of blocks, NaN where too little of one has a return, or a silhouette.

    :param depth_m: (H, W) float32, metres, NaN = no return.
    :param size_px: width and height of the result.
    """
    known = depth_m > 0
    filled = np.where(known, depth_m, np.float32(0.0))
    share, total, squares = (
        cv2.resize(part, size_px, interpolation=cv2.INTER_AREA)
        for part in (known.astype(np.float32), filled, filled * filled)
    )
    with np.errstate(divide='ignore', invalid='ignore'):
        mean = total / share
        spread = np.sqrt(np.maximum(squares / share - mean * mean, 0.0))
        mean[(share < LEAST_SHARE) | ~(spread < MOST_SPREAD * mean)] = np.nan
    return np.asarray(mean, np.float32)
