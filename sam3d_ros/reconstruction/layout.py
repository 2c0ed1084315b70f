# SPDX-License-Identifier: Apache-2.0
"""Layout refinement: where a known shape is, from what one view shows of it.

Robust one-sided point-to-plane registration (Chen and Medioni, 1992; only observed points pull,
never the hidden side), with a silhouette term that pulls what stands beside the mask into it, and
a free-space term that pushes what stands before the measured surface back to it, both only where
the sensor saw through. The real camera model, Gauss-Newton on SE(3), covariance from the Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import DepthVerdict, judge
from sam3d_ros.reconstruction.config import LayoutConfig
from sam3d_ros.reconstruction.pose_covariance import (
    common_noise,
    observed_information,
    prior_information,
    shared_error,
)
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View

SAMPLES = 600
SILHOUETTE_SAMPLES = 400
SILHOUETTE_SIGMA_PX = 2.0
THROUGH_M, THROUGH_SIGMAS = 0.004, 3.0
"""A return this far, and this many sigmas, behind a vertex says that the vertex is not there."""
FREE_SIGMA_M = 0.0047
"""How far the front of a shape may be off, apart from the sensor's noise."""
TUKEY = 4.685
STEP_M, STEP_RAD = 3e-5, 3e-4
"""Registration has ended when its step is smaller: well below the sensor's noise."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseUpdate:
    """What one view says about a pose.

    :param twist: (6,) float64 correction x, y, z, rotation vector: optical axes, about the
        origin of the shape's frame.
    :param covariance: (6, 6) float64 of it.
    :param score_before: agreement at the pose that was put in: the share of the observed points on
        the surface, less the share of the surface that was seen through.
    :param score_after: agreement after the correction.
    """

    twist: FloatArray
    covariance: FloatArray
    score_before: float
    score_after: float


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A view made ready for registration."""

    points: FloatArray
    sigmas: FloatArray
    view: View
    outside_px: Float32Array
    towards: tuple[Float32Array, Float32Array]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Observed points and the surface nearest to each, optical frame where not said otherwise.

    :param facing: the surface faces the camera.
    :param distance: signed along the normal; beyond the surface's edge the full distance.
    :param local: (P, 3) the surface points in the shape's frame.
    """

    facing: BoolArray
    distance: FloatArray
    surface: FloatArray
    normals: FloatArray
    local: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A pose, its pairs and its score."""

    T_cam_shape: FloatArray
    pairs: _Pairs
    score: float


def measure_pose(
    shape: Shape, view: View, T_cam_shape: FloatArray, config: LayoutConfig
) -> PoseUpdate:
    """Return the correction of ``T_cam_shape`` that fits the view best, starting from it."""
    target = _prepare(view)
    before = _fit(shape, target, T_cam_shape)
    best = _fit(shape, target, _register(shape, target, T_cam_shape, config))
    if best.score < 0.5:
        shifted = T_cam_shape.copy()
        shifted[:3, 3] += _shift(shape, target, T_cam_shape)
        other = _fit(shape, target, _register(shape, target, shifted, config))
        if other.score > best.score:
            best = other
    covariance = _covariance(shape, target, best.T_cam_shape, best.pairs, config)
    return PoseUpdate(
        twist_between(T_cam_shape, best.T_cam_shape), covariance, before.score, best.score
    )


def pose_covariance(
    shape: Shape, view: View, T_cam_shape: FloatArray, config: LayoutConfig, looks: int = 1
) -> FloatArray:
    """Return the (6, 6) covariance of a pose that fits a view already; axes as a twist's.

    :param looks: how many views from different sides the shape was made of: what the returns of
        one have in common is another thing in each.
    """
    target = _prepare(view)
    pairs = _pairs(shape, target, T_cam_shape)
    return _covariance(shape, target, T_cam_shape, pairs, config, looks)


def moved_by(T: FloatArray, twist: FloatArray) -> FloatArray:
    """Return a pose after a twist (x, y, z, rotation vector; parent axes, about its origin)."""
    moved = T.copy()
    moved[:3, :3] = Rotation.from_rotvec(twist[3:]).as_matrix() @ T[:3, :3]
    moved[:3, 3] += twist[:3]
    return moved


def twist_between(T_from: FloatArray, T_to: FloatArray) -> FloatArray:
    """Return the twist that :func:`moved_by` needs to go from one pose to the other."""
    turn = Rotation.from_matrix(T_to[:3, :3] @ T_from[:3, :3].T).as_rotvec()
    return np.concatenate([T_to[:3, 3] - T_from[:3, 3], turn])


