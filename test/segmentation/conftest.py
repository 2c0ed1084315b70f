# SPDX-License-Identifier: Apache-2.0
"""Small scenes with exact truth: boxes and cylinders on a plane, rendered by ray casting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import rays

NOISE_SIGMA = 0.0012  # of disparity, 1/m: a structured light camera


@dataclass(frozen=True)
class Box:
    """Centre, size and yaw in the table frame (z up), lean about the box's own x axis."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0
    lean: float = 0.0
    color: tuple[int, int, int] = (200, 60, 60)

    def hit(self, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        R_yaw = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        c, s = np.cos(self.lean), np.sin(self.lean)
        R = R_yaw @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        o, d = R.T @ (origin - self.center), direction @ R
        with np.errstate(divide='ignore', invalid='ignore'):
            one = (-np.array(self.size) / 2 - o) / d
            two = (np.array(self.size) / 2 - o) / d
        near, far = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
        return np.where((near < far) & (near > 0), near, np.inf)


@dataclass(frozen=True)
class Cylinder:
    """An upright closed cylinder; ``center`` is the middle of its axis."""

    center: tuple[float, float, float]
    radius: float
    height: float
    color: tuple[int, int, int] = (60, 60, 200)

    def hit(self, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
        o = origin - self.center
        a = (direction[..., :2] ** 2).sum(-1)
        b = direction[..., :2] @ o[:2]
        root = np.sqrt(np.maximum(b * b - a * (o[:2] @ o[:2] - self.radius**2), 0))
        side = (-b - root) / a
        on_side = (root > 0) & (np.abs(o[2] + side * direction[..., 2]) < self.height / 2)
        cap = (self.height / 2 - o[2]) / direction[..., 2]
        at = o[:2] + cap[..., None] * direction[..., :2]
        on_cap = (at**2).sum(-1) < self.radius**2
        best = np.where(on_side, side, np.inf)
        return np.minimum(best, np.where(on_cap & (cap > 0), cap, np.inf))


@dataclass(frozen=True)
class Scene:
    """A frame and the truth: 0 = plane or nothing, k = the k-th shape."""

    frame: Frame
    truth: np.ndarray


MakeScene = Callable[..., Scene]


@pytest.fixture(scope='session')
def make_scene() -> MakeScene:
    """Return a function that renders shapes seen from ``eye`` (table frame, looks at 0)."""

    def make(
        shapes: Sequence[Box | Cylinder],
        eye: tuple[float, float, float] = (0.0, -0.75, 0.65),
        plane: bool = True,
        gravity: bool = True,
        seed: int = 0,
    ) -> Scene:
        camera = Camera(640, 480, np.array([[525.0, 0, 319.5], [0, 525.0, 239.5], [0, 0, 1]]))
        R_table_cam = _look_at(np.array(eye))
        direction = rays(camera).astype(np.float64) @ R_table_cam.T
        origin = np.array(eye)
        with np.errstate(divide='ignore'):
            ground = -origin[2] / direction[..., 2]
        depth = (
            np.where((ground > 0) & (ground < 2.0), ground, np.inf) if plane else ground + np.inf
        )
        truth = np.zeros(depth.shape, int)
        rgb = np.full((*depth.shape, 3), 150, np.uint8)
        for k, shape in enumerate(shapes, start=1):
            hit = shape.hit(origin, direction)
            nearer = hit < depth
            depth, truth = np.where(nearer, hit, depth), np.where(nearer, k, truth)
            rgb[nearer] = shape.color
        noise = np.random.default_rng(seed).normal(0, NOISE_SIGMA, depth.shape)
        z = np.where(np.isfinite(depth), 1 / (1 / depth + noise), np.nan).astype(np.float32)
        up = R_table_cam.T @ np.array([0.0, 0.0, 1.0]) if gravity else None
        frame = Frame(
            7, 'camera', camera, rgb, rays(camera) * z[..., None], 'camera', np.eye(4), up
        )
        return Scene(frame, truth)

    return make


def _look_at(eye: np.ndarray) -> np.ndarray:
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


@pytest.fixture(scope='session')
def box() -> type[Box]:
    return Box


@pytest.fixture(scope='session')
def cylinder() -> type[Cylinder]:
    return Cylinder
