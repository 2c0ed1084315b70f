# SPDX-License-Identifier: Apache-2.0
"""Where a depth camera is to a keyframe: projective point-to-plane and photometric, dense.

Every pixel of the keyframe is projected into the other view, whose point there is compared with
the keyframe's tangent plane (Blais and Levine, 1995; Chen and Medioni, 1992) and whose brightness
with the keyframe's (Steinbruecker, Sturm, Cremers, 2011), robustly weighted (Kerl, Sturm, Cremers,
"Robust Odometry Estimation for RGB-D Cameras", 2013). Derivatives are the keyframe's, made once
(inverse compositional, Baker and Matthews, 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import inverse, transform, twist_information
from sam3d_ros.pointmaps.odometry.levels import Level, Surface

ITERATIONS = (8, 8, 10, 10)
"""Of each level at most, the finest first."""
STEPS_M = (2e-4, 5e-4, 1e-3, 2e-3)
"""Smaller steps end a level; so many radians are as small."""
LEAST_PIXELS = 60
GATE_M, GATE_SHARE = 0.02, 0.03
"""Heights over a surface that are more than this, and that share of its depth, are of another."""
LEAST_HEIGHT_M, LEAST_SHADE = 3e-4, 1.0
"""Typical heights and differences of brightness are never thought to be less."""
SAME_M, SAME_PER_M = 0.005, 0.01
"""Heights of less than this, and that times the square of the depth in metres, are of the same."""
SAME_LIKENESS = 0.85
"""Correlation of the brightness of two views from one place."""
LEAST_CONTRAST = 4.0
"""One sigma of brightness, 0..255; less may be grain."""
LEAST_ROUGH = 0.02
"""Normals are no surer than this, rad; what errors of normals tell does not count."""
UNTOLD = 1.0
"""Information about directions that nothing is known of, 1/m^2."""
HEIGHTS_COUNT, SHADES_COUNT = 0.01, 0.01
"""Neighbours share most of their errors: so much of a pixel's say is its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How a view lies to a keyframe.

    :param T_key_cam: (4, 4).
    :param covariance: (6, 6) of it, keyframe's axes and origin.
    :param overlap: share of the keyframe's surface that lies in the view, and has range there.
    :param agreeing: share of that which the view shows in its place.
    :param likeness: correlation of their brightness, -1..1; 1 where there is no contrast.
    """

    T_key_cam: FloatArray
    covariance: FloatArray
    overlap: float
    agreeing: float
    likeness: float


def align(
    surfaces: Sequence[Surface], levels: Sequence[Level], T_key_cam: FloatArray, coarsest: int
) -> Alignment | None:
    """Return how a view lies to a keyframe; None when they have too little in common.

    :param surfaces: of the keyframe's levels, the finest first.
    :param levels: of the view.
    :param T_key_cam: (4, 4) where the view is thought to be.
    :param coarsest: the level to begin at.
    """
    T = T_key_cam.copy()
    for at in range(coarsest, -1, -1):
        surface, level = surfaces[at], levels[at]
        for _ in range(ITERATIONS[at]):
            found = _compared(surface, level, T)
            if found is None:
                return None
            A = found.by_shape + found.by_shade
            step = np.linalg.solve(A + 1e-9 * np.trace(A) * np.eye(6), -found.b)
            T = transform(Rotation.from_rotvec(step[3:]).as_matrix(), step[:3]) @ T
            if np.abs(step).max() < STEPS_M[at]:
                break
    found = _compared(surfaces[0], levels[0], T)
    if found is None:
        return None
    # Products of rotations stop being one, the faster when each is the guess of the next.
    T[:3, :3] = Rotation.from_matrix(T[:3, :3]).as_matrix()
    return Alignment(
        T, _covariance(found, surfaces[0]), found.overlap, found.agreeing, found.likeness
    )


def share_in_place(surface: Surface, level: Level) -> float:
    """Return the share of a keyframe's pixels that a view shows in the same place of the image, 0
    where those look different.

    :param surface: of the keyframe's level.
    :param level: of the view, of the same size.
    """
    found = _compared(surface, level, np.eye(4))
    if found is None or found.likeness < SAME_LIKENESS:
        return 0.0
    return found.overlap * found.agreeing


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """The normal equations of a step, and how much the views have in common.

    ``by_shape`` is what surfaces tell of the motion, ``by_shade`` what brightness does, each
    (6, 6); ``weight`` (N,) what the height of each pixel counts.
    """

    by_shape: FloatArray
    by_shade: FloatArray
    b: FloatArray
    weight: Float32Array
    overlap: float
    agreeing: float
    likeness: float


def _compared(surface: Surface, level: Level, T_key_cam: FloatArray) -> _Compared | None:
    if len(surface.points) < LEAST_PIXELS:
        return None
    camera = level.camera
    T_cam_key = inverse(T_key_cam).astype(np.float32)
    p = surface.points @ T_cam_key[:3, :3].T + T_cam_key[:3, 3]
    z = np.maximum(p[:, 2], 1e-3)
    x, y = p[:, 0] / z, p[:, 1] / z
    u, v = (
        x * np.float32(camera.fx) + np.float32(camera.cx),
        y * np.float32(camera.fy) + np.float32(camera.cy),
    )
    sampled = cv2.remap(
        level.image,
        u,
        v,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(np.nan, np.nan),
    ).reshape(-1, 2)
    seen_z = 1.0 / sampled[:, 0]
    q = np.column_stack([x * seen_z, y * seen_z, seen_z])
    R, t = T_key_cam[:3, :3].astype(np.float32), T_key_cam[:3, 3].astype(np.float32)
    heights = np.einsum('nc,nc->n', q @ R.T + t - surface.points, surface.normals)
    seen = np.isfinite(heights) & (p[:, 2] > 1e-3)
    near = seen & (np.abs(heights) < GATE_M + GATE_SHARE * surface.points[:, 2])
    count = int(near.sum())
    if count < LEAST_PIXELS:
        return None
    h = np.where(near, heights, 0.0)
    lit = near & surface.textured
    shades = np.where(near, sampled[:, 1] - surface.brightness, 0.0)
    shades = np.where(near, shades - np.median(shades[near]), 0.0)
    h_sigma = max(1.4826 * float(np.median(np.abs(h[near]))), LEAST_HEIGHT_M)
    s_sigma = LEAST_SHADE
    if lit.any():
        s_sigma = max(1.4826 * float(np.median(np.abs(shades[lit]))), LEAST_SHADE)
    w_h = HEIGHTS_COUNT / h_sigma**2 / np.square(1.0 + np.square(h / (3.0 * h_sigma))) * near
    w_s = SHADES_COUNT / s_sigma**2 / np.square(1.0 + np.square(shades / (3.0 * s_sigma))) * lit
    Jh, Js = (
        surface.shape * w_h[:, None].astype(np.float32),
        surface.shade * w_s[:, None].astype(np.float32),
    )
    by_shape = (Jh.T @ surface.shape).astype(np.float64)
    by_shade = (Js.T @ surface.shade).astype(np.float64)
    b = (Jh.T @ h.astype(np.float32) + Js.T @ shades.astype(np.float32)).astype(np.float64)
    in_place = seen & (np.abs(heights) < SAME_M + SAME_PER_M * np.square(surface.points[:, 2]))
    agreeing = float(in_place.sum()) / max(int(seen.sum()), 1)
    return _Compared(
        by_shape,
        by_shade,
        b,
        w_h,
        float(seen.mean()),
        agreeing,
        _likeness(sampled[near, 1], surface.brightness[near]),
    )


def _covariance(found: _Compared, surface: Surface) -> FloatArray:
    """Return the (6, 6) covariance of an alignment; directions that are not told are far off."""
    # What errors of normals tell of a motion is no information.
    by_chance = max(surface.roughness, LEAST_ROUGH**2) * twist_information(
        surface.points, found.weight
    )
    values, axes = np.linalg.eigh(found.by_shape - by_chance)
    by_shape = (axes * np.maximum(values, 0.0)) @ axes.T
    return np.asarray(np.linalg.inv(by_shape + found.by_shade + UNTOLD * np.eye(6)))


def _likeness(one: Float32Array, other: Float32Array) -> float:
    """Return the correlation of two (N,) brightnesses, 1 where neither has any contrast."""
    one, other = one - one.mean(), other - other.mean()
    powers = float(one @ one), float(other @ other)
    if max(powers) < len(one) * LEAST_CONTRAST**2:
        return 1.0
    return float(one @ other) / max(np.sqrt(powers[0] * powers[1]), 1e-6)