def _fit(shape: Shape, target: _Target, T_cam_shape: FloatArray) -> _Fit:
    """Score a pose: the share of the view's points within 2 sigma + 2 mm of the surface, less the
    share of the surface's front that the sensor saw through.
    """
    pairs = _pairs(shape, target, T_cam_shape)
    inliers = float((np.abs(pairs.distance) < 2.0 * target.sigmas + 0.002).mean())
    vertices, front = _front(shape, T_cam_shape, SILHOUETTE_SAMPLES)
    verdict = _judged(vertices, target.view)
    seen = verdict.confirmed | verdict.seen_through
    through = float((verdict.seen_through & front).sum() / max((seen & front).sum(), 1))
    return _Fit(T_cam_shape, pairs, inliers - through)


def _judged(vertices: FloatArray, view: View) -> DepthVerdict:
    """What the view says about vertices of the shape, optical frame."""
    tolerance = THROUGH_M + THROUGH_SIGMAS * _sigma(vertices, view)
    return judge(vertices, view.camera, view.pointmap[..., 2], tolerance)


def _sigma(points: FloatArray, view: View) -> FloatArray:
    """(P,) one-sigma error along the optical axis of returns at the depths of points, metres."""
    return view.sensor.axial_sigma(points[:, 2].astype(np.float32)).astype(np.float64)


def _prepare(view: View) -> _Target:
    points = view.pointmap[view.own].astype(np.float64)
    if len(points) > SAMPLES:
        points = points[np.linspace(0, len(points) - 1, SAMPLES).astype(np.intp)]
    outside = cv2.distanceTransform((~view.mask).astype(np.uint8), cv2.DIST_L2, 3).astype(
        np.float32
    )
    down, across = np.gradient(outside)
    sigmas = _sigma(points, view)
    towards = np.asarray(across, np.float32), np.asarray(down, np.float32)
    return _Target(points, sigmas, view, outside, towards)


def _pairs(shape: Shape, target: _Target, T_cam_shape: FloatArray) -> _Pairs:
    observed = apply(inverse(T_cam_shape), target.points)
    near, index = shape.tree.query(observed)
    normals = shape.normals[index].astype(np.float64)
    local = shape.mesh.vertices_m[index].astype(np.float64)
    height = np.einsum('pc,pc->p', observed - local, normals)
    spacing = 2.0 * float(np.median(near)) + 0.005
    lateral = np.sqrt(np.maximum(np.square(near) - np.square(height), 0.0))
    distance = np.where(lateral > spacing, near, height)
    normals_cam = normals @ T_cam_shape[:3, :3].T
    surface = apply(T_cam_shape, local)
    facing = np.einsum('pc,pc->p', normals_cam, surface) < 0
    return _Pairs(facing, distance, surface, normals_cam, local)


