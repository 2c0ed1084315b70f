# SPDX-License-Identifier: Apache-2.0
"""How sure a registered pose is: the Hessian, made honest in four steps.

Information that only the roughness of the mesh pretends is taken away, errors that neighbouring
points share count as one, noise that the sensor's returns have in common over the whole object is
added, and what no residual shows is added as a floor.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.sensors import Grain
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import twist_information

NORMAL_SIGMA_RAD = 0.05
"""Error of a reconstructed mesh's normals about each tangent that bears on the pose; fitted on
worlds of the train split."""

PATCH_M = 0.015
"""Residuals within such a cell go together: the mesh's misfit, and the grain of the noise."""

PULLS = 150
"""Returns that are enough to see what they have in common."""

ALIKE = 0.85
"""Correlation of the errors of two views of one shape but for their noise, on worlds of the train
split."""

PRIOR_M, PRIOR_RAD = 0.05, 0.3
"""What is believed of a direction that the view says nothing about."""


def prior_information() -> FloatArray:
    """Return the (6, 6) information that every pose has before it is measured."""
    return np.diag(1.0 / np.square(np.repeat([PRIOR_M, PRIOR_RAD], 3)))


def observed_information(H: FloatArray, offsets: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the (6, 6) information of a point-to-plane Hessian, less what rough normals add.

    A normal that errs by small turns about its tangents adds sigma^2 J (1 - n n^T) J^T to the
    outer product of its row J n, J = [1; offset x]: a ball with a rough surface seems to resist
    being turned. Taking this away in the mean (errors in variables; Fuller, "Measurement Error
    Models", 1987, section 2.2) leaves (1 + sigma^2) H - sigma^2 sum w J J^T, of which negative
    directions were never observed.

    :param offsets: (P, 3) points from the origin that rotations turn about.
    :param weight: (P,) their weights in ``H``.
    """
    variance = NORMAL_SIGMA_RAD**2
    reduced = (1.0 + variance) * H - variance * twist_information(offsets, weight)
    arm_m = max(float(np.sqrt(np.square(offsets).sum(axis=1).mean())), 1e-3)
    scale = np.repeat([1.0, arm_m], 3)
    values, axes = np.linalg.eigh(reduced / np.outer(scale, scale))
    positive: FloatArray = (axes * np.maximum(values, 0.0)) @ axes.T * np.outer(scale, scale)
    return positive


def shared_error(local_m: FloatArray, residual: FloatArray, weight: FloatArray) -> float:
    """Return how many points count as one, at least 1: the variance factor of patch means.

    The mean square of the patches' mean residuals, over what independent errors would leave; six
    parameters were fitted. The cluster form of the a-posteriori variance factor (Liang and Zeger,
    "Longitudinal data analysis using generalized linear models", 1986).

    :param local_m: (P, 3) the points' places in the shape's frame.
    :param residual: (P,) distances of the points from the surface, metres.
    :param weight: (P,) 1 / sigma^2 times the robust weight.
    """
    cells = np.floor(local_m / PATCH_M).astype(np.int64) & 0xFFFF
    key = (cells[:, 0] << 32) | (cells[:, 1] << 16) | cells[:, 2]
    _, patch = np.unique(key, return_inverse=True)
    weights = np.bincount(patch, weight)
    moments = np.bincount(patch, weight * residual)
    used = weights > 0
    square = float((np.square(moments[used]) / weights[used]).sum())
    return max(square / max(int(used.sum()) - 6, 1), 1.0)


def common_noise(pulls: FloatArray, pixels: FloatArray, grain: Grain) -> FloatArray:
    """Return the (6, 6) covariance of the pull on a pose by the noise that returns have in common.

    N independent returns of one sigma pull with sum_i p_i p_i^T, which the Hessian counts; returns
    that correlate by r_ij with sum_ij r_ij p_i p_j^T. Applied to the gain of the fit from both
    sides this is the sandwich estimator of its covariance (White, "Maximum likelihood estimation
    of misspecified models", Econometrica 1982). For a shift of a flat patch it says that the N
    returns count as N_eff = 1 / left^2 with :meth:`core.sensors.SensorModel.left_after` of the
    patch; turns are held better than that. Independent pixels (scale 0) add nothing.

    :param pulls: (P, 6) rows of the fit times weight times sigma.
    :param pixels: (P, 2) places in the image, px.
    :param grain: (scale in px, share of the variance) of each part of the noise.
    """
    step = max(-(-len(pulls) // PULLS), 1)
    chosen, (u, v) = pulls[::step], pixels[::step].T.astype(np.float32)
    apart = np.square(u[:, None] - u) + np.square(v[:, None] - v)
    shared = np.zeros_like(apart)
    for scale, share in grain:
        if scale > 0:
            shared += np.float32(share) * np.exp(apart * np.float32(-0.25 / scale**2))
    each = len(pulls) / max(len(chosen), 1)
    return np.asarray(each**2 * chosen.T @ shared @ chosen, np.float64)


def averaged(
    before: FloatArray,
    measured: FloatArray,
    gain: FloatArray,
    twist: FloatArray,
    alike: float = ALIKE,
) -> FloatArray:
    """Return the (6, 6) covariance of a pose after the share ``gain`` of a measured twist.

    Errors of one sigma that correlate by r, averaged with weights 1 - g and g, leave the square of
    the averaged sigma, as far as they correlate, and the sum of the weighted squares, as in a
    Kalman filter, as far as they do not. Views of one shape err alike for the most part: many
    views of the same side make a pose steady, not true. What they disagree by is added, as in any
    mixture of two estimates.

    :param before: (6, 6) covariance before the view.
    :param alike: how far the errors of the two correlate, 0..1.
    """
    rest = np.eye(6) - gain
    root = rest @ _root(before) + gain @ _root(measured)
    apart = rest @ before @ rest.T + gain @ measured @ gain.T
    share = float(np.clip(np.trace(gain) / 6.0, 0.0, 1.0))
    spread = share * (1.0 - share) * np.outer(twist, twist)
    return np.asarray(alike * root @ root.T + (1.0 - alike) * apart + spread, np.float64)


def _root(covariance: FloatArray) -> FloatArray:
    values, axes = np.linalg.eigh(covariance)
    root: FloatArray = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
    return root
