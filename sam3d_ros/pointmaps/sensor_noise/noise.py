# SPDX-License-Identifier: Apache-2.0
"""A range camera measures its own errors on the smooth surfaces that it happens to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import nnls

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS, Grain, SensorModel
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.pointmaps.sensor_noise.structure import (
    Moments,
    bin_ranges_m,
    measure,
    response,
    usual,
)

SCALES_PX = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Scales of the grain that are told apart."""
WARP_PX = 72.0
"""Scale of the bending of planes, which is no grain but gets into the widest differences."""
PRIOR = 6.0
"""How many independent differences the start model is worth."""
NEAR = slice(0, 5)
"""Rungs of the ladder whose shifts are too short to see planes bend."""
ENOUGH = 50.0
"""Independent differences from which on more of them add little."""
FIRM = 0.3
"""How firmly floor and growth of the spread keep to a common factor."""
ROUNDS = 3
RIDGE = 0.1
"""How firmly shares that the differences do not tell apart keep to the start model's."""
MOST_JITTER = 0.99
"""Share of the white noise that may be jitter."""
FIRST_FRAMES, LATER = 10, 10
"""Every frame is measured at first, later one in so many."""
MEMORY = 4000.0
"""Independent differences after which older ones begin to count less."""
WINDOWS_PX = (3, 9, 25)
"""Windows whose means are compared when cameras are."""
FORMAT = 1


class RangeNoise:
    """Spread and grain of one camera, from the frames seen so far, in their order.

    Non-negative least squares finds the variance at each scale whose structure functions
    (:mod:`sam3d_ros.pointmaps.sensor_noise.structure`) are those measured; what the start model
    says counts as a few measurements more. White noise is jitter and rounding first, as far as
    the model has them, then grain of scale 0.

    :param start: what the camera is taken for as long as nothing is seen; everything but spread
        and grain stays as it is there. An ideal one stays ideal.
    """

    def __init__(self, start: SensorModel) -> None:
        self._start = start
        self._seen = 0
        self._shape: tuple[int, ...] = (0, 0)
        self._moments = Moments.none()
        self._model = start

    @property
    def model(self) -> SensorModel:
        """The sensor model as it is known now."""
        return self._model

    @property
    def tiles(self) -> float:
        """How many independent differences over tens of pixels it rests on."""
        return float(self._moments.counts[:, -3].sum())

    @property
    def range_m(self) -> float:
        """The middle of the ranges it was measured at; NaN before."""
        weights = self._moments.counts.sum(1)
        if not weights.any():
            return float('nan')
        middle = np.searchsorted(np.cumsum(weights), 0.5 * weights.sum())
        return float(bin_ranges_m()[middle])

    def update(self, depth_m: Float32Array, K: FloatArray) -> None:
        """Look at the next frame; one of another size begins anew, since grain is in pixels.

        :param depth_m: (H, W) float32 metres, NaN = no return.
        :param K: (3, 3) intrinsics, px.
        """
        if depth_m.shape != self._shape:
            self._seen, self._moments, self._model = 0, Moments.none(), self._start
            self._shape = depth_m.shape
        self._seen += 1
        is_due = self._seen <= FIRST_FRAMES or self._seen % LATER == 0
        if not is_due or self._start.kind == 'ideal':
            return
        moments = measure(depth_m, K, self._start)
        if moments is None:
            return
        self._moments = self._moments + moments
        excess = self.tiles / MEMORY
        if excess > 1:
            self._moments = self._moments.scaled(1 / excess)
        self._model = self._solved()

    def state(self) -> dict[str, Any]:
        """Return all that it knows, of plain numbers and lists, as :meth:`from_state` takes it."""
        return {
            'format': FORMAT,
            'start': _figures(self._start),
            'frames': self._seen,
            'shape': list(self._shape),
            'sums': self._moments.sums.tolist(),
            'counts': self._moments.counts.tolist(),
            'white': self._moments.white.tolist(),
            'grazing': self._moments.grazing.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], start: SensorModel) -> RangeNoise:
        """Return one that goes on from a saved state.

        :param state: what :meth:`state` returned.
        :param start: the start model it was measured with.
        :raises InputError: when the state is another format's or another start model's.
        """
        if state.get('format') != FORMAT or state.get('start') != _figures(start):
            raise InputError(
                f'noise of format {state.get("format")}, begun with {state.get("start")}',
                wanted=f'format {FORMAT}, begun with {_figures(start)}',
                remedy='Leave it out: the camera measures itself again.',
            )
        noise = cls(start)
        noise._seen, noise._shape = int(state['frames']), tuple(state['shape'])
        noise._moments = Moments(
            *(np.array(state[key], float) for key in ('sums', 'counts', 'white', 'grazing'))
        )
        if noise.tiles:
            noise._model = noise._solved()
        return noise

    def _solved(self) -> SensorModel:
        """Return the model that the moments tell: shares and spread by range, in turn."""
        factors = np.ones(len(self._moments.counts))
        for _ in range(ROUNDS):
            variances, jitter = _variances(self._moments, factors, self._start)
            shares = variances / variances.sum()
            factors = _factors(self._moments, shares, jitter, float(np.mean(factors)))
        grain = tuple((s, float(share)) for s, share in zip(SCALES_PX, shares, strict=True))
        return self._grown(factors, tuple(part for part in grain if part[1] > 0))

    def _grown(self, factors: FloatArray, grain: Grain) -> SensorModel:
        """Return the start model with floor and growth that give the factors of every range.

        The part of the spread that grazing incidence adds is not multiplied by them. Least
        squares over ranges; what they do not tell apart gets one common factor.
        """
        start, counts = self._start, self._moments.counts[:, NEAR].sum(1)
        grazing = self._moments.grazing[:, NEAR].sum(1) / np.maximum(counts, 1e-9)
        upright = np.maximum((factors - grazing) / (1 - grazing), 0.1)
        floor = start.floor_m / start.axial_sigma(bin_ranges_m())
        trust = counts / (counts + ENOUGH)
        common = float((counts @ upright + PRIOR) / (counts.sum() + PRIOR))
        rows = np.vstack([np.stack([floor, 1 - floor], 1) * trust[:, None], FIRM * np.eye(2)])
        (near, far), _ = nnls(rows, np.r_[upright * trust, FIRM * common, FIRM * common])
        return replace(
            start, floor_m=start.floor_m * near, quadratic=start.quadratic * far, grain=grain
        )


