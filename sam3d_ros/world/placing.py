# SPDX-License-Identifier: Apache-2.0
"""Standing solids on a support: stable poses, footprints, shared volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import trimesh
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation
from trimesh.poses import compute_stable_poses

from sam3d_ros.core.types import BoolArray, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.surface import Surface

Rng = np.random.Generator
HULL_DIRECTIONS = 256
"""Support directions of the hull that stable poses are read from."""
GRID_M = 0.003


class Body:
    """A solid and what its physics needs: hull, stable poses, an inside test."""

    def __init__(self, solid: Solid) -> None:
        self.solid = solid

    @cached_property
    def hull_m(self) -> FloatArray:
        """(P, 3) float64 vertices of the convex hull, thinned to the extreme ones."""
        vertices = self.solid.vertices_m.astype(np.float64)
        extreme = np.unique(np.argmax(vertices @ _directions().T, axis=0))
        outer = vertices[extreme]
        return outer[ConvexHull(outer).vertices]

    @cached_property
    def center_of_mass_m(self) -> FloatArray:
        """(3,) float64 centre of mass: of the solid when it is closed, else of its hull."""
        return np.asarray(self._closed.center_mass, np.float64)

    @cached_property
    def volume_m3(self) -> float:
        """Volume of the solid when it is closed, else of its hull."""
        return float(self._closed.volume)

    def contains(self, points_m: FloatArray) -> BoolArray:
        """Return (N,) bool, whether (N, 3) points in the object frame are inside the solid."""
        if len(points_m) == 0:
            return np.zeros(0, bool)
        return self._surface.contains(points_m.astype(np.float32))

    @cached_property
    def _surface(self) -> Surface:
        return Surface([self.solid])

    @cached_property
    def _closed(self) -> trimesh.Trimesh:
        mesh = trimesh.Trimesh(self.solid.vertices_m, self.solid.faces, process=False)
        return mesh if mesh.is_watertight else mesh.convex_hull

    @cached_property
    def stable_poses(self) -> tuple[FloatArray, FloatArray]:
        """(P, 4, 4) rotations onto a support at z = 0 and their (P,) probabilities."""
        hull = trimesh.Trimesh(self.hull_m, ConvexHull(self.hull_m).simplices)
        hull.fix_normals()
        poses, weights = compute_stable_poses(hull, center_mass=self.center_of_mass_m)
        return np.asarray(poses), np.asarray(weights) / np.sum(weights)


def _directions() -> FloatArray:
    """Return directions evenly over the sphere (Fibonacci lattice), axes included."""
    k = np.arange(HULL_DIRECTIONS) + 0.5
    z = 1 - 2 * k / HULL_DIRECTIONS
    angle = np.pi * (1 + np.sqrt(5)) * k
    ring = np.sqrt(1 - z**2)
    spread = np.column_stack([ring * np.cos(angle), ring * np.sin(angle), z])
    return np.vstack([spread, np.eye(3), -np.eye(3)])


@dataclass(frozen=True, slots=True, eq=False)
class Stance:
    """A body standing on z = 0, the middle of its box above the origin.

    :param T_support_obj: (4, 4) float64.
    :param radius_m: radius of the vertical cylinder about the origin that holds the body.
    """

    body: Body
    T_support_obj: FloatArray
    radius_m: float

    def at(self, xy_m: FloatArray, z_m: float) -> FloatArray:
        """Return T_fixed_obj of the body standing at ``xy_m`` on a support at height ``z_m``."""
        T = self.T_support_obj.copy()
        T[:3, 3] += [*xy_m, z_m]
        return T

    def middle(self, T_fixed_obj: FloatArray) -> FloatArray:
        """Return the (2,) middle of the body's circle at a pose made by :meth:`at`, metres."""
        middle: FloatArray = T_fixed_obj[:2, 3] - self.T_support_obj[:2, 3]
        return middle


def upright(body: Body, rng: Rng) -> Stance:
    """Return the body with its own z axis up, turned about it at random."""
    return _stance(body, np.eye(4), rng)


def stable(body: Body, rng: Rng) -> Stance:
    """Return the body in a stable pose drawn by its probability, turned at random."""
    poses, weights = body.stable_poses
    return _stance(body, poses[rng.choice(len(poses), p=weights)], rng)


def _stance(body: Body, T: FloatArray, rng: Rng) -> Stance:
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec([0, 0, rng.uniform(0, 2 * np.pi)]).as_matrix()
    T_support_obj = turn @ T
    moved = apply(T_support_obj, body.solid.vertices_m.astype(np.float64))
    low, high = moved.min(axis=0), moved.max(axis=0)
    shift = np.array([*(low + high)[:2] / 2, low[2]])
    T_support_obj[:3, 3] -= shift
    radius = np.linalg.norm(moved[:, :2] - shift[:2], axis=1).max()
    return Stance(body, T_support_obj, float(radius))


def shared_volume(
    first: Body, T_fixed_first: FloatArray, second: Body, T_fixed_second: FloatArray
) -> float:
    """Return the volume that both solids fill, as a share of the smaller one (3 mm grid)."""
    boxes = [_box(first, T_fixed_first), _box(second, T_fixed_second)]
    low, high = np.maximum(boxes[0][0], boxes[1][0]), np.minimum(boxes[0][1], boxes[1][1])
    if (low >= high).any():
        return 0.0
    ticks = [
        np.arange(a + GRID_M / 2, b + GRID_M / 2, GRID_M) for a, b in zip(low, high, strict=True)
    ]
    points = np.stack(np.meshgrid(*ticks, indexing='ij'), axis=-1).reshape(-1, 3)
    points = points[first.contains(apply(inverse(T_fixed_first), points))]
    both = second.contains(apply(inverse(T_fixed_second), points)).sum()
    return float(both) * GRID_M**3 / min(first.volume_m3, second.volume_m3)


def _box(body: Body, T_fixed_obj: FloatArray) -> tuple[FloatArray, FloatArray]:
    moved = apply(T_fixed_obj, body.solid.vertices_m.astype(np.float64))
    return moved.min(axis=0), moved.max(axis=0)
