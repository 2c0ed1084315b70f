# SPDX-License-Identifier: Apache-2.0
"""Where the camera is: poses on an orbit, on a hand-held path, looking at a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from sam3d_ros.core.types import Camera, FloatArray

Rng = np.random.Generator
FOCAL_SHARE = 525.0 / 640.0
"""Focal length over image width of the sensors that the error models were measured on."""


def pinhole(width: int = 640, height: int = 480, rng: Rng | None = None) -> Camera:
    """Return an RGB-D camera's model; with ``rng`` the principal point is a few pixels off.

    :param width: columns of its images, px.
    :param height: rows of its images, px.
    """
    f = FOCAL_SHARE * width
    shift = np.zeros(2) if rng is None else rng.uniform(-0.0125, 0.0125, 2) * width
    K = np.array(
        [[f, 0, (width - 1) / 2 + shift[0]], [0, f, (height - 1) / 2 + shift[1]], [0, 0, 1]]
    )
    return Camera(width, height, K)


def looking_at(eye_m: FloatArray, target_m: FloatArray, roll_rad: float = 0.0) -> FloatArray:
    """Return T_fixed_cam of a camera at ``eye_m`` with ``target_m`` in its middle, z up.

    :param roll_rad: turn about the line of sight.
    """
    z = target_m - eye_m
    z = z / np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x = x / np.linalg.norm(x)
    y = np.cross(z, x)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    T = np.eye(4)
    T[:3, :3] = np.column_stack([cos * x + sin * y, cos * y - sin * x, z])
    T[:3, 3] = eye_m
    return T


def spherical(distance_m: float, azimuth_rad: float, elevation_rad: float) -> FloatArray:
    """Return the (3,) offset of a point at this distance and direction, z up.

    :param distance_m: length of the offset.
    :param azimuth_rad: about z, from x towards y.
    :param elevation_rad: above the horizontal.
    """
    flat = distance_m * np.cos(elevation_rad)
    return np.array(
        [
            flat * np.cos(azimuth_rad),
            flat * np.sin(azimuth_rad),
            distance_m * np.sin(elevation_rad),
        ]
    )


def orbit(
    target_m: FloatArray,
    distance_m: float,
    elevation_rad: float,
    azimuth_rad: FloatArray,
    roll_rad: float = 0.0,
) -> FloatArray:
    """Return (F, 4, 4) T_fixed_cam on a circle about ``target_m``, one for each azimuth.

    :param distance_m: from the camera to the target.
    :param elevation_rad: of the camera above the horizontal.
    :param azimuth_rad: (F,) about z, from x towards y.
    :param roll_rad: turn about the line of sight.
    """
    return np.stack(
        [
            looking_at(target_m + spherical(distance_m, a, elevation_rad), target_m, roll_rad)
            for a in azimuth_rad
        ]
    )


def hand_held(
    rng: Rng,
    target_m: FloatArray,
    distance_m: float,
    elevation_rad: float,
    azimuth_rad: float,
    sweep_rad: float,
    frames: int,
    roll_rad: float = 0.0,
) -> FloatArray:
    """Return (F, 4, 4) T_fixed_cam of an arc as a hand does it: a smooth wander and a shake.

    :param rng: draws all that is left to chance.
    :param target_m: (3,) what the camera looks at, fixed frame.
    :param distance_m: from the camera to the target.
    :param elevation_rad: of the camera above the horizontal.
    :param azimuth_rad: of the middle of the arc.
    :param sweep_rad: length of the arc.
    :param frames: how many poses.
    :param roll_rad: turn about the line of sight.
    """
    knots = max(4, frames // 8)
    time, at = np.linspace(0, 1, frames), np.linspace(0, 1, knots)
    wander = CubicSpline(at, rng.normal(0.0, 1.0, (knots, 4)))(time)
    shake = rng.normal(0.0, 1.0, (frames, 3))
    azimuth = azimuth_rad + sweep_rad * time + 0.03 * wander[:, 0]
    elevation = elevation_rad + 0.04 * wander[:, 1]
    distance = distance_m * (1 + 0.04 * wander[:, 2])
    poses = [
        looking_at(
            target_m + spherical(distance[k], azimuth[k], elevation[k]) + 0.0007 * shake[k],
            target_m + 0.0015 * shake[k, ::-1],
            roll_rad + 0.02 * wander[k, 3],
        )
        for k in range(frames)
    ]
    return np.stack(poses)


@dataclass(frozen=True, slots=True, eq=False)
class Arc:
    """A part of an orbit.

    :param target_m: (3,) float64, what the camera looks at.
    :param elevation_rad: over the horizon; less than a right angle.
    """

    target_m: FloatArray
    distance_m: float
    elevation_rad: float
    start_rad: float
    sweep_rad: float
    roll_rad: float = 0.0

    def path(self, frames: int, hand: Rng | None = None) -> FloatArray:
        """Return (F, 4, 4) T_fixed_cam along it; with ``hand``, as a hand would do it.

        :param frames: how many poses.
        """
        where = self.target_m, self.distance_m, self.elevation_rad
        if hand is not None:
            span = self.start_rad, self.sweep_rad
            return hand_held(hand, *where, *span, frames, self.roll_rad)
        azimuth = self.start_rad + self.sweep_rad * np.linspace(0, 1, frames)
        return orbit(*where, azimuth, self.roll_rad)
