# SPDX-License-Identifier: Apache-2.0
"""Analytic scenes: upright boxes and balls on a table, seen exactly or with sensor noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS, SensorModel
from sam3d_ros.core.types import (
    Camera,
    Frame,
    Instance,
    Instances,
    Plane,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.cameras import pointmap_from_depth, rays
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.world.rendering.sensors import field

CAMERA = Camera(320, 240, np.array([[280.0, 0, 163.0], [0, 280.0, 117.0], [0, 0, 1]]))
COLORS = np.array([[90, 90, 90], [200, 40, 40], [40, 200, 40], [40, 40, 200]], np.uint8)


@dataclass(frozen=True)
class Box:
    """An upright box: its centre and size, world frame, metres."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]

    def hit(self, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        low = np.array(self.centre) - 0.5 * np.array(self.size)
        high = np.array(self.centre) + 0.5 * np.array(self.size)
        with np.errstate(divide='ignore', invalid='ignore'):
            a, b = (low - origin) / directions, (high - origin) / directions
        near = np.minimum(a, b).max(axis=-1)
        far = np.maximum(a, b).min(axis=-1)
        return np.where((near <= far) & (near > 0), near, np.inf)

    def inside(self, points: np.ndarray) -> np.ndarray:
        return (np.abs(points - np.array(self.centre)) <= 0.5 * np.array(self.size)).all(axis=-1)


@dataclass(frozen=True)
class Ball:
    """A ball: centre and radius, world frame, metres."""

    centre: tuple[float, float, float]
    radius: float

    def hit(self, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        offset = origin - np.array(self.centre)
        a = (directions**2).sum(axis=-1)
        b = (directions * offset).sum(axis=-1)
        root = b * b - a * (offset @ offset - self.radius**2)
        return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)

    def inside(self, points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - np.array(self.centre), axis=-1) <= self.radius


def look_at(eye: tuple[float, float, float], target: tuple[float, float, float]) -> np.ndarray:
    z = np.array(target) - np.array(eye)
    z /= np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    return transform(np.stack([x, np.cross(z, x), z], axis=1), np.array(eye))


def see(
    solids: list[Box | Ball],
    eye: tuple[float, float, float] = (-0.5, 0.0, 0.35),
    target: tuple[float, float, float] = (0.0, 0.0, 0.04),
    noise_seed: int | None = None,
    stamp_ns: int = 0,
    sensor: SensorModel = MODELS['white'],
) -> tuple[Frame, Instances]:
    """Return the frame and the true instances (in the order of ``solids``) of a scene."""
    T_world_cam = look_at(eye, target)
    directions = rays(CAMERA).astype(np.float64) @ T_world_cam[:3, :3].T
    origin = T_world_cam[:3, 3]
    with np.errstate(divide='ignore'):
        table = np.where(directions[..., 2] < 0, -origin[2] / directions[..., 2], np.inf)
    hits = np.stack([table, *(solid.hit(origin, directions) for solid in solids)])
    index = hits.argmin(axis=0)
    depth = hits.min(axis=0)
    depth[~np.isfinite(depth)] = np.nan
    if noise_seed is not None:
        noise = field(sensor.grain, depth.shape, np.random.default_rng(noise_seed))
        depth += noise * sensor.axial_sigma(depth)
    up_cam = T_world_cam[:3, :3].T @ np.array([0.0, 0.0, 1.0])
    frame = Frame(
        stamp_ns=stamp_ns,
        frame_id='camera',
        camera=CAMERA,
        rgb=COLORS[index % len(COLORS)],
        pointmap=pointmap_from_depth(depth.astype(np.float32), CAMERA),
        fixed_frame='world',
        T_fixed_cam=T_world_cam,
        up_cam=up_cam,
        sensor=sensor,
    )
    masks = [index == number + 1 for number in range(len(solids))]
    items = tuple(Instance(mask, 1.0, box_of(mask), 'truth', '', 0) for mask in masks)
    return frame, Instances(stamp_ns, items, (Plane(up_cam, float(origin[2])),))


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def tracked(instances: Instances, hits: int = 3) -> Tracks:
    """One track per instance, id = its number from 1; not seen when its mask is empty."""
    state = TrackState.CONFIRMED if hits >= 3 else TrackState.TENTATIVE
    items = tuple(
        Track(at + 1, state, hits, 0, instances.stamp_ns, 0, at if item.mask.any() else -1)
        for at, item in enumerate(instances.items)
    )
    return Tracks(instances.stamp_ns, instances, items)


class Toolbox:
    """What the tests of this folder share."""

    Box, Ball = Box, Ball
    see, tracked, box_of = staticmethod(see), staticmethod(tracked), staticmethod(box_of)


@pytest.fixture(scope='session')
def scenes() -> type[Toolbox]:
    """Return the makers of analytic scenes."""
    return Toolbox
