# SPDX-License-Identifier: Apache-2.0
"""Soft shadows and dark contacts from blurred height maps, one look-up a pixel.

Shadows are variance shadow maps (Donnelly, Lauritzen 2006): the lamp's depth image is kept as
blurred first and second moments, and Chebyshev's inequality bounds the lit share. Contacts are
darkened where the blurred relief seen from straight above stands higher than a point, a cheap
ambient occlusion of height fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.rendering.light import lamp_pose
from sam3d_ros.world.rendering.surface import Surface

MAP_PX = 448
COARSE = 2
"""Surroundings are drawn on a grid so many times coarser."""
SPAN_M = 2.0
BIAS_M = 0.004
BLEED = 0.2
"""Lit shares below this are Chebyshev's slack, not light (Lauritzen, GPU Gems 3, 8.4.1)."""
CONTACT_M = (0.012, 0.05)
"""Reach of the darkness in corners and around things."""
DEEP_M = 0.3
"""What lies deeper under the relief than this is another storey, not a contact."""
HEADROOM_M = 0.25
NOWHERE_M = -100.0

Placed = Sequence[tuple[Surface, FloatArray]]
"""Surfaces and their poses T_fixed_solid."""


class SoftShadow:
    """Blurred height maps of one arrangement of objects, towards lamps and from above.

    :param directions: (L, 3) float64 unit, towards the lamps, fixed frame.
    :param softness_m: (L,) sigma of the blur of each lamp's shadows.
    :param objects: what casts shadows; clear ones do not.
    :param around: surfaces in the fixed frame that cast shadows where they are near.
    :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
    :param present: (N,) bool, which of the objects are there.
    """

    def __init__(
        self,
        directions: FloatArray,
        softness_m: Sequence[float],
        objects: Sequence[Surface],
        around: Sequence[Surface],
        T_fixed_obj: FloatArray,
        present: BoolArray,
    ) -> None:
        self._T_fixed_obj, self._present = T_fixed_obj.copy(), present.copy()
        middle = T_fixed_obj[:, :3, 3].mean(axis=0) if len(objects) else np.zeros(3)
        placed = [
            (surface, T)
            for surface, T, here in zip(objects, T_fixed_obj, present, strict=True)
            if here and surface.materials[0].clear < 0.5
        ]
        self._T_map_fixed, self._moments = [], []
        for direction, sigma_m in zip(directions, softness_m, strict=True):
            T_map_fixed = inverse(lamp_pose(direction, middle))
            height = _heights(placed, around, T_map_fixed, HEADROOM_M)
            moments = _blurred(np.stack([height, height**2], axis=-1), sigma_m)
            self._T_map_fixed.append(T_map_fixed)
            self._moments.append(moments)
        self._T_relief_fixed = inverse(lamp_pose(np.array([0.0, 0.0, 1.0]), middle))
        relief = _heights(placed, around, self._T_relief_fixed, 0.0)
        self._relief = np.stack([_blurred(relief, sigma) for sigma in CONTACT_M], axis=-1)

    def is_of(self, T_fixed_obj: FloatArray, present: BoolArray) -> bool:
        """Return whether the maps were made for objects exactly here.

        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        :param present: (N,) bool, which of the objects are there.
        """
        same = np.array_equal(self._present, present)
        return same and np.array_equal(self._T_fixed_obj, T_fixed_obj)

    def lit(self, points_cam_m: Float32Array, T_fixed_cam: FloatArray) -> Float32Array:
        """Return (H, W, L) float32 shares of every lamp that reach (H, W, 3) points.

        :param points_cam_m: (..., 3) float32 points, optical frame, metres.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        """
        shape = (*points_cam_m.shape[:2], len(self._moments))
        shares = np.empty(shape, np.float32)
        for lamp, (T_map_fixed, moments) in enumerate(
            zip(self._T_map_fixed, self._moments, strict=True)
        ):
            height, found = _looked_up(moments, points_cam_m, T_map_fixed @ T_fixed_cam)
            above = found[..., 0] - height
            above -= np.float32(BIAS_M)
            variance = np.maximum(found[..., 1] - found[..., 0] ** 2, np.float32(1e-6))
            share = variance / (variance + above**2)
            share = (share - np.float32(BLEED)) * np.float32(1 / (1 - BLEED))
            share[above <= 0] = 1
            shares[..., lamp] = np.maximum(share, 0)
        return shares

    def openness(self, points_cam_m: Float32Array, T_fixed_cam: FloatArray) -> Float32Array:
        """Return (H, W) float32, 1 in the open .. 0 in narrow corners, of (H, W, 3) points.

        :param points_cam_m: (..., 3) float32 points, optical frame, metres.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        """
        height, relief = _looked_up(self._relief, points_cam_m, self._T_relief_fixed @ T_fixed_cam)
        deeper = relief - height[..., None]
        deeper[deeper > DEEP_M] = 0
        closed = np.clip(deeper[..., 0] * np.float32(0.3 / CONTACT_M[0]), 0, 0.4)
        closed += np.clip(deeper[..., 1] * np.float32(0.5 / CONTACT_M[1]), 0, 0.6)
        return 1 - closed


