# SPDX-License-Identifier: Apache-2.0
"""A bed of things at rest, and bodies let straight down onto it, one after another.

A body falls along z without turning until rays between it and the bed say that they touch. From
there it slides to where it comes to lie lower, as on a slope, and it may stay when the centre of
its mass is above the points it touches. So bodies stand on, in and against each other without
sharing space, at a small part of what a simulation costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.rendering.surface import Surface, rotated
from sam3d_ros.world.setting.arrangement import MAX_SHARED_VOLUME
from sam3d_ros.world.setting.placing import Body, Stance, shared_volume
from sam3d_ros.world.solid import Solid

Rng = np.random.Generator
CLEARANCE_M = 0.0002
"""Bodies are left this far above what they rest on."""
TOUCH_M = 0.0015
"""What is no further below than this bears a body."""
SLIDES = 8
SLIDE_M = 0.02
EVEN_M = 0.0001
"""A slide ends where it gains no more height than this."""
STEADY = 0.15
"""Margin of what bears a body, as a share of its half width, where it may topple."""
SOFT_M = 0.003
"""How far poses of a simulation may be off what they rest on."""
HIGH_M = 2.5
"""Bodies are let down from this far above an area, where it has no ceiling."""


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A level place to put things on, its sides along x and y.

    :param middle_m: (3,) float64, fixed frame.
    :param half_m: half of its length and width; of a round one, the radius twice.
    :param ceiling_m: height over the area that nothing put there may pass.
    :param overhang: share of a body's half size that may stick out over a side.
    """

    middle_m: FloatArray
    half_m: tuple[float, float]
    is_round: bool = False
    ceiling_m: float = np.inf
    overhang: float = 0.0

    def holds(self, spot_m: FloatArray, half_m: FloatArray) -> bool:
        """Return whether a body of this (2,) half size may have its middle at a (2,) spot.

        :param spot_m: (2,) the spot, fixed frame.
        :param half_m: (2,) half of the length and the width, metres.
        """
        free = self._free(half_m)
        offset = np.abs(spot_m - self.middle_m[:2])
        if self.is_round:
            return bool(np.linalg.norm(offset) <= free.min())
        return bool((offset <= free).all())

    def spot(self, rng: Rng, half_m: FloatArray, hug: float = 0.0) -> FloatArray | None:
        """Return a random (2,) spot for the middle of a body, or None when it is too big.

        :param rng: draws all that is left to chance.
        :param half_m: (2,) half of the body's length and width.
        :param hug: chance to lie as near to one side as can be.
        """
        free = self._free(half_m)
        if (free < 0).any():
            return None
        if self.is_round:
            angle = rng.uniform(0, 2 * np.pi)
            offset = free.min() * np.sqrt(rng.random()) * np.array([np.cos(angle), np.sin(angle)])
        else:
            offset = rng.uniform(-free, free)
            if rng.random() < hug:
                axis = int(rng.integers(2))
                offset[axis] = rng.choice([-1.0, 1.0]) * free[axis]
        return self.middle_m[:2] + offset

    def _free(self, half_m: FloatArray) -> FloatArray:
        out = np.linalg.norm(half_m) * np.ones(2) if self.is_round else half_m
        return np.array(self.half_m) - (1 - self.overhang) * out


