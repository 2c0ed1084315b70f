# SPDX-License-Identifier: Apache-2.0
"""Layout refinement: where a known shape is, from what one view shows of it.

Robust one-sided point-to-plane registration (Chen and Medioni, 1992; only observed points pull,
never the hidden side), with silhouette and free-space terms that push out what stands where the
sensor saw nothing. The real camera model, Gauss-Newton on SE(3), covariance from the Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.reconstruction.config import EvidenceConfig, LayoutConfig
from sam3d_ros.reconstruction.rays import depth_sigma
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View

SAMPLES = 600
SILHOUETTE_SAMPLES = 400
SILHOUETTE_SIGMA_PX = 2.0
CORRELATED = 8.0
"""Neighbouring pixels' errors go together: so many points count as one in the covariance."""
PRIOR_M, PRIOR_RAD = 0.05, 0.3
TUKEY = 4.685


@dataclass(frozen=True, slots=True, eq=False)
class PoseUpdate:
    """What one view says about a pose.

    :param twist: (6,) float64 correction x, y, z, rotation vector: optical axes, about the
        origin of the shape's frame.
    :param covariance: (6, 6) float64 of it.
    :param score_before: agreement at the pose that was put in, see :func:`pose_score`.
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


def measure_pose(
    shape: Shape, view: View, T_cam_shape: FloatArray, config: LayoutConfig, noise: EvidenceConfig
) -> PoseUpdate:
    """Return the correction of ``T_cam_shape`` that fits the view best, starting from it."""
    target = _prepare(view, noise)
    before = pose_score(shape, target, T_cam_shape, noise)
    best = _register(shape, target, T_cam_shape, config)
    after = pose_score(shape, target, best, noise)
    if after < 0.5:
        shifted = T_cam_shape.copy()
        shifted[:3, 3] += _shift(shape, target, T_cam_shape)
        other = _register(shape, target, shifted, config)
        score = pose_score(shape, target, other, noise)
        if score > after:
            best, after = other, score
    H, _ = _normal_equations(shape, target, best, config)
    return PoseUpdate(twist_between(T_cam_shape, best), _covariance(H, config), before, after)


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


def pose_score(
    shape: Shape, target: _Target, T_cam_shape: FloatArray, noise: EvidenceConfig
) -> float:
    """Share of the view's points within 2 sigma + 2 mm of the surface, less the share of the
    surface's front that the sensor saw through.
    """
    _, distance, _ = _pairs(shape, target, T_cam_shape)
    inliers = float((np.abs(distance) < 2.0 * target.sigmas + 0.002).mean())
    vertices, front = _front(shape, T_cam_shape, SILHOUETTE_SAMPLES)
    tolerance = 0.004 + 3.0 * depth_sigma(vertices[:, 2].astype(np.float32), noise).astype(
        np.float64
    )
    verdict = judge(vertices, target.view.camera, target.view.pointmap[..., 2], tolerance)
    seen = verdict.confirmed | verdict.seen_through
    through = float((verdict.seen_through & front).sum() / max((seen & front).sum(), 1))
    return inliers - through


def _prepare(view: View, noise: EvidenceConfig) -> _Target:
    points = view.pointmap[view.own].astype(np.float64)
    if len(points) > SAMPLES:
        points = points[np.linspace(0, len(points) - 1, SAMPLES).astype(np.intp)]
    outside = cv2.distanceTransform((~view.mask).astype(np.uint8), cv2.DIST_L2, 3).astype(
        np.float32
    )
    down, across = np.gradient(outside)
    sigmas = depth_sigma(points[:, 2].astype(np.float32), noise).astype(np.float64)
    towards = np.asarray(across, np.float32), np.asarray(down, np.float32)
    return _Target(points, sigmas, view, outside, towards)


def _pairs(
    shape: Shape, target: _Target, T_cam_shape: FloatArray
) -> tuple[BoolArray, FloatArray, tuple[FloatArray, FloatArray]]:
    """Nearest surface for each point: whether it faces the camera, signed distance along its
    normal (beyond the surface's edge: the full distance), (surface points, normals) in cam.
    """
    local = apply(inverse(T_cam_shape), target.points)
    near, index = shape.tree.query(local)
    normals = shape.normals[index].astype(np.float64)
    offset = local - shape.mesh.vertices_m[index]
    height = np.einsum('pc,pc->p', offset, normals)
    spacing = 2.0 * float(np.median(near)) + 0.005
    lateral = np.sqrt(np.maximum(np.square(near) - np.square(height), 0.0))
    distance = np.where(lateral > spacing, near, height)
    R = T_cam_shape[:3, :3]
    normals_cam = normals @ R.T
    on_surface = apply(T_cam_shape, shape.mesh.vertices_m[index].astype(np.float64))
    facing = np.einsum('pc,pc->p', normals_cam, on_surface) < 0
    return facing, distance, (on_surface, normals_cam)


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
        twist: FloatArray = np.asarray(np.linalg.solve(H + _prior(), g), np.float64)
        T = moved_by(T, twist)
        if np.abs(twist[:3]).max() < 1e-5 and np.abs(twist[3:]).max() < 1e-4:
            break
    return T


def _normal_equations(
    shape: Shape, target: _Target, T: FloatArray, config: LayoutConfig
) -> tuple[FloatArray, FloatArray]:
    facing, distance, (on_surface, normals) = _pairs(shape, target, T)
    sigma = np.hypot(target.sigmas, 0.001)
    spread = np.median(np.abs(distance[facing])) * 1.4826 if facing.any() else 0.0
    scale = min(max(TUKEY * max(float(spread), float(np.median(sigma))), 0.004), config.gate_m)
    weight = np.square(np.maximum(1.0 - np.square(distance / scale), 0.0)) * facing
    origin = T[:3, 3]
    A = np.concatenate([normals, np.cross(on_surface - origin, normals)], axis=1)
    H, g = _accumulate(A, distance, weight / np.square(sigma))
    H_rim, g_rim = _silhouette_equations(shape, target, T)
    return H + H_rim, g + g_rim


def _silhouette_equations(
    shape: Shape, target: _Target, T: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pull vertices that project beside the mask, where the sensor saw through, back into it."""
    view = target.view
    vertices, _ = _front(shape, T, SILHOUETTE_SAMPLES)
    verdict = judge(vertices, view.camera, view.pointmap[..., 2], 0.01)
    rows, columns = verdict.rows, verdict.columns
    beside = verdict.seen_through & ~view.mask[rows, columns]
    if not beside.any():
        return np.zeros((6, 6)), np.zeros(6)
    rows, columns, vertices = rows[beside], columns[beside], vertices[beside]
    pixel_m = vertices[:, 2] / view.camera.fx
    direction = np.zeros_like(vertices)
    direction[:, 0] = target.towards[0][rows, columns]
    direction[:, 1] = target.towards[1][rows, columns]
    excess = np.minimum(target.outside_px[rows, columns], 10.0) * pixel_m
    A = np.concatenate([direction, np.cross(vertices - T[:3, 3], direction)], axis=1)
    return _accumulate(A, -excess, 1.0 / np.square(SILHOUETTE_SIGMA_PX * pixel_m))


def _accumulate(
    A: FloatArray, residual: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    weighted = A * weight[:, None]
    return weighted.T @ A, weighted.T @ residual


def _prior() -> FloatArray:
    return np.diag(1.0 / np.square(np.repeat([PRIOR_M, PRIOR_RAD], 3)))


def _covariance(H: FloatArray, config: LayoutConfig) -> FloatArray:
    floor = np.square(np.repeat([config.floor_m, config.floor_rad], 3))
    covariance = np.linalg.inv(H / CORRELATED + _prior()) + np.diag(floor)
    return np.asarray(0.5 * (covariance + covariance.T), np.float64)


def _shift(shape: Shape, target: _Target, T: FloatArray) -> FloatArray:
    """From the middle of the shape's front to the middle of the observed points."""
    vertices, front = _front(shape, T, SILHOUETTE_SAMPLES)
    middle = np.median(vertices[front], axis=0) if front.any() else vertices.mean(axis=0)
    shift: FloatArray = np.median(target.points, axis=0) - middle
    return shift
