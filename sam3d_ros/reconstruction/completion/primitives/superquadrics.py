# SPDX-License-Identifier: Apache-2.0
"""Upright superquadrics: boxes, cylinders, balls and all between, fitted to what was seen.

Solina and Bajcsy, "Recovery of parametric models from range images", PAMI 1990, with the radial
distance (Gross and Boult, "Error of fit measures for recovering parametric solids", ICCV 1988),
Cauchy's robust loss, and space proven empty pushing from outside. Levenberg-Marquardt from a
rounded box and an ellipsoid at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.reconstruction.completion.primitives.symmetry import thinned
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.evidence.occupancy import grown

X, Y, Z, A, B, C, YAW, E_UP, E_ROUND = range(9)
"""Parameters: centre (m), logarithms of the semi-axes (m), yaw (rad), exponents up and around."""

STARTS = ((0.2, 0.2), (1.0, 1.0))
ROUNDEST, SHARPEST = 1.0, 0.1
POINTS, EMPTIES = 160, 120
STEPS, TRIAL_STEPS, HOPELESS = 10, 4, 3.0
"""A fit whose cost per point is still so high after the trial steps will not explain them."""
NUDGE = np.array([1e-4, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3, 1e-3, 5e-3, 5e-3])
"""Steps of the forward differences."""
CAUCHY = 3.0
PIXELATION = 0.15
"""Error of the model itself, voxels, one sigma."""
EMPTY_VOXELS, MOST_EMPTY = 0.5, 20.0
EQUAL_AXES = 0.05
SMALL = 0.1
"""Of two that explain the same, the one with the smaller base is taken."""
STANDING_VOXELS = 0.5
REACH = 0.3
HIDDEN_DEPTH = 0.8
EXPLAINED, CONTRADICTED = 0.8, 0.03
"""Least share of the points met, most share of the volume proven empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Superquadric:
    """A superquadric in the grid frame whose third axis is upright.

    :param parameters: (9,) float64, see the names above.
    """

    parameters: FloatArray

    def distances(self, points: Float32Array) -> Float32Array:
        """Return (P,) float32 signed radial distances of (P, 3) points, < 0 inside."""
        return _distances(self.parameters, points)

    def volume(self, grid: Grid) -> Float32Array:
        """Return (N, N, N) float32 signed distances; a voxel where far outside."""
        a = grid.axis_m.astype(np.float32)
        reach = float(np.exp(self.parameters[A:YAW]).max()) * np.sqrt(2.0) + grid.voxel_m
        low, high = (np.searchsorted(a, self.parameters[:A] + s * reach) for s in (-1, 1))
        box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        centres = np.stack(np.meshgrid(*(a[part] for part in box), indexing='ij'), axis=-1)
        distance = np.full((grid.size,) * 3, grid.voxel_m, np.float32)
        distance[box] = self.distances(centres.reshape(-1, 3)).reshape(centres.shape[:3])
        return distance


def superquadric_distance(evidence: Evidence) -> Float32Array | None:
    """Return (N, N, N) float32 signed distances to the superquadric that explains all that was
    seen of the object, or None when there is none.
    """
    points, voxel = evidence.points, evidence.grid.voxel_m
    if len(points.points_m) < POINTS:
        return None
    solid = fit_superquadric(evidence)
    off = np.abs(solid.distances(points.points_m))
    if (off <= 2.0 * points.sigmas_m + 0.5 * voxel).mean() < EXPLAINED:
        return None
    distance = solid.volume(evidence.grid)
    return distance if evidence.empty[distance < 0].mean() <= CONTRADICTED else None


def fit_superquadric(evidence: Evidence) -> Superquadric:
    """Return the superquadric that is nearest to what was seen of the object."""
    problem = _problem(evidence)
    return Superquadric(_minimised(problem, _starts(problem, evidence.grid), evidence.grid))


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """What a fit has to explain: points with noise, empty places, the support's height or None."""

    points: Float32Array
    sigmas: Float32Array
    empties: Float32Array
    support: float | None
    voxel: float

    def residuals(self, parameters: FloatArray) -> Float32Array:
        """Return (..., R) residuals of (..., 9) parameters, whose squares are to be least."""
        many = np.sqrt(len(self.points))
        off = _distances(parameters, np.concatenate([self.points, self.empties]))
        noise = off[..., : len(self.points)] / self.sigmas
        robust = noise / np.sqrt(1.0 + np.square(noise / CAUCHY))
        depth = -off[..., len(self.points) :] / self.voxel - 0.25
        entered = np.clip(depth / EMPTY_VOXELS, 0.0, MOST_EMPTY)
        entered *= many / np.sqrt(max(len(self.empties), 1))
        a, b = parameters[..., A], parameters[..., B]
        axes = EQUAL_AXES * many * (a - b)
        area = SMALL * many * (a + b - 2.0 * np.log(self.voxel))
        parts = [robust, entered, axes[..., None], area[..., None]]
        if self.support is not None:
            bottom = parameters[..., Z] - np.exp(parameters[..., C])
            lifted = (bottom - self.support) / (STANDING_VOXELS * self.voxel)
            parts.append((0.5 * many * lifted)[..., None])
        return np.concatenate(parts, axis=-1).astype(np.float32)


