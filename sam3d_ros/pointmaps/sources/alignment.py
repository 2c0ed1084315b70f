# SPDX-License-Identifier: Apache-2.0
"""Scale and shift that make inferred range agree with what was measured, despite outliers.

A network's range is right up to a scale and a shift: of depth, or of disparity (1 / depth) where
that is what it infers. RANSAC over pairs of references, with the threshold of Depth Anything 3
(Lin et al., arXiv:2511.10647, section 3: the mean absolute deviation of the residuals from their
median), finds who agrees; weighted least squares over these gives both numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import BoolArray, FloatArray

FEWEST = 12
"""References that must agree."""
LEAST_SHARE = 0.2
"""Share of all references that must agree."""
LARGEST_SCALE_SIGMA = 0.05
"""Relative one-sigma error of the scale beyond which an alignment is refused."""
_TRIALS = 300
_ROUNDS = 12
# Share of the references that a hypothesis explains, and how much farther off the others are.
_THIRD, _OUTSIDE = 0.3, 5.0
# Deviates beyond so many sigmas are outliers; and the median of absolute normal deviates.
_OUTLIER, _MEDIAN = 3.0, 0.6745


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """``reference = scale * inferred + shift``, and how well that holds.

    :param residual: one-sigma difference of the references that agree, in their unit.
    :param covariance: (2, 2) of scale and shift.
    :param agrees: (N,) bool, the references that do.
    """

    scale: float
    shift: float
    residual: float
    covariance: FloatArray
    agrees: BoolArray

    def __call__(self, inferred: FloatArray) -> FloatArray:
        """Return (...) aligned values of inferred ones."""
        aligned: FloatArray = self.scale * inferred + self.shift
        return aligned

    def sigma(self, inferred: FloatArray) -> FloatArray:
        """Return the (...) one-sigma error of aligned values: of the fit, and what it leaves.

        :param inferred: (...) the values that are aligned.
        """
        fit = self.covariance
        variance = inferred**2 * fit[0, 0] + 2 * inferred * fit[0, 1] + fit[1, 1]
        return np.asarray(np.sqrt(self.residual**2 + np.maximum(variance, 0.0)))


def align(
    inferred: FloatArray, reference: FloatArray, sigma: FloatArray, seed: int = 0
) -> Alignment:
    """Return the scale (> 0) and shift between inferred and measured values.

    :param inferred: (N,) depth or disparity that was inferred, any unit.
    :param reference: (N,) the same that was measured there, metres or 1/m.
    :param sigma: (N,) one-sigma error of the references, in their unit.
    :param seed: of the trials.
    :raises InputError: when the references do not determine both, saying what is missing.
    """
    good = np.isfinite(inferred) & np.isfinite(reference) & (sigma > 0)
    x, y, s = (values[good].astype(np.float64) for values in (inferred, reference, sigma))
    if len(x) < FEWEST:
        raise InputError(
            f'{len(x)} measured ranges to align inferred ones with', wanted=f'at least {FEWEST}'
        )
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, len(x), (2, _TRIALS))
    with np.errstate(divide='ignore', invalid='ignore'):
        scales = (y[second] - y[first]) / (x[second] - x[first])
    usable = np.isfinite(scales) & (scales > 0)
    if not usable.any():
        raise _undetermined(x, 'no two of them say so')
    scales = scales[usable]
    shifts = y[first[usable]] - scales * x[first[usable]]
    few = rng.permutation(len(x))[:2000]
    residuals = np.abs(y[few] - scales[:, None] * x[few] - shifts[:, None])
    # One threshold for all hypotheses: that of the one that explains a third of the references
    # best, and no more than what tells these from the rest where most are outliers.
    thirds = np.quantile(residuals, _THIRD, axis=1)
    best = int(np.argmin(thirds))
    threshold = _deviation(y[few] - scales[best] * x[few] - shifts[best])
    threshold = max(min(threshold, _OUTSIDE * float(thirds[best])), 1e-12)
    best = int(np.argmax(np.maximum(1 - residuals / threshold, 0).sum(axis=1)))
    scale, shift = float(scales[best]), float(shifts[best])
    agrees = np.abs(y - scale * x - shift) < threshold
    noise = np.hypot(s, threshold / _OUTLIER)
    for _ in range(_ROUNDS):
        if agrees.sum() < 2:
            break
        scale, shift = _weighted(x[agrees], y[agrees], noise[agrees])
        residual = np.abs(y - scale * x - shift)
        # What references that agree are off by beyond their own errors, the network is; where most
        # are right this shrinks, and with it the outliers among them.
        beyond = np.median(residual[agrees]) ** 2 / _MEDIAN**2 - np.median(s[agrees]) ** 2
        noise = np.hypot(s, np.sqrt(max(beyond, 0.0)))
        closer = residual < _OUTLIER * noise
        if np.array_equal(closer, agrees):
            break
        agrees = closer
    if agrees.sum() < max(FEWEST, LEAST_SHARE * len(x)):
        raise InputError(
            f'{int(agrees.sum())} of {len(x)} measured ranges agree on a scale of inferred ones',
            wanted=f'at least {FEWEST} and {LEAST_SHARE:.0%}',
            remedy='The network sees something else than the sensor: check calibration and TF.',
        )
    scale, shift = _weighted(x[agrees], y[agrees], noise[agrees])
    spread = float(np.std(y[agrees] - scale * x[agrees] - shift))
    design = np.stack([x[agrees], np.ones(int(agrees.sum()))], axis=1)
    information = design.T @ (design / noise[agrees, None] ** 2)
    if np.linalg.cond(information / np.outer(*[np.sqrt(np.diag(information))] * 2)) > 1e10:
        raise _undetermined(x[agrees], 'all are of one range')
    covariance = np.linalg.inv(information)
    if scale <= 0 or np.sqrt(covariance[0, 0]) > LARGEST_SCALE_SIGMA * scale:
        raise _undetermined(x[agrees], f'the scale {scale:.3g} is not known to 5 %')
    marked = np.zeros(len(inferred), bool)
    marked[np.flatnonzero(good)[agrees]] = True
    return Alignment(scale, shift, spread, covariance, marked)


def _deviation(residual: FloatArray) -> float:
    """Return the mean absolute deviation of residuals from their median."""
    return float(np.mean(np.abs(residual - np.median(residual))))


def _weighted(x: FloatArray, y: FloatArray, sigma: FloatArray) -> tuple[float, float]:
    """Return scale and shift of weighted least squares."""
    weight = 1.0 / sigma**2
    weight = weight / weight.sum()
    mean_x, mean_y = weight @ x, weight @ y
    scale = (weight @ ((x - mean_x) * (y - mean_y))) / max(weight @ (x - mean_x) ** 2, 1e-300)
    return float(scale), float(mean_y - scale * mean_x)


def _undetermined(x: FloatArray, why: str) -> InputError:
    return InputError(
        f'{len(x)} measured ranges where the network says {x.min():.3g} to {x.max():.3g}: {why}',
        wanted='measured ranges of near and of far things, for scale and shift',
    )
