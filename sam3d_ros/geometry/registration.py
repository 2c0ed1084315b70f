# SPDX-License-Identifier: Apache-2.0
"""How far views of the same things are apart.

Robust point-to-plane registration (Chen and Medioni, 1992) of any number of views at once, in
which every direction that surfaces face has a say (as in Rusinkiewicz and Levoy, 2001), however
much of the floor is seen. What the views leave open, as a floor does when things slide over it,
is left as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform

REACH_M = 0.1
"""Surfaces that are farther apart are not taken for the same."""
_FINEST_M = 0.015
_NARROWING = 0.8
_ITERATIONS = 30
_STILL = 1e-6
"""Steps that are shorter than this, metres and radians, end it."""
_LEAST_COSINE = 0.85
_LEAST_SHARE = 0.05
_LEAST_PAIRS = 100
_LEAST_INFORMATION = 0.008
"""Share of what a direction has when all normals are along it; rough normals alone give less."""
_LEAST_FACING = 0.002
"""A direction that fewer of the pairs face has no say: these are normals of edges."""
_CLUSTER_M = 0.1
"""Errors of points within such a cube are shared, in every view that shows it."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Points, and the planes that they should lie on.

    :param points: (K, 3) where they are thought to be, metres.
    :param heights: (K,) over their planes, metres.
    :param normals: (K, 3) unit normals of the planes.
    :param sigma_m: (K,) one-sigma error of the heights, or in proportion to it.
    :param share: of the points that could have matched.
    """

    points: FloatArray
    heights: FloatArray
    normals: FloatArray
    sigma_m: FloatArray
    share: float


class Matcher(Protocol):
    """Says which planes the points of a view should lie on."""

    def matches(self, T: FloatArray, gate_m: float) -> Matches:
        """Return what matches when all points are moved.

        :param T: (4, 4) the motion.
        :param gate_m: nothing that is farther apart matches.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """Two views of the same surfaces, at one time.

    :param points: (N, 3) of the one that stays, metres.
    :param normals: (N, 3) unit normals there.
    :param others: (M, 3) of the one that is moved, same frame.
    :param other_normals: (M, 3) unit normals there; None = not known, as of single returns.
    :param sigma_m: (N,) and (M,) one-sigma errors of both along the normals; None = all alike.
    """

    points: FloatArray
    normals: FloatArray
    others: FloatArray
    other_normals: FloatArray | None = None
    sigma_m: tuple[FloatArray, FloatArray] | None = None


