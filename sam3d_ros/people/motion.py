# SPDX-License-Identifier: Apache-2.0
"""How people and their joints move between two frames: on as before, but for accelerations."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import adjoint_rotation, apply


def constant_velocity(dt_s: float, acceleration_m_s2: float) -> tuple[FloatArray, FloatArray]:
    """Return the (6, 6) transition of a place and its velocity, and the covariance it adds.

    The discrete white noise acceleration model (Bar-Shalom et al., "Estimation with Applications
    to Tracking and Navigation", 2001, 6.3.2).

    :param dt_s: time that passes.
    :param acceleration_m_s2: one-sigma acceleration in that time, of each axis.
    """
    F = np.eye(6)
    F[:3, 3:] = dt_s * np.eye(3)
    noise = np.array([[dt_s**4 / 4, dt_s**3 / 2], [dt_s**3 / 2, dt_s**2]])
    Q: FloatArray = np.kron(noise, acceleration_m_s2**2 * np.eye(3))
    return F, Q


def moved_motion(
    state: FloatArray, covariance: FloatArray, T_new_old: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return places with velocities, and their covariances, after the map has jumped.

    :param state: (..., 6) places and velocities, fixed frame.
    :param covariance: (..., 6, 6) of them.
    :param T_new_old: (4, 4) how the map has moved.
    """
    R = T_new_old[:3, :3]
    moved = np.concatenate([apply(T_new_old, state[..., :3]), state[..., 3:] @ R.T], axis=-1)
    return moved, adjoint_rotation(covariance, R)
