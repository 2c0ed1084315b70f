# SPDX-License-Identifier: Apache-2.0
"""A wall, a floor and a ball, ray cast in closed form: the truth that registration must meet."""

import numpy as np

from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import transform

WALL_Z_M, FLOOR_Y_M = 2.0, 0.5
BALL_M, BALL_RADIUS_M = np.array([0.1, 0.1, 1.2]), 0.25


def camera(width, height, focal, cx=None, cy=None):
    cx = (width - 1) / 2 if cx is None else cx
    cy = (height - 1) / 2 if cy is None else cy
    return Camera(width, height, np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]))


def moved(x=0.0, y=0.0, z=0.0):
    return transform(np.eye(3), np.array([x, y, z]))


def cast(directions, T_world_cam):
    """Return (...) z-depth along rays with z = 1, and the number of the surface hit."""
    origin = T_world_cam[:3, 3]
    d = directions.astype(np.float64) @ T_world_cam[:3, :3].T
    with np.errstate(divide='ignore', invalid='ignore'):
        hits = [(WALL_Z_M - origin[2]) / d[..., 2], (FLOOR_Y_M - origin[1]) / d[..., 1]]
        a, b = (d * d).sum(-1), d @ (origin - BALL_M)
        c = (origin - BALL_M) @ (origin - BALL_M) - BALL_RADIUS_M**2
        hits.append((-b - np.sqrt(b * b - a * c)) / a)
    hits = np.stack([np.where(np.isfinite(t) & (t > 0), t, np.inf) for t in hits])
    return hits.min(0), hits.argmin(0)


def render(camera, T_world_cam):
    """Return (H, W) float32 z-depth and (H, W) surface numbers: wall 0, floor 1, ball 2."""
    depth, surface = cast(rays(camera), T_world_cam)
    return depth.astype(np.float32), surface


def visible(points_world, T_world_cam, tolerance_m=0.005):
    """Return which (N, 3) world points a camera sees."""
    local = (points_world - T_world_cam[:3, 3]) @ T_world_cam[:3, :3]
    depth, _ = cast(local / local[:, 2:], T_world_cam)
    return np.abs(depth - local[:, 2]) < tolerance_m