class SurfaceMatcher:
    """Matches points with the nearest surface that faces the same way.

    :param views: of all times.
    """

    def __init__(self, views: Sequence[Surfaces]) -> None:
        self._views = [(view, KDTree(view.points)) for view in views]

    def matches(self, T: FloatArray, gate_m: float) -> Matches:
        """See :class:`Matcher`."""
        found, total = [], 0
        for view, tree in self._views:
            moved = apply(T, view.others)
            distance, nearest = tree.query(moved, distance_upper_bound=gate_m)
            near = np.flatnonzero(np.isfinite(distance))
            if view.other_normals is not None:
                turned = view.other_normals[near] @ T[:3, :3].T
                alike = np.einsum('nc,nc->n', view.normals[nearest[near]], turned)
                near = near[alike > _LEAST_COSINE]
            partner, total = nearest[near], total + len(view.others)
            normals = view.normals[partner]
            heights = np.einsum('nc,nc->n', moved[near] - view.points[partner], normals)
            sigma_m = np.ones(len(near))
            if view.sigma_m is not None:
                sigma_m = np.hypot(view.sigma_m[0][partner], view.sigma_m[1][near])
            found.append((moved[near], heights, normals, sigma_m))
        points, heights, normals, sigma_m = (
            np.concatenate(parts) for parts in zip(*found, strict=True)
        )
        return Matches(points, heights, normals, sigma_m, len(points) / max(total, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Offset:
    """What brings views onto others.

    :param T: (4, 4) float64, applied to the views where they were thought to be.
    :param middle: (3,) of what both see, metres, after ``T``; every direction that surfaces face
        counts alike.
    :param told: how many of the six directions of a motion are told.
    :param untold: (6 - told, 6) unit rows, the other directions: a shift in metres and a turn
        about the middle, times ``length_m``.
    :param length_m: how far from the middle things typically are.
    :param covariance: (6, 6) of a twist about the middle in the directions that are told, by the
        scatter of what neighbours agree on (cluster-robust, Liang and Zeger, 1986).
    :param share: of the views' points that the other ones have too.
    :param spread_m: robust standard deviation of what stays between both, of each matcher.
    :param spread_before_m: the same before anything is moved, of what matches after it.
    """

    T: FloatArray
    middle: FloatArray
    told: int
    untold: FloatArray
    length_m: float
    covariance: FloatArray
    share: float
    spread_m: tuple[float, ...]
    spread_before_m: tuple[float, ...]

    @property
    def shift_m(self) -> float:
        """How far the middle of what both see is moved."""
        return float(np.linalg.norm(self.middle - apply(inverse(self.T), self.middle[None])[0]))

    @property
    def turn_rad(self) -> float:
        """By how much the view is turned."""
        return rotation_angle(self.T)


def measure_offset(
    matchers: Sequence[Matcher],
    reach_m: float = REACH_M,
    T_start: FloatArray | None = None,
    evenness: float = 1.0,
) -> Offset | None:
    """Return what brings points onto their planes; None when views have too little in common.

    :param matchers: of what is seen; each has a spread of its own, by which it counts.
    :param reach_m: what is farther apart at first is not taken for the same.
    :param T_start: (4, 4) where to begin; None = where the views are thought to be.
    :param evenness: how much alike every direction counts that surfaces face, 0..1; with 1 the few
        normals of small things have the say of a floor, and so have those that are noise.
    """
    T = np.eye(4) if T_start is None else T_start
    gates = [reach_m] * len(matchers)
    for _ in range(_ITERATIONS):
        found = [each.matches(T, gate) for each, gate in zip(matchers, gates, strict=True)]
        if not any(map(_is_enough, found)):
            return None
        equations = _Equations([*map(_weighted, found, gates, repeat(evenness))])
        step = equations.step()
        turn = Rotation.from_rotvec(step[3:]).as_matrix()
        T = transform(turn, equations.middle + step[:3] - turn @ equations.middle) @ T
        spreads = [_spread(each.heights) for each in found]
        narrower = [
            max(_NARROWING * gate, _FINEST_M, 4.0 * spread)
            for gate, spread in zip(gates, spreads, strict=True)
        ]
        if np.abs(step).max() < _STILL and narrower == gates:
            break
        gates = narrower
    back = inverse(T)
    before = [
        _spread(
            each.heights
            + np.einsum('nc,nc->n', apply(back, each.points) - each.points, each.normals)
        )
        for each in found
    ]
    return Offset(
        T,
        equations.middle + step[:3],
        int(equations.is_told.sum()),
        equations.axes[:, ~equations.is_told].T,
        equations.length_m,
        equations.covariance(),
        found[0].share,
        tuple(spreads),
        tuple(before),
    )


class _Equations:
    """The normal equations of a motion about the middle of what matches.

    :param weighted: of each matcher, its matches and their (K,) weights.
    """

    def __init__(self, weighted: Sequence[tuple[Matches, FloatArray]]) -> None:
        self.points, normals, self.heights = (
            np.concatenate([getattr(found, name) for found, _ in weighted])
            for name in ('points', 'normals', 'heights')
        )
        weights = np.concatenate([weight for _, weight in weighted])
        self.weights = weights / weights.sum()
        self.middle = self.weights @ self.points
        arms = self.points - self.middle
        self.length_m = float(np.sqrt(self.weights @ np.square(arms).sum(axis=1)))
        self.rows = np.hstack([normals, np.cross(arms / self.length_m, normals)])
        values, self.axes = np.linalg.eigh((self.rows * self.weights[:, None]).T @ self.rows)
        self.is_told = values > _LEAST_INFORMATION
        self._told = self.axes[:, self.is_told]
        self._solution = self._told / values[self.is_told] @ self._told.T
        self._metres = np.array([1.0, 1.0, 1.0, *[1.0 / self.length_m] * 3])

    def step(self) -> FloatArray:
        """Return the (6,) shift and turn about the middle that lessen heights."""
        pull = self.rows.T @ (self.weights * self.heights)
        return np.asarray(-self._solution @ pull * self._metres)

    def covariance(self) -> FloatArray:
        """Return the (6, 6) covariance of the step in the directions that are told."""
        cubes = np.floor(self.points / _CLUSTER_M).astype(np.int64)
        _, of = np.unique(cubes, axis=0, return_inverse=True)
        pulls = self.rows * (self.weights * self.heights)[:, None]
        sums = np.stack([np.bincount(of.ravel(), column) for column in pulls.T])
        covariance = self._solution @ (sums @ sums.T) @ self._solution
        return np.asarray(covariance * np.outer(self._metres, self._metres))


def _is_enough(found: Matches) -> bool:
    return found.share >= _LEAST_SHARE and len(found.points) >= _LEAST_PAIRS


def _weighted(found: Matches, gate_m: float, evenness: float) -> tuple[Matches, FloatArray]:
    """Return matches with their (K,) weights: by sigma, by spread, and none at the gate."""
    if not _is_enough(found):
        return found, np.zeros(len(found.points))
    weights = np.square(np.maximum(1.0 - np.square(found.heights / gate_m), 0.0))
    weights *= _balance(found.normals, evenness) / np.square(found.sigma_m)
    per_row = len(weights) / max(weights.sum(), 1e-12)
    return found, weights * per_row / max(_spread(found.heights), 1e-4) ** 2


def _spread(heights: FloatArray) -> float:
    """Return the robust standard deviation of heights, metres; NaN when there are none."""
    return 1.4826 * float(np.median(np.abs(heights))) if len(heights) else float('nan')


def _balance(normals: FloatArray, evenness: float) -> FloatArray:
    """Return (N,) weights of the 26 directions that normals are rounded to: alike in all for 1."""
    directions = np.rint(normals) @ [9.0, 3.0, 1.0]
    _, at, counts = np.unique(directions, return_inverse=True, return_counts=True)
    return np.asarray(((counts > _LEAST_FACING * len(normals)) / counts**evenness)[at])