def _front(shape: Shape, T_cam_shape: FloatArray, most: int) -> tuple[FloatArray, BoolArray]:
    """A sample of the vertices in the optical frame, and which of them face the camera."""
    step = max(1, len(shape.mesh.vertices_m) // most)
    vertices = apply(T_cam_shape, shape.mesh.vertices_m[::step].astype(np.float64))
    normals = shape.normals[::step] @ T_cam_shape[:3, :3].T
    return vertices, np.einsum('vc,vc->v', normals, vertices) < 0


def _register(
    shape: Shape, target: _Target, T_cam_shape: FloatArray, config: LayoutConfig
) -> FloatArray:
    T = T_cam_shape
    for _ in range(config.iterations):
        H, g = _normal_equations(shape, target, T, config)
        twist: FloatArray = np.asarray(np.linalg.solve(H + prior_information(), g), np.float64)
        T = moved_by(T, twist)
        if np.abs(twist[:3]).max() < STEP_M and np.abs(twist[3:]).max() < STEP_RAD:
            break
    return T


def _normal_equations(
    shape: Shape, target: _Target, T: FloatArray, config: LayoutConfig
) -> tuple[FloatArray, FloatArray]:
    pairs = _pairs(shape, target, T)
    H, g = _accumulate(_rows(pairs, T), pairs.distance, _weights(pairs, target, config))
    H_seen, g_seen = _seen_through_equations(shape, target, T, config)
    return H + H_seen, g + g_seen


def _rows(pairs: _Pairs, T: FloatArray) -> FloatArray:
    """(P, 6) derivatives of the distances by the twist."""
    return _twist_rows(pairs.surface - T[:3, 3], pairs.normals)


def _twist_rows(offsets: FloatArray, directions: FloatArray) -> FloatArray:
    """(P, 6) derivatives by the twist of points' places along directions."""
    (x, y, z), (u, v, w) = offsets.T, directions.T
    return np.stack([u, v, w, y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def _weights(pairs: _Pairs, target: _Target, config: LayoutConfig) -> FloatArray:
    """(P,) robust weights over the variance of the sensor's noise."""
    facing, distance = pairs.facing, pairs.distance
    sigma = np.hypot(target.sigmas, 0.001)
    spread = np.median(np.abs(distance[facing])) * 1.4826 if facing.any() else 0.0
    scale = min(max(TUKEY * float(spread), 0.004), config.gate_m)
    scale = max(scale, TUKEY * float(np.median(sigma)))
    weight: FloatArray = _tukey(distance / scale) * facing / np.square(sigma)
    return weight


def _tukey(ratio: FloatArray) -> FloatArray:
    weight: FloatArray = np.square(np.maximum(1.0 - np.square(ratio), 0.0))
    return weight


def _seen_through_equations(
    shape: Shape, target: _Target, T: FloatArray, config: LayoutConfig
) -> tuple[FloatArray, FloatArray]:
    """Equations of the vertices that the sensor saw through."""
    vertices, _ = _front(shape, T, SILHOUETTE_SAMPLES)
    view = target.view
    verdict = _judged(vertices, view)
    own = view.mask[verdict.rows, verdict.columns]
    H, g = _silhouette_equations(vertices, verdict, verdict.seen_through & ~own, target, T)
    H_free, g_free = _free_space_equations(
        vertices, verdict, verdict.seen_through & own, target, T, config.gate_m
    )
    return H + H_free, g + g_free


def _silhouette_equations(
    vertices: FloatArray, verdict: DepthVerdict, beside: BoolArray, target: _Target, T: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pull vertices that project beside the mask back into it."""
    if not beside.any():
        return np.zeros((6, 6)), np.zeros(6)
    rows, columns, vertices = verdict.rows[beside], verdict.columns[beside], vertices[beside]
    pixel_m = vertices[:, 2] / target.view.camera.fx
    direction = np.zeros_like(vertices)
    direction[:, 0] = target.towards[0][rows, columns]
    direction[:, 1] = target.towards[1][rows, columns]
    excess = np.minimum(target.outside_px[rows, columns], 10.0) * pixel_m
    A = _twist_rows(vertices - T[:3, 3], direction)
    return _accumulate(A, -excess, 1.0 / np.square(SILHOUETTE_SIGMA_PX * pixel_m))


def _free_space_equations(
    vertices: FloatArray,
    verdict: DepthVerdict,
    before: BoolArray,
    target: _Target,
    T: FloatArray,
    gate_m: float,
) -> tuple[FloatArray, FloatArray]:
    """Push vertices that stand before the measured surface of their object back along their rays.

    What lies ``gate_m`` and more behind is no surface of this object: a mask that leaks.
    """
    if not before.any():
        return np.zeros((6, 6)), np.zeros(6)
    rows, columns, vertices = verdict.rows[before], verdict.columns[before], vertices[before]
    rays = vertices / vertices[:, 2:]
    excess = target.view.pointmap[rows, columns, 2].astype(np.float64) - vertices[:, 2]
    length = np.linalg.norm(rays, axis=1)
    direction = rays / length[:, None]
    A = _twist_rows(vertices - T[:3, 3], direction)
    variance = FREE_SIGMA_M**2 + np.square(_sigma(vertices, target.view))
    return _accumulate(A, excess * length, _tukey(excess / gate_m) / variance)


def _accumulate(
    A: FloatArray, residual: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    weighted = A * weight[:, None]
    return weighted.T @ A, weighted.T @ residual


def _covariance(
    shape: Shape,
    target: _Target,
    T: FloatArray,
    pairs: _Pairs,
    config: LayoutConfig,
    looks: int = 1,
) -> FloatArray:
    weight = _weights(pairs, target, config)
    A = _rows(pairs, T)
    H, _ = _accumulate(A, pairs.distance, weight)
    H_seen, _ = _seen_through_equations(shape, target, T, config)
    shared = shared_error(pairs.local, pairs.distance, weight)
    floor = np.square(np.repeat([config.floor_m, config.floor_rad], 3))
    observed = observed_information(H, pairs.surface - T[:3, 3], weight) + H_seen
    covariance = np.linalg.inv(observed / shared + prior_information()) + np.diag(floor)
    gain = np.linalg.inv(H + H_seen + prior_information())
    pixels = target.points[:, :2] / target.points[:, 2:] * target.view.camera.fx
    pulls = A * (weight * target.sigmas)[:, None]
    covariance += gain @ common_noise(pulls, pixels, target.view.sensor.grain) @ gain / looks
    return np.asarray(0.5 * (covariance + covariance.T), np.float64)


def _shift(shape: Shape, target: _Target, T: FloatArray) -> FloatArray:
    """From the middle of the shape's front to the middle of the observed points."""
    vertices, front = _front(shape, T, SILHOUETTE_SAMPLES)
    middle = np.median(vertices[front], axis=0) if front.any() else vertices.mean(axis=0)
    shift: FloatArray = np.median(target.points, axis=0) - middle
    return shift