def _problem(evidence: Evidence) -> _Problem:
    voxel = evidence.grid.voxel_m
    points = thinned(evidence.points.points_m, POINTS)
    sigmas = thinned(evidence.points.sigmas_m, POINTS)
    low, high = points.min(axis=0), points.max(axis=0)
    empty = evidence.empty
    a = evidence.grid.axis_m.astype(np.float32)
    reach = 0.5 * (high - low) + REACH * float((high - low).max())
    x, y, _ = (np.abs(a[:, None] - 0.5 * (low + high)) < reach).T
    empties = a.take(np.argwhere(empty & grown(~empty) & x[:, None, None] & y[:, None]))
    return _Problem(
        points,
        np.hypot(sigmas, np.float32(PIXELATION * voxel)),
        thinned(empties, EMPTIES),
        _standing(evidence, low, high),
        voxel,
    )


def _standing(evidence: Evidence, low: FloatArray, high: FloatArray) -> float | None:
    """The support's height under the points, None where they do not reach down to it."""
    plane = evidence.support_m
    if plane is None:
        return None
    height = -float(plane[3] + plane[:2] @ (0.5 * (low + high))[:2]) / float(plane[2])
    gap = float(low[2]) - height
    reaches = -3.0 * evidence.grid.voxel_m < gap < 0.25 * (float(high[2]) - height)
    return height if reaches else None


def _starts(problem: _Problem, grid: Grid) -> FloatArray:
    """(S, 9): the smallest upright box about the points, with room for the hidden side."""
    points, voxel = problem.points, problem.voxel
    low, high = points.min(axis=0), points.max(axis=0)
    bottom = low[2] if problem.support is None else problem.support
    centre, extent, angle_deg = cv2.minAreaRect(np.ascontiguousarray(points[:, :2]))
    yaw = np.radians(angle_deg)
    hidden = HIDDEN_DEPTH * min(high[1] - low[1], high[2] - bottom) - (high[0] - low[0])
    room = 0.5 * max(float(hidden), 0.0)
    sides = 0.5 * np.maximum(extent, 4.0 * voxel)
    sides += room * np.abs([np.cos(yaw), np.sin(yaw)])
    height = max(0.5 * float(high[2] - bottom), 2.0 * voxel)
    place = (centre[0] + room, centre[1], 0.5 * float(high[2] + bottom))
    axes = np.log([*sides, height])
    return np.array([[*place, *axes, yaw, up, around] for up, around in STARTS])


def _minimised(problem: _Problem, starts: FloatArray, grid: Grid) -> FloatArray:
    """(9,) best parameters after a few damped Gauss-Newton steps from every start at once."""
    best = starts
    residual = problem.residuals(best)
    cost = np.square(residual).sum(axis=-1)
    damping = np.full(len(best), 1e-2)
    limits = np.log([grid.voxel_m, 0.6 * grid.size * grid.voxel_m])
    for step in range(STEPS):
        if step == TRIAL_STEPS and cost.min() > HOPELESS * len(problem.points):
            break
        nudged = problem.residuals(best[:, None] + np.diag(NUDGE))
        J = (nudged - residual[:, None]).astype(np.float64) / NUDGE[:, None]
        H = J @ J.transpose(0, 2, 1)
        scale = np.maximum(np.diagonal(H, axis1=1, axis2=2), 1e-9)
        H += (damping[:, None] * scale)[:, None] * np.eye(len(NUDGE))
        tried = best - np.linalg.solve(H, J @ residual[..., None])[..., 0]
        tried[:, A:YAW] = np.clip(tried[:, A:YAW], *limits)
        tried[:, E_UP:] = np.clip(tried[:, E_UP:], SHARPEST, ROUNDEST)
        new_residual = problem.residuals(tried)
        new_cost = np.square(new_residual).sum(axis=-1)
        better = new_cost < cost
        best = np.where(better[:, None], tried, best)
        residual = np.where(better[:, None], new_residual, residual)
        cost = np.where(better, new_cost, cost)
        damping *= np.where(better, 0.3, 5.0)
    found: FloatArray = best[int(np.argmin(cost))]
    return found


def _distances(parameters: FloatArray, points: Float32Array) -> Float32Array:
    """(..., P) radial distances of (P, 3) points to superquadrics of (..., 9) parameters."""
    p = parameters.astype(np.float32)[..., None]
    dx, dy, dz = (points[:, k] - p[..., k, :] for k in (X, Y, Z))
    c, s = np.cos(p[..., YAW, :]), np.sin(p[..., YAW, :])
    x, y = c * dx + s * dy, c * dy - s * dx
    axes = np.exp(p[..., A:YAW, :])
    u, v, w = (np.abs(d) / axes[..., k, :] for k, d in enumerate((x, y, dz)))
    size = _norm(_norm(u, v, p[..., E_ROUND, :]), w, p[..., E_UP, :])
    radius = np.sqrt(x * x + y * y + dz * dz)
    return np.asarray(radius * (1.0 - 1.0 / size), np.float32)


def _norm(a: Float32Array, b: Float32Array, exponent: Float32Array) -> Float32Array:
    """(a^(2/e) + b^(2/e))^(e/2), which is the inside-outside function without overflow."""
    most = np.maximum(np.maximum(a, b), np.float32(1e-4))
    ratio = np.minimum(a, b) / most
    return np.asarray(most * (1.0 + ratio ** (2.0 / exponent)) ** (0.5 * exponent), np.float32)