class Bed:
    """What lies already: fixed surroundings and the bodies let down so far.

    :param surroundings: what bodies may touch of them is convex.
    """

    def __init__(self, surroundings: Sequence[Solid]) -> None:
        self.surroundings = list(surroundings)
        self.bodies: list[Body] = []
        self._ground = Surface(self.surroundings)
        self._poses: list[FloatArray] = []
        self._boxes: list[FloatArray] = []

    @property
    def poses(self) -> FloatArray:
        """(N, 4, 4) T_fixed_obj of the bodies."""
        return np.array(self._poses).reshape(-1, 4, 4)

    def add(self, body: Body, T: FloatArray) -> None:
        """Keep a body at this pose.

        :param T: (4, 4) pose in the fixed frame.
        """
        self.bodies.append(body)
        self._poses.append(T)
        self._boxes.append(box_of(body, T))

    def fall(self, body: Body, T: FloatArray) -> tuple[float, FloatArray]:
        """Return how far a body can fall, metres, and the (K, 2) spots that then bear it.

        :param T: (4, 4) pose in the fixed frame that it falls from.
        """
        probes = apply(T, body.probes_m)
        down = np.broadcast_to(np.array([0, 0, -1], np.float32), probes.shape)
        gaps, spots = [self._ground.cast(probes, down).t], [probes[:, :2]]
        low, high = box_of(body, T)
        for index, (other, T_other) in enumerate(zip(self.bodies, self._poses, strict=True)):
            first, last = self._boxes[index]
            apart = (first[:2] > high[:2]).any() or (last[:2] < low[:2]).any()
            if apart or other is body:
                continue
            above = probes[_within(probes, first, last)]
            below = apply(T_other, other.probes_m)
            below = below[_within(below, low, high)]
            gaps += [_gaps(other, T_other, above, -1.0), _gaps(body, T, below, 1.0)]
            spots += [above[:, :2], below[:, :2]]
        gap = np.concatenate(gaps)
        least = float(gap.min())
        return least, np.concatenate(spots)[gap < least + TOUCH_M].astype(np.float64)

    def rest(self, stance: Stance, xy_m: FloatArray, area: Area, rng: Rng) -> FloatArray | None:
        """Return T_fixed_obj of a body at rest that was let down at a spot, or None.

        Where it would topple it slides downhill, as long as its middle may be in the area.

        :param stance: the body as it is let down.
        :param xy_m: (2,) the spot, fixed frame.
        :param rng: draws all that is left to chance.
        """
        best, spots = self._landed(stance, xy_m, area)
        if best is None:
            return None
        half, step = np.ptp(box_of(stance.body, best), axis=0)[:2] / 2, SLIDE_M
        for _ in range(SLIDES):
            if _bears(spots, stance, best, area):
                break
            there = stance.middle(best) + step * rng.uniform(-1, 1, 2)
            T, others = None, spots
            if area.holds(there, half):
                T, others = self._landed(stance, there, area)
            if T is not None and T[2, 3] < best[2, 3] - EVEN_M:
                best, spots = T, others
            else:
                step *= 0.8
        is_at_rest = _bears(spots, stance, best, area) and self._is_free(stance.body, best)
        return best if is_at_rest else None

    def settled(self, body: Body, T: FloatArray) -> FloatArray | None:
        """Return a pose moved up or down until it just touches what is below.

        None when that is more than a simulation's softness explains, or when it is in a wall.

        :param body: what is to be moved.
        :param T: (4, 4) pose in the fixed frame.
        """
        lifted = T.copy()
        lifted[2, 3] += SOFT_M
        drop, _ = self.fall(body, lifted)
        if drop > 2 * SOFT_M:
            return None
        lifted[2, 3] -= drop - CLEARANCE_M
        return lifted if self._is_free(body, lifted) else None

    def cast(self, origin_m: FloatArray, directions: FloatArray) -> Float32Array:
        """Return (N,) float32 parameters of the first hits of (N, 3) rays from a point.

        :param origin_m: (3,) where the rays begin, fixed frame.
        :param directions: (N, 3), fixed frame.
        """
        start, rays = origin_m.astype(np.float32), directions.astype(np.float32)
        t = self._ground.cast(start, rays).t
        for body, T in zip(self.bodies, self._poses, strict=True):
            back = inverse(T)
            hits = body.surface.cast(apply(back, start), rotated(rays, back[:3, :3]))
            t = np.minimum(t, hits.t)
        return t

    def _landed(
        self, stance: Stance, xy_m: FloatArray, area: Area
    ) -> tuple[FloatArray | None, FloatArray]:
        T = stance.at(xy_m, 0.0)
        low, high = box_of(stance.body, T)
        start, limit = area.middle_m[2] + HIGH_M, np.inf
        if np.isfinite(area.ceiling_m):
            limit = area.middle_m[2] + area.ceiling_m
            start = max([area.middle_m[2], *self._tops(low, high, limit)]) + TOUCH_M
        if start + high[2] - low[2] > limit:
            return None, np.zeros((0, 2))
        T[2, 3] += start
        drop, spots = self.fall(stance.body, T)
        T[2, 3] -= drop - CLEARANCE_M
        if stance.bottom(T) < area.middle_m[2] - TOUCH_M:
            return None, spots
        return T, spots

    def _tops(self, low_m: FloatArray, high_m: FloatArray, limit_m: float) -> list[float]:
        """Return how high the bodies reach that begin below a height and overlap a box's base."""
        return [
            float(last[2])
            for first, last in self._boxes
            if (first[:2] <= high_m[:2]).all()
            and (last[:2] >= low_m[:2]).all()
            and first[2] < limit_m
        ]

    def _is_free(self, body: Body, T: FloatArray) -> bool:
        """Return whether a body at a pose shares next to no space with anything."""
        low, high = box_of(body, T)
        points = apply(T, body.interior_m)
        for part in self.surroundings:
            first, last = part.vertices_m.min(axis=0), part.vertices_m.max(axis=0)
            apart = (first > high).any() or (last < low).any()
            if not apart and _within_convex(part, points).mean() > MAX_SHARED_VOLUME:
                return False
        for (first, last), other, pose in zip(self._boxes, self.bodies, self._poses, strict=True):
            apart = (first > high).any() or (last < low).any()
            if not apart and shared_volume(body, T, other, pose) > MAX_SHARED_VOLUME:
                return False
        return True


