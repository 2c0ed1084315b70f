# SPDX-License-Identifier: Apache-2.0
"""Standing solids on a support: stable poses, footprints, shared volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse, sphere_directions, transform
from sam3d_ros.world.rendering.surface import Surface
from sam3d_ros.world.solid import Solid

Rng = np.random.Generator
HULL_DIRECTIONS = 256
"""Directions whose extreme vertices make the hull that a body rests and collides with."""
INTERIOR_POINTS = 5000
EPSILON_M = 1e-6
PROBE_CELLS = 24
"""Probes lie no closer than the longest extent over this, nor than 2 mm."""


class Body:
    """A solid and what its physics needs: hull, stable poses, an inside test."""

    def __init__(self, solid: Solid) -> None:
        self.solid = solid

    @cached_property
    def hull_m(self) -> FloatArray:
        """(P, 3) float64 vertices of the convex hull, thinned to the extreme ones."""
        vertices = self.solid.vertices_m
        directions = np.vstack([sphere_directions(HULL_DIRECTIONS), np.eye(3), -np.eye(3)])
        extreme = np.unique(np.argmax(vertices @ directions.T.astype(np.float32), axis=0))
        outer = vertices[extreme].astype(np.float64)
        return outer[ConvexHull(outer).vertices]

    @cached_property
    def mass_m(self) -> tuple[float, FloatArray]:
        """Volume (m^3) and (3,) centre of mass: of the solid when it is closed, else its hull."""
        if is_closed(self.solid):
            corners = self.solid.vertices_m.astype(np.float64)[self.solid.faces]
        else:
            corners = _outward(self.hull_m)
        signed = np.einsum('ij,ij->i', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        volume = float(signed.sum())
        return volume, signed @ corners.sum(axis=1) / (4 * volume)

    @property
    def volume_m3(self) -> float:
        """Volume, cubic metres."""
        return self.mass_m[0]

    def resting_side(self, rng: Rng) -> FloatArray:
        """Return the (3,) object direction that points down at rest after a random throw.

        The body lands on the face of its hull that a random direction from the centre of mass
        hits and topples over edges while the centre is not above the face. Every step lowers the
        centre, so it ends, and sides come with their quasi-static probability (Goldberg et al.,
        Part pose statistics, 1999).
        """
        center = self.mass_m[1]
        planes = self._planes
        height = -(planes[:, :3] @ center + planes[:, 3])
        throw = rng.normal(size=3)
        side = int(np.argmax(planes[:, :3] @ throw / height))
        while True:
            normal = planes[side, :3]
            below = center + height[side] * normal
            beyond = planes[:, :3] @ below + planes[:, 3]
            if beyond.max() < EPSILON_M:
                return normal
            touching = np.abs(self.hull_m @ normal + planes[side, 3]) < EPSILON_M
            middle = self.hull_m[touching].mean(axis=0)
            inside = planes[:, :3] @ middle + planes[:, 3]
            crossed = np.flatnonzero(beyond >= EPSILON_M)
            share = -inside[crossed] / (beyond[crossed] - inside[crossed])
            side = int(crossed[np.argmin(share)])

    @cached_property
    def _planes(self) -> FloatArray:
        """(F, 4) planes of the hull's faces, each once, outward."""
        planes = ConvexHull(self.hull_m).equations
        _, first = np.unique(planes.round(5), axis=0, return_index=True)
        return planes[np.sort(first)]

    @cached_property
    def interior_m(self) -> FloatArray:
        """(P, 3) float64 points of a grid inside the solid, about :data:`INTERIOR_POINTS`."""
        pitch = np.cbrt(self.volume_m3 / INTERIOR_POINTS)
        half = self.solid.extents_m / 2
        steps = np.minimum(pitch, 2 * half)
        ticks = [np.arange(step / 2 - h, h, step) for h, step in zip(half, steps, strict=True)]
        points = np.stack(np.meshgrid(*ticks, indexing='ij'), axis=-1).reshape(-1, 3)
        return points[self.contains(points)]

    def contains(self, points_m: FloatArray) -> BoolArray:
        """Return (N,) bool, whether (N, 3) points in the object frame are inside the solid."""
        if len(points_m) == 0:
            return np.zeros(0, bool)
        return self.surface.contains(points_m.astype(np.float32))

    @cached_property
    def surface(self) -> Surface:
        """The solid made ready for ray casting, object frame."""
        return Surface([self.solid])

    @cached_property
    def probes_m(self) -> Float32Array:
        """(P, 3) float32 vertices spread over the surface, those of the hull among them."""
        vertices = self.solid.vertices_m
        pitch = max(0.002, float(self.solid.extents_m.max()) / PROBE_CELLS)
        cells = np.floor(vertices / np.float32(pitch)).astype(np.int64) + (1 << 20)
        keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
        _, first = np.unique(keys, return_index=True)
        probes: Float32Array = np.vstack([vertices[first], self.hull_m.astype(np.float32)])
        return probes


def is_closed(solid: Solid) -> bool:
    """Return whether every edge of a solid's surface has a face on both sides."""
    edges = solid.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    count = len(solid.vertices_m)
    there = np.sort(edges[:, 0] * count + edges[:, 1])
    back = np.sort(edges[:, 1] * count + edges[:, 0])
    return np.array_equal(there, back)


def _outward(hull_m: FloatArray) -> FloatArray:
    """Return (F, 3, 3) triangles of a hull's surface, counter-clockwise seen from outside."""
    hull = ConvexHull(hull_m)
    corners = hull_m[hull.simplices]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum('ij,ij->i', normal, hull.equations[:, :3]) < 0
    corners[inward] = corners[inward][:, ::-1]
    return corners


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

    def bottom(self, T_fixed_obj: FloatArray) -> float:
        """Return the height of the body's lowest point at a pose made by :meth:`at`, metres."""
        return float(T_fixed_obj[2, 3] - self.T_support_obj[2, 3])


def upright(body: Body, rng: Rng) -> Stance:
    """Return the body with its own z axis up, turned about it at random.

    :param rng: draws all that is left to chance.
    """
    return _stance(body, np.eye(4), rng)


def stable(body: Body, rng: Rng) -> Stance:
    """Return the body in a stable pose drawn by its probability, turned at random.

    :param rng: draws all that is left to chance.
    """
    down = Rotation.align_vectors([0, 0, -1], body.resting_side(rng))[0]
    return _stance(body, transform(down.as_matrix(), np.zeros(3)), rng)


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
    """Return the volume that both solids fill, as a share of the smaller one's.

    :param first: one body.
    :param T_fixed_first: (4, 4) its pose.
    :param second: the other one.
    :param T_fixed_second: (4, 4) its pose.
    """
    if first.volume_m3 > second.volume_m3:
        first, second = second, first
        T_fixed_first, T_fixed_second = T_fixed_second, T_fixed_first
    points = apply(inverse(T_fixed_second) @ T_fixed_first, first.interior_m)
    half = second.solid.extents_m / 2
    near = points[(np.abs(points) <= half).all(axis=1)]
    return float(second.contains(near).sum()) / len(points)