def _looked_up(
    image: Float32Array, points_cam_m: Float32Array, T_map_cam: FloatArray
) -> tuple[Float32Array, Float32Array]:
    """Return (H, W) heights of (H, W, 3) points and the (H, W, 2) values of a map under them."""
    to_cells = T_map_cam[:3].copy()
    to_cells[:2] *= MAP_PX / SPAN_M
    to_cells[:2, 3] += MAP_PX / 2 - 0.5
    columns, rows, heights = cv2.split(cv2.transform(points_cam_m, to_cells))
    found = cv2.remap(
        image,
        columns,
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(NOWHERE_M, NOWHERE_M**2 + 1e-3, 0, 0),
    )
    return np.asarray(heights, np.float32), np.asarray(found, np.float32)


def _blurred(image: Float32Array, sigma_m: float) -> Float32Array:
    sigma = max(sigma_m / SPAN_M * MAP_PX, 0.5)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def _heights(
    placed: Placed, around: Sequence[Surface], T_map_fixed: FloatArray, headroom_m: float
) -> Float32Array:
    """Return (MAP_PX, MAP_PX) float32 heights along the map's z axis of what is highest."""
    boxes = [apply(T_map_fixed @ T, surface.corners_m.astype(np.float64)) for surface, T in placed]
    above = max((float(box[:, 2].max()) for box in boxes), default=0.0) + 0.01
    everything = slice(0, MAP_PX)
    coarse = np.full((MAP_PX // COARSE, MAP_PX // COARSE), np.float32(NOWHERE_M))
    for surface in around:
        found = _cast(surface, T_map_fixed, (everything, everything), above + headroom_m, COARSE)
        np.maximum(coarse, found, out=coarse)
    height = cv2.resize(coarse, (MAP_PX, MAP_PX), interpolation=cv2.INTER_NEAREST)
    for (surface, T), box in zip(placed, boxes, strict=True):
        low, high = _cell(box.min(axis=0)[:2]), _cell(box.max(axis=0)[:2]) + 1
        window = slice(low[1], high[1]), slice(low[0], high[0])
        found = _cast(surface, T_map_fixed @ T, window, above)
        np.maximum(height[window], found, out=height[window])
    return np.asarray(height, np.float32)


def _cast(
    surface: Surface,
    T_map_solid: FloatArray,
    window: tuple[slice, slice],
    above_m: float,
    step: int = 1,
) -> Float32Array:
    """Return (h, w) float32 heights of one surface in every ``step``-th cell of a window."""
    rows, columns = (np.arange(part.start, part.stop, step) for part in window)
    y, x = np.meshgrid(_middle(rows, step), _middle(columns, step), indexing='ij')
    origins = np.stack([x, y, np.full(x.shape, above_m)], axis=-1).reshape(-1, 3)
    T_solid_map = inverse(T_map_solid)
    down = np.broadcast_to(-T_solid_map[:3, 2], origins.shape)
    hits = surface.cast(apply(T_solid_map, origins).astype(np.float32), down.astype(np.float32))
    height = np.where(np.isfinite(hits.t), above_m - hits.t, np.float32(NOWHERE_M))
    return height.reshape(x.shape).astype(np.float32)


def _cell(value_m: FloatArray) -> FloatArray:
    index = np.floor((value_m / SPAN_M + 0.5) * MAP_PX).astype(int)
    return np.clip(index, 0, MAP_PX - 1)


def _middle(cell: FloatArray, step: int) -> FloatArray:
    middle: FloatArray = ((cell + step / 2) / MAP_PX - 0.5) * SPAN_M
    return middle
