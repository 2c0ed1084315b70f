# SPDX-License-Identifier: Apache-2.0
"""A LiDAR on a moving mount, spinning or not: every column has its own time and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation, Slerp

from sam3d_ros.core.sensors import MODELS, SensorModel
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.world.rendering.render import Renderer

Rng = np.random.Generator
_PRISM_TURNS_S = (121.57, -77.92)
_LINES_RAD = float(np.radians(1.4))


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One turn of the LiDAR.

    :param points_m: (N, 3) float32 in the LiDAR's frame at each point's own time.
    :param time_s: (N,) float32 after the sweep's stamp.
    :param ring: (N,) uint16, 0 = lowest.
    :param intensity: (N,) float32, 0..255, the cosine of incidence.
    """

    points_m: Float32Array
    time_s: Float32Array
    ring: npt.NDArray[np.uint16]
    intensity: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Lidar:
    """A spinning LiDAR, frame x forward, y left, z up; turns clockwise from behind.

    Rings, columns and field of view follow the Ouster OS1 data sheet (16, 32 or 64 rings evenly
    over 45 deg, 1024 columns at 10 Hz; that of the Velodyne VLP-16 is 30 deg).

    :param pattern: ``spinning``, or ``rosette``: lines that two prisms lead over a round field of
        view, forwards, never twice the same way (Livox Avia: 6 lines, 24 000 points in 0.1 s;
        Liu, Zhang, arXiv:2003.09575).
    :param model: errors of its ranges. Returns are independent of each other: what the grain of
        the model says is of the pixels that are fitted between them.
    """

    rings: int = 64
    columns: int = 1024
    period_s: float = 0.1
    field_of_view_rad: float = np.radians(45.0)
    model: SensorModel = MODELS['lidar']
    pattern: str = 'spinning'

    def sweep(
        self,
        renderer: Renderer,
        path_s: FloatArray,
        T_fixed_link: FloatArray,
        T_link_lidar: FloatArray,
        start_s: float,
        T_fixed_obj: FloatArray,
        present: BoolArray,
        rng: Rng,
    ) -> Sweep:
        """Return the sweep that starts at ``start_s`` on a path of poses.

        :param renderer: draws the world.
        :param path_s: (K,) float64 times of the (K, 4, 4) ``T_fixed_link``; held at both ends.
        :param T_link_lidar: (4, 4), how the LiDAR is mounted on the moving link.
        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        :param present: (N,) bool, which of the objects are there.
        :param rng: draws all that is left to chance.
        """
        time = np.arange(self.columns) / self.columns * self.period_s
        R, t = poses_at(path_s, T_fixed_link, start_s + time)
        R, t = R @ T_link_lidar[:3, :3], t + R @ T_link_lidar[:3, 3]
        local = self._directions(start_s + time)
        directions = np.einsum('cij,crj->cri', R, local).reshape(-1, 3).astype(np.float32)
        origins = np.repeat(t, self.rings, axis=0).astype(np.float32)
        ranges, _, normals = renderer.cast(origins, directions, T_fixed_obj, present)
        cosine = np.abs(np.einsum('ij,ij->i', normals, directions))
        nearest, farthest = self.model.range_m
        seen = np.isfinite(ranges) & (ranges > nearest) & (ranges < farthest)
        spread = self.model.axial_sigma(np.where(seen, ranges, nearest))
        measured = ranges + spread * rng.standard_normal(len(ranges))
        points = measured[:, None] * local.reshape(-1, 3)
        return Sweep(
            points[seen].astype(np.float32),
            np.repeat(time, self.rings)[seen].astype(np.float32),
            np.tile(np.arange(self.rings, dtype=np.uint16), self.columns)[seen],
            (255 * cosine[seen]).astype(np.float32),
        )

    def _directions(self, time_s: FloatArray) -> FloatArray:
        """Return (columns, rings, 3) unit directions in the LiDAR's frame."""
        half = self.field_of_view_rad / 2
        if self.pattern == 'rosette':
            first, second = (2 * np.pi * turns * time_s[:, None] for turns in _PRISM_TURNS_S)
            line = np.linspace(-0.5, 0.5, self.rings) * _LINES_RAD
            a = half * (np.cos(first) + np.cos(second)) / 2 + line * np.cos(first)
            e = half * (np.sin(first) + np.sin(second)) / 2 + line * np.sin(first)
        else:
            azimuth = np.pi - 2 * np.pi * (np.arange(self.columns) + 0.5) / self.columns
            elevation = np.linspace(-half, half, self.rings)
            a, e = np.meshgrid(azimuth, elevation, indexing='ij')
        return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1)


LIVOX = Lidar(6, 4000, field_of_view_rad=float(np.radians(70)), pattern='rosette')
"""One that draws a rosette, as the Avia does."""


def poses_at(path_s: FloatArray, T: FloatArray, at_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (N, 3, 3) rotations and (N, 3) positions of a path at times; held at both ends.

    :param path_s: (K,) times of the path's poses, ascending, seconds.
    :param T: (K, 4, 4) the path.
    :param at_s: (N,) times, seconds.
    """
    clipped = np.clip(at_s, path_s[0], path_s[-1])
    if len(path_s) == 1:
        return np.tile(T[0, :3, :3], (len(at_s), 1, 1)), np.tile(T[0, :3, 3], (len(at_s), 1))
    R = Slerp(path_s, Rotation.from_matrix(T[:, :3, :3]))(clipped).as_matrix()
    position = [np.interp(clipped, path_s, T[:, axis, 3]) for axis in range(3)]
    return R, np.column_stack(position)