def box_of(body: Body, T: FloatArray) -> FloatArray:
    """Return the (2, 3) lower and upper corner of a body at a pose.

    :param T: (4, 4) pose.
    """
    moved = apply(T, body.probes_m)
    return np.stack([moved.min(axis=0), moved.max(axis=0)]).astype(np.float64)


def _gaps(body: Body, T: FloatArray, points_m: Float32Array, up: float) -> Float32Array:
    """Return (N,) vertical distances from points to a body, upward (1) or downward (-1)."""
    back = inverse(T)
    direction = np.broadcast_to((up * back[:3, 2]).astype(np.float32), points_m.shape)
    return body.surface.cast(apply(back, points_m), direction).t


def _within_convex(part: Solid, points_m: FloatArray) -> BoolArray:
    """Return (N,) bool, whether (N, 3) points lie in a convex solid."""
    corners = part.vertices_m[part.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    beyond = points_m @ normals.T > np.einsum('ij,ij->i', normals, corners[:, 0])
    inside: BoolArray = ~beyond.any(axis=1)
    return inside


def _within(points_m: Float32Array, low: FloatArray, high: FloatArray) -> BoolArray:
    inside = (points_m[:, :2] >= low[:2]) & (points_m[:, :2] <= high[:2])
    both: BoolArray = inside[:, 0] & inside[:, 1]
    return both


def _bears(spots_m: FloatArray, stance: Stance, T: FloatArray, area: Area) -> bool:
    """Return whether the centre of mass lies above the hull of (K, 2) spots.

    On the level area the stance is known to be stable; elsewhere there must be some margin.
    """
    center = apply(T, stance.body.mass_m[1])[:2]
    if stance.bottom(T) < area.middle_m[2] + TOUCH_M:
        return _surrounds(spots_m, center)
    margin = STEADY * float(np.ptp(box_of(stance.body, T), axis=0)[:2].min()) / 2
    sides = margin * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    return all(_surrounds(spots_m, center + side) for side in sides)


def _surrounds(spots_m: FloatArray, point_m: FloatArray) -> bool:
    """Return whether a (2,) point lies within the hull of (K, 2) spots."""
    if len(spots_m) < 3:
        return False
    offset = spots_m - point_m
    angle = np.sort(np.arctan2(offset[:, 1], offset[:, 0]))
    return bool(np.diff(angle, append=angle[0] + 2 * np.pi).max() < 0.98 * np.pi)