def recognised(model: SensorModel, range_m: float) -> tuple[str, float]:
    """Return the known camera that a measurement looks most like, and how unlike it is.

    :param model: as measured.
    :param range_m: where its spread was measured, metres.
    :return: a name of MODELS; root mean square of the differences of the logarithms of spread
        and of what is left of it after averaging over each of WINDOWS_PX.
    """

    def features(known: SensorModel) -> FloatArray:
        spread = float(known.axial_sigma(range_m))
        return np.log([spread, *(known.left_after(window) for window in WINDOWS_PX)])

    own = features(model)
    distances = {
        name: float(np.sqrt(np.mean(np.square(features(known) - own))))
        for name, known in MODELS.items()
        if known.kind != 'ideal'
    }
    name = min(distances, key=distances.__getitem__)
    return name, distances[name]


def _figures(start: SensorModel) -> list[str | float]:
    """Return what moments over a model depend on."""
    spread = [start.floor_m, start.quadratic, start.nearest_m, start.grazing_m]
    return [start.name, *spread, start.lateral_px, start.step]


def _variances(
    moments: Moments, factors: FloatArray, start: SensorModel
) -> tuple[FloatArray, float]:
    """Return the variances of the scales, and which share of the model's jitter there is.

    :param factors: (BINS,) spread over the model's at every range, which is divided out.
    :return: (len(SCALES_PX),) float64, and 0..1.
    """
    part = 1 / np.square(factors)[:, None]
    counts = moments.counts.sum(0)
    known = np.maximum(counts, 1e-9)
    mean, white = ((part * sums).sum(0) / known for sums in (moments.sums, moments.white))
    seen = response(SCALES_PX)
    told = usual(start) + white * seen[:, 0]
    factor = float((counts @ (mean / told) + PRIOR) / (counts.sum() + PRIOR))
    # Means of rungs may differ a hundredfold, so the start model joins in as a logarithm.
    firm = PRIOR / (counts + PRIOR)
    mean = np.maximum(mean, 1e-6 * told) ** (1 - firm) * (factor * told) ** firm
    jitter = float(white[NEAR].mean())
    prior = np.zeros(len(SCALES_PX) + 1)
    for scale, share in start.grain:
        prior[:-1] += share * _between(scale)
    prior[0] += jitter / factor
    ranges_m, weights = bin_ranges_m(), moments.counts.sum(1)
    bent = np.square(start.warp * np.square(ranges_m) / start.axial_sigma(ranges_m))
    prior[-1] = float(weights @ bent / max(weights.sum(), 1e-9)) / factor
    trust = np.sqrt(counts / (counts + ENOUGH)) / mean
    rows = np.hstack([seen, response((WARP_PX,))]) * trust[:, None]
    keep = RIDGE / factor
    x, _ = nnls(
        np.vstack([rows, keep * np.eye(len(prior))]), np.r_[mean * trust, keep * factor * prior]
    )
    variances = x[:-1]
    there = 1.0 if jitter <= 0 else min(1.0, MOST_JITTER * float(variances[0]) / jitter)
    variances[0] -= there * jitter
    return variances, there


def _between(scale_px: float) -> FloatArray:
    """Return (len(SCALES_PX),) the shares of the scales around one, linear in its logarithm."""
    steps = np.log2(np.maximum(SCALES_PX, 0.5))
    at = np.interp(np.log2(max(scale_px, 0.5)), steps, np.arange(len(steps)))
    return np.asarray(np.maximum(1 - np.abs(at - np.arange(len(steps))), 0))


def _factors(moments: Moments, shares: FloatArray, jitter: float, otherwise: float) -> FloatArray:
    """Return (BINS,) spread over the model's at every range, from shifts that do not see warp.

    Rungs weigh as in least squares: the more, the less of what they see is jitter.

    :param shares: (len(SCALES_PX),) of the variance.
    :param jitter: which share of the model's jitter there is.
    :param otherwise: factor of ranges that nothing was seen at.
    """
    seen = response(SCALES_PX)[NEAR]
    counts, own = moments.counts[:, NEAR], seen @ shares
    added = jitter * moments.white[:, NEAR] * seen[:, 0]
    trust = own / np.square(moments.sums[:, NEAR].sum(0) / np.maximum(counts.sum(0), 1e-9))
    squares = (moments.sums[:, NEAR] - added) @ trust / np.maximum(counts @ (trust * own), 1e-9)
    return np.where(counts.sum(1) > 1, np.sqrt(np.maximum(squares, 0.01)), otherwise)
