# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms as (4, 4) float64 matrices. ``T_a_b`` maps coordinates in b to a."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray

F = TypeVar('F', np.float32, np.float64)


def transform(rotation: FloatArray, translation: FloatArray) -> FloatArray:
    """Return the (4, 4) transform of a (3, 3) rotation and a (3,) translation."""
    T = np.eye(4)
    T[:3, :3] = rotation
    T[:3, 3] = translation
    return T


def inverse(T: FloatArray) -> FloatArray:
    """Return the inverse of a rigid transform, (4, 4)."""
    R = T[:3, :3]
    return transform(R.T, -R.T @ T[:3, 3])


def apply(T: FloatArray, points: npt.NDArray[F]) -> npt.NDArray[F]:
    """Return (..., 3) points mapped by a (4, 4) transform, in the points' dtype.

    :param T: (4, 4) transform.
    """
    points = np.asarray(points)
    R = T[:3, :3].astype(points.dtype)
    moved: npt.NDArray[F] = points @ R.T + T[:3, 3].astype(points.dtype)
    return moved


def upright_axes(up: FloatArray) -> FloatArray:
    """Return (3, 3) orthonormal rows: two axes across ``up``, and ``up`` itself.

    :param up: (3,) unit vector.
    """
    x = np.cross(np.eye(3)[int(np.argmin(np.abs(up)))], up)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])


def from_quaternion(
    xyzw: Iterable[float], translation: Sequence[float] | FloatArray
) -> FloatArray:
    """Return the transform of a quaternion (x, y, z, w; need not be unit) and a translation.

    :param xyzw: the quaternion.
    """
    # By hand: scipy's Rotation takes ten times as long for one, and long recordings have millions.
    x, y, z, w = (float(value) for value in xyzw)
    s = 2.0 / (x * x + y * y + z * z + w * w)
    xs, ys, zs = x * s, y * s, z * s
    t = translation
    return np.array(
        (
            (1.0 - (y * ys + z * zs), x * ys - w * zs, x * zs + w * ys, t[0]),
            (x * ys + w * zs, 1.0 - (x * xs + z * zs), y * zs - w * xs, t[1]),
            (x * zs - w * ys, y * zs + w * xs, 1.0 - (x * xs + y * ys), t[2]),
            (0.0, 0.0, 0.0, 1.0),
        )
    )


def quaternion(T: FloatArray) -> FloatArray:
    """Return the unit quaternion (x, y, z, w; w >= 0) of a transform's rotation."""
    # By hand, as above: every pose of every message has one.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = T[:3, :3].tolist()
    # 4 q q^T, each row of which is q but for its length; the longest is the most exact.
    outer = (
        (1.0 + xx - yy - zz, xy + yx, xz + zx, zy - yz),
        (xy + yx, 1.0 - xx + yy - zz, yz + zy, xz - zx),
        (xz + zx, yz + zy, 1.0 - xx - yy + zz, yx - xy),
        (zy - yz, xz - zx, yx - xy, 1.0 + xx + yy + zz),
    )
    length, row = max((math.hypot(*row), row) for row in outer)
    return np.array(row) / math.copysign(length, row[3])


def rotation_angle(T: FloatArray) -> float:
    """Return the angle of a transform's rotation, radians, in [0, pi]."""
    *axis, w = quaternion(T).tolist()
    return 2.0 * math.atan2(math.hypot(*axis), w)


def interpolate(T_0: FloatArray, T_1: FloatArray, fraction: float) -> FloatArray:
    """Return the transform at ``fraction`` of the way: linear translation, slerp rotation.

    :param T_0: (4, 4) transform at fraction 0.
    :param T_1: (4, 4) transform at fraction 1.
    """
    R_0, R_1 = Rotation.from_matrix(T_0[:3, :3]), Rotation.from_matrix(T_1[:3, :3])
    step = Rotation.from_rotvec(fraction * (R_0.inv() * R_1).as_rotvec())
    translation = (1.0 - fraction) * T_0[:3, 3] + fraction * T_1[:3, 3]
    return transform((R_0 * step).as_matrix(), translation)


def adjoint_rotation(covariance: FloatArray, R_new_old: FloatArray) -> FloatArray:
    """Return (..., 6, 6) pose covariances expressed in rotated parent axes.

    :param covariance: of position, then of rotation.
    :param R_new_old: (3, 3) rotation from the old axes to the new ones.
    """
    J = np.zeros((6, 6))
    J[:3, :3] = R_new_old
    J[3:, 3:] = R_new_old
    rotated: FloatArray = J @ covariance @ J.T
    return rotated


def twist_information(points: npt.NDArray[F], weight: npt.NDArray[F]) -> FloatArray:
    """Return the (6, 6) sum of w J^T J of points that are held in all three directions.

    J is how a point moves with a twist: x, y, z, rotation vector.

    :param points: (N, 3) from the origin that the twist turns about.
    :param weight: (N,) of each.
    """
    held = np.zeros((6, 6))
    x, y, z = weight @ points
    turned = np.array([[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]])
    held[:3, :3] = float(weight.sum()) * np.eye(3)
    held[:3, 3:], held[3:, :3] = turned, turned.T
    spread = (points * weight[:, None]).T @ points
    held[3:, 3:] = np.trace(spread) * np.eye(3) - spread
    return held


def moved_by(T: FloatArray, twist: FloatArray) -> FloatArray:
    """Return poses after twists: x, y, z, rotation vector; parent axes, about their origins.

    :param T: (..., 4, 4) poses.
    :param twist: (..., 6) metres and radians.
    """
    moved = T.copy()
    turns = Rotation.from_rotvec(twist[..., 3:]).as_matrix()
    moved[..., :3, :3] = turns @ T[..., :3, :3]
    moved[..., :3, 3] += twist[..., :3]
    return moved


def twist_between(T_from: FloatArray, T_to: FloatArray) -> FloatArray:
    """Return the (6,) twist that :func:`moved_by` needs to go from one pose to the other.

    :param T_from: (4, 4) pose to start from.
    :param T_to: (4, 4) pose to arrive at.
    """
    *axis, w = quaternion(T_to[:3, :3] @ T_from[:3, :3].T).tolist()
    sine = math.hypot(*axis)
    angle_per_sine = 2.0 * math.atan2(sine, w) / sine if sine > 0.0 else 2.0
    return np.concatenate([T_to[:3, 3] - T_from[:3, 3], np.multiply(axis, angle_per_sine)])


def sphere_directions(count: int) -> FloatArray:
    """Return (count, 3) unit vectors spread evenly over the sphere (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + np.sqrt(5)) * k
    ring = np.sqrt(1 - z**2)
    return np.column_stack([ring * np.cos(angle), ring * np.sin(angle), z])
