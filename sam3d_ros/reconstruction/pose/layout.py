# SPDX-License-Identifier: Apache-2.0
"""Layout refinement: where known shapes are, from what one frame shows of them.

Robust one-sided point-to-plane registration (Chen and Medioni, 1992; only observed points pull,
never the hidden side), with a silhouette term that pulls what stands beside the mask into it, and
a free-space term that pushes what stands before the measured surface back to it, both only where
the sensor saw through. The real camera model, Gauss-Newton on SE(3), covariance from the Hessian.

All objects of a frame are registered at once: every array has the object as its first axis, and
an object's result does not depend on who else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray
from sam3d_ros.geometry.transforms import moved_by, twist_between
from sam3d_ros.reconstruction.config import LayoutConfig
from sam3d_ros.reconstruction.pose.pose_covariance import (
    ALIKE,
    common_noise,
    observed_information,
    prior_information,
    shared_error,
)
from sam3d_ros.reconstruction.pose.targets import PixelIndex, Sight, Targets
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View

SILHOUETTE_SIGMA_PX = 2.0
FREE_SIGMA_M = 0.0047
"""How far the front of a shape may be off, apart from the sensor's noise."""
TUKEY = 4.685
SETTLED = 1.0
"""Registration has ended when its step is so many sigmas of what independent returns would know
the pose to, a tenth of a millimetre as a rule: these returns have more than that in common."""
POOR_SCORE = 0.5
"""A worse fit is tried again from where the middle of the shape is at the middle of the points."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A shape, the view that shows it, and where it is thought to be.

    :param shape: in its own frame.
    :param view: of the current frame.
    :param T_cam_shape: (4, 4) float64, the shape's frame to the view's optical frame.
    """

    shape: Shape
    view: View
    T_cam_shape: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PoseUpdate:
    """What one view says about a pose.

    :param twist: (6,) float64 correction x, y, z, rotation vector: optical axes, about the
        origin of the shape's frame.
    :param covariance: (6, 6) float64 of it.
    :param score_before: agreement at the pose that was put in: the share of the observed points on
        the surface, less the share of the surface that was seen through.
    :param score_after: agreement after the correction.
    :param alike: how far its error correlates with that of the next view.
    """

    twist: FloatArray
    covariance: FloatArray
    score_before: float
    score_after: float
    alike: float = ALIKE


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Observed points and the surface nearest to each, and what the views say about the shapes.

    Optical frames where not said otherwise.

    :param facing: (B, P) the surface faces the camera, and there is a point.
    :param distance: (B, P) signed along the normal; beyond the surface's edge the full distance.
    :param surface: (B, P, 3).
    :param normals: (B, P, 3).
    :param local: (B, P, 3) the surface points in the shapes' frames.
    :param vertex: (B, P) which vertices of the shapes they are.
    :param sight: what the views say about the samples of the shapes.
    """

    facing: BoolArray
    distance: FloatArray
    surface: FloatArray
    normals: FloatArray
    local: FloatArray
    vertex: PixelIndex
    sight: Sight


def measure_poses(items: Sequence[Placed], config: LayoutConfig) -> list[PoseUpdate]:
    """Return the corrections that fit the views best, starting from the poses given.

    :param items: the objects of one frame.
    :param config: of the layout.
    """
    if not items:
        return []
    targets = Targets.of([(item.shape, item.view) for item in items])
    start = np.stack([item.T_cam_shape for item in items])
    pairs = _pairs(targets, start)
    before = _score(targets, pairs)
    best, vertex = _register(targets, start, pairs, config)
    pairs = _pairs(targets, best, vertex)
    score = _score(targets, pairs)
    poor = np.flatnonzero(score < POOR_SCORE)
    if len(poor):
        some = targets.at(poor)
        shifted = _shifted(some, start[poor])
        other, other_vertex = _register(some, shifted, _pairs(some, shifted), config)
        other_score = _score(some, _pairs(some, other, other_vertex))
        better = np.flatnonzero(other_score > score[poor])
        best[poor[better]], score[poor[better]] = other[better], other_score[better]
        vertex[poor[better]] = other_vertex[better]
        pairs = _pairs(targets, best, vertex)
    covariances = _covariances(targets, best, pairs, config)
    return [
        PoseUpdate(twist_between(*poses), covariance, float(was), float(now), alike)
        for *poses, (covariance, alike), was, now in zip(
            start, best, covariances, before, score, strict=True
        )
    ]


def pose_covariance(item: Placed, config: LayoutConfig, looks: int = 1) -> FloatArray:
    """Return the (6, 6) covariance of a pose that fits a view already; axes as a twist's.

    :param item: the shape where it is.
    :param config: of the layout.
    :param looks: how many views from different sides the shape was made of: what the returns of
        one have in common is another thing in each.
    """
    targets = Targets.of([(item.shape, item.view)])
    T = item.T_cam_shape[None]
    return _covariances(targets, T, _pairs(targets, T), config, looks)[0][0]


def _score(targets: Targets, pairs: _Pairs) -> FloatArray:
    """(B,) the share of each view's points within 2 sigma + 2 mm of the surface, less the share
    of the surface's front that the sensor saw through.
    """
    near = np.abs(pairs.distance) < 2.0 * targets.sigmas + 0.002
    inliers = (near & targets.valid).sum(axis=1) / targets.valid.sum(axis=1)
    sight = pairs.sight
    seen = (sight.confirmed | sight.through) & sight.front
    through = sight.through & sight.front
    return np.asarray(inliers - through.sum(axis=1) / np.maximum(seen.sum(axis=1), 1))


def _pairs(targets: Targets, T: FloatArray, known: PixelIndex | None = None) -> _Pairs:
    """Pair points and surfaces, whose vertices are looked for where rows of ``known`` are -1."""
    if known is None:
        known = np.full(targets.valid.shape, -1, np.intp)
    R, t = T[:, :3, :3], T[:, None, :3, 3]
    observed = (targets.points - t) @ R
    near, local, normals, vertex = targets.nearest(observed, known)
    height = np.einsum('bpc,bpc->bp', observed - local, normals)
    spacing = 2.0 * _medians(near, targets.valid) + 0.005
    lateral = np.sqrt(np.maximum(np.square(near) - np.square(height), 0.0))
    distance = np.where(lateral > spacing[:, None], near, height)
    R_t = R.transpose(0, 2, 1)
    normals_cam, surface = normals @ R_t, local @ R_t + t
    facing = (np.einsum('bpc,bpc->bp', normals_cam, surface) < 0) & targets.valid
    sight = targets.look(T)
    return _Pairs(facing, distance, surface, normals_cam, local, vertex, sight)


def _medians(values: FloatArray, chosen: BoolArray) -> FloatArray:
    """(B,) median of the chosen values of each row, 0 where none is."""
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    count = chosen.sum(axis=1)
    rows = np.arange(len(values))
    middle = 0.5 * (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2])
    return np.where(count > 0, middle, 0.0)


def _register(
    targets: Targets, T_start: FloatArray, pairs: _Pairs, config: LayoutConfig
) -> tuple[FloatArray, PixelIndex]:
    """The poses where the views fit best, from poses with their pairs, and the vertices there.

    The last step of what has settled is too small to change these; of the rest they are -1.
    """
    T, vertex = T_start.copy(), np.full(targets.valid.shape, -1, np.intp)
    moving = np.arange(len(T))
    for iteration in range(config.iterations):
        if iteration > 0:
            pairs = _pairs(targets, T[moving])
        H, g = _normal_equations(targets, T[moving], pairs, config)
        twist: FloatArray = np.asarray(np.linalg.solve(H, g[..., None])[..., 0], np.float64)
        T[moving] = moved_by(T[moving], twist)
        going = np.einsum('bi,bij,bj->b', twist, H, twist) > SETTLED**2
        vertex[moving[~going]] = pairs.vertex[~going]
        if not going.any():
            break
        if not going.all():
            moving, targets = moving[going], targets.at(np.flatnonzero(going))
    return T, vertex


def _normal_equations(
    targets: Targets, T: FloatArray, pairs: _Pairs, config: LayoutConfig
) -> tuple[FloatArray, FloatArray]:
    """(B, 6, 6) and (B, 6) of the points that pull, of the vertices that were seen through, and
    of what is believed beforehand.
    """
    H, g = _accumulate(_rows(pairs, T), pairs.distance, _weights(pairs, targets, config))
    H_seen, g_seen = _seen_through_equations(targets, T, pairs.sight, config)
    return H + H_seen + prior_information(), g + g_seen


def _rows(pairs: _Pairs, T: FloatArray) -> FloatArray:
    """(B, P, 6) derivatives of the distances by the twist."""
    return _twist_rows(pairs.surface - T[:, None, :3, 3], pairs.normals)


def _twist_rows(offsets: FloatArray, directions: FloatArray) -> FloatArray:
    """(B, P, 6) derivatives by the twist of points' places along directions."""
    rows = np.empty((*offsets.shape[:2], 6))
    rows[..., :3] = directions
    x, y, z = offsets.transpose(2, 0, 1)
    u, v, w = directions.transpose(2, 0, 1)
    rows[..., 3], rows[..., 4], rows[..., 5] = y * w - z * v, z * u - x * w, x * v - y * u
    return rows


