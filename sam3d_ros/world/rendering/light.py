# SPDX-License-Identifier: Apache-2.0
"""One lamp, a bright sky and a shadow map: enough for pictures with plausible shading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.rendering.surface import Surface, rotated

SHADOW_PX = 384
SHADOW_SPAN_M = 1.6
SHADOW_BIAS_M = 0.006


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A distant lamp and an even sky.

    :param direction: (3,) float64 unit, towards the lamp, fixed frame.
    :param ambient: share of light that comes from everywhere, 0..1.
    :param exposure: factor on all colours.
    """

    direction: FloatArray
    ambient: float
    exposure: float

    def shade(
        self,
        albedo: Float32Array,
        normals: Float32Array,
        depth_m: Float32Array,
        rays: Float32Array,
        T_fixed_cam: FloatArray,
        shadow: Shadow,
    ) -> ByteArray:
        """Return (H, W, 3) uint8 colours of (H, W, 3) surface colours and camera normals.

        :param albedo: (H, W, 3) float32 surface colours, 0..255.
        :param depth_m: (H, W) float32 z-depth.
        :param rays: (H, W, 3) float32 rays with z = 1, optical frame.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        :param shadow: of the objects as they stand.
        """
        points_cam = rays * np.where(np.isfinite(depth_m), depth_m, 0)[..., None]
        points_cam += np.float32(SHADOW_BIAS_M) * normals
        lit = shadow.lit(points_cam, T_fixed_cam)
        return self.reflected(albedo, normals, T_fixed_cam[:3, :3], lit)

    def reflected(
        self,
        albedo: Float32Array,
        normals: Float32Array,
        R_fixed_normals: FloatArray,
        lit: Float32Array | float = 1.0,
    ) -> ByteArray:
        """Return (..., 3) uint8 colours of surfaces with Lambert's reflection.

        :param albedo: (..., 3) colours, 0..255.
        :param normals: (..., 3) unit normals.
        :param R_fixed_normals: (3, 3) rotation from the normals' frame to the fixed frame.
        :param lit: (...) share of the lamp that reaches them, or one value for all.
        """
        toward_lamp = (R_fixed_normals.T @ self.direction).astype(np.float32)
        up = R_fixed_normals[2].astype(np.float32)
        lambert = np.clip(normals @ toward_lamp, 0, 1)
        sky = self.ambient * (0.75 + 0.25 * (normals @ up))
        light = self.exposure * (sky + (1 - self.ambient) * lambert * lit)
        shaded: ByteArray = np.clip(albedo * light[..., None], 0, 255).astype(np.uint8)
        return shaded


DAYLIGHT = Light(np.array([0.0, 0.0, 1.0]), 0.6, 1.0)
"""A lamp straight above."""


def random_light(rng: np.random.Generator) -> Light:
    """Return a lamp well above the horizon with random strength."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(40, 80))
    direction = np.array(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    return Light(direction, rng.uniform(0.45, 0.7), rng.uniform(0.95, 1.25))


class Shadow:
    """The lamp's depth image of the objects (Williams 1978), and what it lights.

    :param light: the lamp.
    :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
    :param present: (N,) bool, which of the objects are there.
    """

    def __init__(
        self,
        light: Light,
        objects: Sequence[Surface],
        T_fixed_obj: FloatArray,
        present: BoolArray,
    ) -> None:
        self._T_fixed_obj, self._present = T_fixed_obj.copy(), present.copy()
        middle = T_fixed_obj[:, :3, 3].mean(axis=0) if len(objects) else np.zeros(3)
        self._T_lamp_fixed = inverse(lamp_pose(light.direction, middle))
        self._height = np.full((SHADOW_PX, SHADOW_PX), -np.inf, np.float32)
        for index in np.flatnonzero(present):
            self._draw(objects[int(index)], self._T_lamp_fixed @ T_fixed_obj[index])

    def is_of(self, T_fixed_obj: FloatArray, present: BoolArray) -> bool:
        """Return whether the map was made for objects exactly here.

        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        :param present: (N,) bool, which of the objects are there.
        """
        same = np.array_equal(self._present, present)
        return same and np.array_equal(self._T_fixed_obj, T_fixed_obj)

    def lit(self, points_cam_m: Float32Array, T_fixed_cam: FloatArray) -> Float32Array:
        """Return (...,) float32, 1 where the lamp reaches (..., 3) points, else 0.

        :param points_cam_m: (..., 3) float32 points, optical frame, metres.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        """
        T_lamp_cam = self._T_lamp_fixed @ T_fixed_cam
        points = rotated(points_cam_m, T_lamp_cam[:3, :3]) + T_lamp_cam[:3, 3].astype(np.float32)
        column, row = (_cell(points[..., k]) for k in (0, 1))
        blocker = self._height[row, column]
        return (blocker < points[..., 2] + SHADOW_BIAS_M / 2).astype(np.float32)

    def _draw(self, surface: Surface, T_lamp_obj: FloatArray) -> None:
        corners = apply(T_lamp_obj, surface.corners_m.astype(np.float64))
        low, high = _cell(corners.min(axis=0)[:2]), _cell(corners.max(axis=0)[:2]) + 1
        window = slice(low[1], high[1]), slice(low[0], high[0])
        row, column = np.mgrid[window]
        above = corners[:, 2].max() + 0.01
        origins = np.stack(
            [_middle(column), _middle(row), np.full(row.shape, above)], axis=-1
        ).reshape(-1, 3)
        T_obj_lamp = inverse(T_lamp_obj)
        down = np.broadcast_to(-T_obj_lamp[:3, 2], origins.shape)
        hits = surface.cast(apply(T_obj_lamp, origins).astype(np.float32), down.astype(np.float32))
        height = (above - hits.t).reshape(row.shape)
        np.maximum(self._height[window], height, out=self._height[window])


def lamp_pose(direction: FloatArray, middle: FloatArray) -> FloatArray:
    """Return the frame whose z axis points to the lamp and whose origin is ``middle``.

    :param direction: (3,) unit, towards the lamp.
    """
    x = np.cross([0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0], direction)
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([x, np.cross(direction, x), direction])
    T[:3, 3] = middle
    return T


def _cell(value_m: npt.NDArray[Any]) -> IndexArray:
    index: IndexArray = np.floor((value_m / SHADOW_SPAN_M + 0.5) * SHADOW_PX).astype(np.int32)
    return np.clip(index, 0, SHADOW_PX - 1).astype(np.int32)


def _middle(cell: IndexArray) -> FloatArray:
    return ((cell + 0.5) / SHADOW_PX - 0.5) * SHADOW_SPAN_M
