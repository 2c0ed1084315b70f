# SPDX-License-Identifier: Apache-2.0
"""How range errors of neighbouring pixels differ: structure functions of smooth surfaces.

A plane is linear in disparity 1/z, so second differences of disparity contain nothing of it,

    D = mean(B - L) - 2 mean(B) + mean(B + L),

B a block of b x b pixels, L a shift of whole blocks along a row or a column. Of a field of unit
variance whose pixels d apart correlate by rho(d) = exp(-d^2 / (4 s^2)), both along rows and along
columns, the mean square of D is

    E[D^2] = k(0) (6 k(0) - 8 k(L) + 2 k(2 L)),   k(l) = mean over i, j < b of rho(l + i - j),

which is small for fields much wider than L and averaged away for fields much narrower than b.
Blocks and shifts that double from rung to rung therefore tell one scale of a sensor's grain after
the other, as an Allan variance does for clocks (Allan, Proc. IEEE 1966; structure functions:
Kolmogorov 1941; second differences, so that drifts fall out: Baugh 1971). Unlike residuals to a
fit they lose nothing to the fit, and every triple that fits between two objects counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.special import gammainc

from sam3d_ros.core.sensors import STEEPEST_RAD, SensorModel
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray

LADDER = ((1, 1), (1, 2), (2, 2), (4, 2), (8, 2), (16, 2), (16, 4), (16, 6))
"""Side of the block, px, and shift, blocks, of every rung."""
CELL = 8
"""Side of the blocks at which surfaces are judged, px; slopes, ranges are known for each."""
FIRST_M, BIN_RATIO, BINS = 0.15, 1.25, 24
"""Ranges are told apart in bins: where the first begins, and how much wider the next one is."""
FINE_CELLS = 256
"""Cells of a frame that the rungs below CELL are measured in."""
LEAST_CELLS = 150
"""Smooth cells without which a frame shows no surface: a square of 100 px."""
LEAST = 5.0
"""Independent differences between cells without which a frame tells nothing."""
LIMIT = 6.25
"""Squares of normal deviates beyond this many variances are not counted."""
STEP_LIMIT = 12.0
"""Cells whose squared difference is beyond this many variances lie at a step or an object."""
FINE_LIMIT = 4.0
"""Cells whose mean square is beyond this many times the mean are not counted."""
EXCESS = 1.35
"""Differences of a smooth surface are normal: mean square over that told by the median."""
SURFACE = slice(3, 6)
"""Rungs on which surfaces that are not smooth show."""
STRANGE = 36.0
"""Largest ratio of variance to the model's that is still taken for noise, either way."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean squares of second differences over the model's variance, as sums that add up.

    :param sums: (BINS, len(LADDER)) float64 weighted sums of squares.
    :param counts: (BINS, len(LADDER)) float64 independent differences that they are sums of.
    :param white: (BINS, len(LADDER)) float64 sums of the variance (over the model's) that lateral
        jitter and rounding add to every pixel by itself, as the model has it.
    :param grazing: (BINS, len(LADDER)) float64 sums of the share of the model's spread that is
        owed to the angle of incidence.
    """

    sums: FloatArray
    counts: FloatArray
    white: FloatArray
    grazing: FloatArray

    @classmethod
    def none(cls) -> Moments:
        """Return moments of nothing seen."""
        return cls(*(np.zeros((BINS, len(LADDER))) for _ in range(4)))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.sums + other.sums,
            self.counts + other.counts,
            self.white + other.white,
            self.grazing + other.grazing,
        )

    def scaled(self, factor: float) -> Moments:
        """Return the same means with ``factor`` times the weight."""
        return Moments(
            factor * self.sums,
            factor * self.counts,
            factor * self.white,
            factor * self.grazing,
        )


@lru_cache(maxsize=1024)
def expected(block_px: int, shift: int, scale_px: float) -> float:
    """Return E[D^2] of a blurred field of unit variance, see the head of this file.

    :param block_px: side of the blocks.
    :param shift: their distance, blocks.
    :param scale_px: standard deviation of the blur; 0 = white.
    """
    inside = np.subtract.outer(np.arange(block_px), np.arange(block_px))

    def shared(lag: int) -> float:
        if scale_px <= 0:
            return float(np.mean(lag + inside == 0))
        return float(np.exp(-np.square(lag + inside) / (4 * scale_px**2)).mean())

    lag, own = shift * block_px, shared(0)
    return own * (6 * own - 8 * shared(lag) + 2 * shared(2 * lag))


@lru_cache(maxsize=8)
def response(scales_px: tuple[float, ...]) -> FloatArray:
    """Return (len(LADDER), len(scales_px)) what each rung sees of a field of each scale."""
    return np.array([[expected(*rung, scale) for scale in scales_px] for rung in LADDER])


def bin_ranges_m() -> Float32Array:
    """Return (BINS,) the middle of every bin of ranges, metres."""
    return np.asarray(FIRST_M * BIN_RATIO ** (np.arange(BINS) + 0.5), np.float32)


def usual(model: SensorModel) -> FloatArray:
    """Return (len(LADDER),) what each rung sees of a model's grain, over its variance."""
    return response(tuple(scale for scale, _ in model.grain)) @ [part for _, part in model.grain]


def measure(depth_m: Float32Array, K: FloatArray, model: SensorModel) -> Moments | None:
    """Return the moments of a depth image, or None when it shows no large smooth surface.

    :param depth_m: (H, W) float32 metres, NaN = no return.
    :param K: (3, 3) intrinsics, px.
    :param model: whose variance is the unit; its lateral jitter and steps are kept apart.
    """
    rows, columns = (size // (2 * CELL) for size in depth_m.shape)
    if min(rows, columns) < 6:
        return None
    pyramid = {1: np.reciprocal(depth_m[: 2 * CELL * rows, : 2 * CELL * columns])}
    for block in (2, 4, CELL):
        pyramid[block] = halved(pyramid[block // 2])
    cells = pyramid[CELL]
    sigma, about = _units(cells, K, model)
    difference = np.square(_differences(cells, 2) / sigma)
    variance, excess = _spread(difference[np.isfinite(difference)])
    smooth = _smooth(difference, STEP_LIMIT * variance)
    if excess > EXCESS or smooth.sum() < LEAST_CELLS:
        return None
    fine, totals = _few(smooth), np.zeros((4, BINS, len(LADDER)))
    for rung, (block, shift) in enumerate(LADDER):
        if block < CELL:
            inside = _fine(pyramid[block], fine, CELL // block, shift)
            inside /= np.square(sigma[fine])
            totals[:, :, rung] = _sums(inside, about[:, *fine], FINE_LIMIT, 1.0)
            continue
        masked, step = np.where(smooth, cells, np.float32(np.nan)), block // CELL
        if step == 2:
            masked = halved(masked)
        own = (slice(step // 2, None, step), slice(step // 2, None, step))
        for squares in np.square(_differences(masked, shift) / sigma[own]):
            sums = _sums(squares, about[:, *own], LIMIT, _truncated(LIMIT))
            totals[:, :, rung] += sums / shift**2
    moments = Moments(*totals)
    return moments if _is_noise(moments, model) else None


def halved(values: Float32Array) -> Float32Array:
    """Return (H // 2, W // 2) means of 2 x 2 values of a surface with holes (NaN).

    Where a value is missing the mean of the other diagonal stands for the block: it has the same
    centre, so planes stay planes.
    """
    rows, columns = (size // 2 * 2 for size in values.shape)
    values = values[:rows, :columns]
    falling = values[::2, ::2] + values[1::2, 1::2]
    rising = values[::2, 1::2] + values[1::2, ::2]
    mean: Float32Array = np.float32(0.25) * (falling + rising)
    hole = np.isnan(mean)
    mean[hole] = np.float32(0.5) * np.fmax(falling[hole], rising[hole])
    return mean


def _differences(values: Float32Array, shift: int) -> Float32Array:
    """Return (2, H, W) second differences along rows and columns, NaN where one is missing."""
    result = np.full((2, *values.shape), np.nan, np.float32)
    ahead, behind, inner = slice(2 * shift, None), slice(None, -2 * shift), slice(shift, -shift)
    if min(values.shape) > 2 * shift:
        result[0, :, inner] = values[:, behind] - 2 * values[:, inner] + values[:, ahead]
        result[1, inner] = values[behind] - 2 * values[inner] + values[ahead]
    return result


def _units(
    cells: Float32Array, K: FloatArray, model: SensorModel
) -> tuple[Float32Array, Float32Array]:
    """Return for every cell the model's spread of disparity, and (3, ...) what :func:`_sums` asks.

    Of a plane n x = 1 the disparity at pixel (u, v) is n K^-1 (u, v, 1): its slope gives n, the
    angle of incidence, and what a return counted for a neighbouring pixel is off. Counting for
    whole pixels adds the variance 1/12 of rounding.
    """
    slope = np.full((2, *cells.shape), np.nan, np.float32)
    slope[0, :, 1:-1] = (cells[:, 2:] - cells[:, :-2]) / np.float32(2 * CELL)
    slope[1, 1:-1] = (cells[2:] - cells[:-2]) / np.float32(2 * CELL)
    f, centre = np.diagonal(K)[:2].astype(np.float32), K[:2, 2].astype(np.float32)
    x, y = (
        (CELL * np.arange(size, dtype=np.float32) + np.float32(0.5 * (CELL - 1)) - middle)
        for size, middle in zip(cells.shape[::-1], centre, strict=True)
    )
    normal = (slope[0] * f[0], slope[1] * f[1], cells - slope[0] * x - slope[1] * y[:, None])
    sight = np.square(x / f[0]) + np.square(y / f[1])[:, None] + 1
    length = np.sqrt((np.square(normal[0]) + np.square(normal[1]) + np.square(normal[2])) * sight)
    angle = np.minimum(np.arccos(np.clip(cells / length, 0, 1)), np.float32(STEEPEST_RAD))
    depth_m: Float32Array = np.reciprocal(cells)
    slanted = model.slanted_sigma(depth_m, angle)
    sigma, grazing = slanted * np.square(cells), 1 - model.axial_sigma(depth_m) / slanted
    white = np.full_like(cells, model.step**2 / 12)
    if model.lateral_px > 0:
        jitter = np.square(model.lateral_px + 0.035 * angle / (np.pi / 2 - angle)) + 1 / 12
        white += jitter * np.square(slope).sum(0)
    bins = np.log(np.maximum(1 / (cells * np.float32(FIRST_M)), 1)) / np.log(BIN_RATIO)
    return sigma, np.stack([white / np.square(sigma), grazing, np.minimum(bins, BINS - 1)])


def _spread(squares: Float32Array) -> tuple[float, float]:
    """Return the variance of normal deviates with outliers, and by how much tails raise it.

    The mean of the squares within LIMIT variances, over what such a mean is of normal deviates;
    begun with the variance told by the lower quartile, so that most of them may be outliers.
    """
    if len(squares) < LEAST_CELLS:
        return 0.0, np.inf
    variance, part = float(np.quantile(squares, 0.25)) / 0.1015, _truncated(LIMIT)
    if variance <= 0:
        return 0.0, np.inf
    for _ in range(12):
        variance = float(squares[squares < LIMIT * variance].mean()) / part
    inside = squares[squares < LIMIT * variance]
    return variance, variance * _truncated_median() / float(np.median(inside))


@lru_cache(maxsize=1)
def _truncated_median() -> float:
    """Return the median of squared normal deviates below LIMIT."""
    grid = np.linspace(0, LIMIT, 4096)
    return float(np.interp(0.5, gammainc(0.5, grid / 2) / gammainc(0.5, LIMIT / 2), grid))


@lru_cache(maxsize=4)
def _truncated(limit: float) -> float:
    """Return the mean square of normal deviates whose square is below ``limit``."""
    return float(gammainc(1.5, limit / 2) / gammainc(0.5, limit / 2))


def _is_noise(moments: Moments, model: SensorModel) -> bool:
    """Return whether what was measured may still be a sensor's, not a surface's."""
    sums, counts, white = (
        part[:, SURFACE].sum(0) for part in (moments.sums, moments.counts, moments.white)
    )
    own, single = usual(model)[SURFACE], response((0.0,))[SURFACE, 0]
    ratio = sums / np.maximum(counts * own + white * single, 1e-9)
    strange = (ratio > STRANGE) | (ratio < 1 / STRANGE)
    return bool(counts[1] > LEAST and not (strange & (counts > 0.2)).any())


def _smooth(difference: Float32Array, limit: float) -> BoolArray:
    """Return the cells that no step or object is near: (H, W) bool."""
    largest = np.fmax(difference[0], difference[1])
    with np.errstate(invalid='ignore'):
        rough = cv2.dilate((largest > limit).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray((rough == 0) & np.isfinite(largest))


def _few(smooth: BoolArray) -> tuple[IndexArray, IndexArray]:
    """Return rows and columns of up to FINE_CELLS smooth cells, away from the border."""
    rows, columns = np.nonzero(smooth[1:-1, 1:-1])
    few = np.linspace(0, len(rows) - 1, min(len(rows), FINE_CELLS)).astype(np.int32)
    return rows[few].astype(np.int32) + 1, columns[few].astype(np.int32) + 1


def _fine(
    values: Float32Array,
    cells: tuple[IndexArray, IndexArray],
    side: int,
    shift: int,
) -> Float32Array:
    """Return the mean squared difference inside each cell, NaN where half of them are missing."""
    reach = np.arange(-shift, side + shift)
    rows, columns = (side * index[:, None] + reach for index in cells)
    patch = values[rows[:, :, None], columns[:, None, :]]
    low, middle, high = slice(None, side), slice(shift, -shift), slice(2 * shift, None)
    along = patch[:, middle, low] - 2 * patch[:, middle, middle] + patch[:, middle, high]
    across = patch[:, low, middle] - 2 * patch[:, middle, middle] + patch[:, high, middle]
    squares = np.square(np.stack([along, across], 1)).reshape(len(rows), -1)
    count = np.isfinite(squares).sum(1)
    total = np.where(2 * count > squares.shape[1], np.nansum(squares, 1), np.nan)
    return np.asarray(total / np.maximum(count, 1), np.float32)


def _sums(squares: Float32Array, about: Float32Array, limit: float, part: float) -> FloatArray:
    """Return (4, BINS) the sums of one rung that Moments are made of, without outliers.

    A difference weighs the less, the more of it is jitter or owed to the angle of incidence.

    :param squares: (...) of the differences, NaN = none.
    :param about: (3, ...) white variance, grazing share and bin of each.
    :param limit: squares beyond this many times the mean are outliers.
    :param part: mean square of what is within the limit, over the mean square of all.
    """
    known = np.isfinite(squares) & np.isfinite(about).all(0)
    squares, (white, grazing, bins) = squares[known], about[:, known]
    if not squares.size:
        return np.zeros((4, BINS))
    variance = float(np.median(squares)) / (0.4549 if part < 1 else 1.0)
    for _ in range(6):
        variance = float(squares[squares <= limit * variance].mean()) / part
    kept = squares <= limit * variance
    white, grazing, bins = white[kept], grazing[kept], bins[kept].astype(np.int32)
    trust = np.square((1 - grazing) / (1 + white))
    terms = (squares[kept] / part, np.ones_like(trust), white, grazing)
    return np.stack([np.bincount(bins, trust * term, BINS) for term in terms])
