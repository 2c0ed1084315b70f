# SPDX-License-Identifier: Apache-2.0
"""Transforms of least squares between points and their partners."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import FloatArray


def rigid_fit(source: FloatArray, target: FloatArray) -> FloatArray:
    """Return the rigid (4, 4) that best maps (N, 3) points onto their partners (Kabsch 1976).

    :param source: (N, 3) points.
    :param target: (N, 3) their partners.
    """
    T, _ = _fit(source, target)
    return T


def similarity_fit(
    source: FloatArray, target: FloatArray, scale_range: tuple[float, float] = (0.0, np.inf)
) -> FloatArray:
    """Return the similarity (4, 4) that best maps (N, 3) points onto their partners.

    Umeyama, "Least-squares estimation of transformation parameters", 1991, eq. 40 to 42.

    :param source: (N, 3) points.
    :param target: (N, 3) their partners.
    :param scale_range: the scale is clipped to it, and the translation follows.
    """
    T, spread = _fit(source, target)
    variance = np.square(source - source.mean(axis=0)).sum(axis=1).mean()
    scale = float(np.clip(spread / max(variance, 1e-12), *scale_range))
    T[:3, :3] *= scale
    T[:3, 3] = target.mean(axis=0) - T[:3, :3] @ source.mean(axis=0)
    return T


def _fit(source: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """Return the rigid fit and the trace of the signed singular values of the covariance."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    U, D, Vt = np.linalg.svd((target - target_mean).T @ (source - source_mean) / len(source))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    T = np.eye(4)
    T[:3, :3] = U * sign @ Vt
    T[:3, 3] = target_mean - T[:3, :3] @ source_mean
    return T, float(D @ sign)