def _weights(pairs: _Pairs, targets: Targets, config: LayoutConfig) -> FloatArray:
    """(B, P) robust weights over the variance of the sensor's noise."""
    spread = _medians(np.abs(pairs.distance), pairs.facing) * 1.4826
    scale = np.minimum(np.maximum(TUKEY * spread, 0.004), config.gate_m)
    sigma = np.hypot(targets.sigmas, 0.001)
    scale = np.maximum(scale, TUKEY * _medians(sigma, targets.valid))
    weight = _tukey(pairs.distance / scale[:, None]) * pairs.facing / np.square(sigma)
    return np.asarray(weight)


def _tukey(ratio: FloatArray) -> FloatArray:
    weight: FloatArray = np.square(np.maximum(1.0 - np.square(ratio), 0.0))
    return weight


def _seen_through_equations(
    targets: Targets, T: FloatArray, sight: Sight, config: LayoutConfig
) -> tuple[FloatArray, FloatArray]:
    """Equations of the vertices that the sensor saw through.

    What projects beside the mask is pulled back into it. What stands before the measured surface
    of its object is pushed back along its ray; but what lies ``gate_m`` and more behind is no
    surface of this object: a mask that leaks.
    """
    offsets = sight.vertices - T[:, None, :3, 3]
    depth = sight.vertices[..., 2]
    H, g = np.zeros((len(T), 6, 6)), np.zeros((len(T), 6))
    beside = sight.through & ~sight.own
    if beside.any():
        pixel_m = depth / targets.focal_px
        excess = np.minimum(sight.outside_px, 10.0) * pixel_m
        weight = beside / np.square(SILHOUETTE_SIGMA_PX * pixel_m)
        H, g = _accumulate(_twist_rows(offsets, targets.inward(sight)), -excess, weight)
    before = sight.through & sight.own
    if before.any():
        excess = np.where(before, sight.beyond_m, 0.0)
        rays = sight.vertices / depth[..., None]
        length = np.sqrt(np.einsum('bvc,bvc->bv', rays, rays))
        variance = FREE_SIGMA_M**2 + np.square(sight.sigmas)
        weight = before * _tukey(excess / config.gate_m) / variance
        H_free, g_free = _accumulate(
            _twist_rows(offsets, rays / length[..., None]), excess * length, weight
        )
        H, g = H + H_free, g + g_free
    return H, g


def _accumulate(
    A: FloatArray, residual: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    weighted = (A * weight[..., None]).transpose(0, 2, 1)
    return weighted @ A, (weighted @ residual[..., None])[..., 0]


def _covariances(
    targets: Targets, T: FloatArray, pairs: _Pairs, config: LayoutConfig, looks: int = 1
) -> list[tuple[FloatArray, float]]:
    """Return of each pose the (6, 6) covariance, and how far views' errors correlate."""
    weights = _weights(pairs, targets, config)
    rows = _rows(pairs, T)
    H, _ = _accumulate(rows, pairs.distance, weights)
    H_seen, _ = _seen_through_equations(targets, T, pairs.sight, config)
    gains = np.linalg.inv(H + H_seen + prior_information())
    floor = np.diag(np.square(np.repeat([config.floor_m, config.floor_rad], 3)))
    covariances = []
    for b, gain in enumerate(gains):
        used = targets.valid[b]
        weight, points, local = weights[b, used], targets.points[b, used], pairs.local[b, used]
        shared = shared_error(local, pairs.distance[b, used], weight)
        offsets = pairs.surface[b, used] - T[b, :3, 3]
        observed = observed_information(H[b], offsets, weight) + H_seen[b]
        covariance = np.linalg.inv(observed / shared + prior_information()) + floor
        pixels = points[:, :2] / points[:, 2:] * targets.focal_px[b]
        pulls = rows[b, used] * (weight * targets.sigmas[b, used])[:, None]
        noise = common_noise(pulls, pixels, targets.sensors[b].grain)
        every = covariance + gain @ noise @ gain / looks
        # What the returns of one view have in common is another thing in the next.
        share = float(np.trace(np.linalg.solve(every, covariance))) / 6.0
        both = np.asarray(0.5 * (every + every.T), np.float64)
        covariances.append((both, ALIKE * float(np.sqrt(share))))
    return covariances


def _shifted(targets: Targets, T: FloatArray) -> FloatArray:
    """The poses moved from the middle of the shapes' front to the middle of the points."""
    sight = targets.look(T)
    shown = np.where(sight.front.any(axis=1, keepdims=True), sight.front, targets.sampled)
    moved = T.copy()
    for axis in range(3):
        middle = _medians(sight.vertices[..., axis], shown)
        moved[:, axis, 3] += _medians(targets.points[..., axis], targets.valid) - middle
    return moved
