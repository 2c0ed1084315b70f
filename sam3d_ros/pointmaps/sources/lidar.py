# SPDX-License-Identifier: Apache-2.0
"""A sparse cloud seen from the colour camera: planes between returns, colour where they end.

The inverse depth of a plane is linear in the image, so gaps are closed by local linear fits of 1/z
with Gaussian weights (moving least squares; Levin, Mathematics of Computation 1998). Two things
are chosen at every place: the width of the fit, wide where one plane explains all returns around
(so that neither noise nor rings print through) and narrow elsewhere; and, where returns of two
surfaces meet, which of both shows: that whose returns surround the pixel and have its colour. The
nearer one hides what the LiDAR saw past it. A pixel without enough returns around it, without a
plane that explains them, or without a verdict stays NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array, FloatArray
from sam3d_ros.pointmaps.config import LidarConfig
from sam3d_ros.pointmaps.sources.depth import Pixels, seen_pixels, splat
from sam3d_ros.pointmaps.sources.ranges import RangeMap
from sam3d_ros.pointmaps.sources.rings import Met, drop_parted

# Sigma of the narrow fit: in gaps between rings, in mean distances of returns, and at least, px.
_GAPS, _PITCHES, _LEAST_PX = 0.65, 1.2, 1.5
# Sigma of the wide fit over that of the narrow one.
_WIDER = 3.0
# Sides of the strips in which rings are counted, and of the blocks with returns, px.
_STRIP_PX, _BLOCK_PX = 8, 16
_FEWEST_RETURNS = 3.0
# Smallest determinant of the returns' places, in sigmas: on one line they fix no plane.
_SMALLEST_SPREAD = 0.05
# The returns' centre lies at most so many sigmas from the pixel: it is among them.
_LARGEST_OFFSET = 0.9
# Residuals beyond which returns do not lie on one plane, in sigmas of the sensor: narrow, wide.
_EDGE, _PLANE = 1.5, 1.15
# Both fits agree when they differ by less than this many sigmas of the narrow one.
_AGREE = 1.5
# Share of the range that no surface is known better than.
_FLOOR = 0.004
# Two surfaces: residuals from the wide fit differ by so many sigmas and this share of the range.
_APART, _APART_SHARE = 6.0, 0.02
# Variance of colours that is no evidence, and the most that colours may say, in nats.
_COLOR_VARIANCE, _MOST_COLOR = 15.0**2, 4.0
# Log odds below which it is not known which of two surfaces shows.
_VERDICT = 1.0
# Where the narrow fit is higher than this, px, things fit between rings.
_SPARSE_PX = 12.0
# There, ranges that are hardly surer than one return, in its sigma, are of whatever is between.
_THIN = 0.6
# Farther than this from any return, a colour so unlike those of the returns is something else's.
_REACH_PX, _UNLIKE = 2, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Returns:
    """Returns inside an image: place of each as a ray with z = 1, inverse depth, pixel, colour."""

    x: FloatArray
    y: FloatArray
    inverse: FloatArray
    column: Pixels
    row: Pixels
    rgb: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Planes about the cells of a grid, 1/z = a + b x + c y with x, y of a ray with z = 1.

    :param planes: (h, w, 3) float32 a, b, c.
    :param count: (h, w) returns that count.
    :param residual: (h, w) root mean square of 1/z about the plane, 1/m.
    :param inverse: (h, w) mean 1/z, 1/m.
    :param is_placed: (h, w) bool, returns lie around the cell and not on one line.
    """

    planes: Float32Array
    count: Float32Array
    residual: Float32Array
    inverse: Float32Array
    is_placed: BoolArray


class _Grid:
    """Cells of an image in which returns are summed; sums are blurred into fits."""

    def __init__(self, camera: Camera, sigma_px: tuple[float, float]) -> None:
        self.camera, self.sigma_px = camera, sigma_px
        self.cell_px = max(2, round(sigma_px[0])), max(2, round(sigma_px[1]))
        (wide, high), (w, h) = self.cell_px, (camera.width, camera.height)
        self.shape = -(-h // high), -(-w // wide)
        self.sigma = sigma_px[0] / wide, sigma_px[1] / high
        column = (np.arange(self.shape[1]) + 0.5) * wide - 0.5
        row = (np.arange(self.shape[0]) + 0.5) * high - 0.5
        self.x = ((column - camera.cx) / camera.fx).astype(np.float32)
        self.y = ((row - camera.cy) / camera.fy).astype(np.float32)[:, None]

    def cell(self, column: Pixels, row: Pixels) -> Pixels:
        """Return the flat index of the cell of each pixel."""
        return np.asarray(row // self.cell_px[1] * self.shape[1] + column // self.cell_px[0])

    def sums(self, returns: _Returns, chosen: BoolArray | slice) -> Float32Array:
        """Return (h, w, 14) moments of the chosen returns in each cell: places, 1/z, colours."""
        x, y, r = returns.x[chosen], returns.y[chosen], returns.inverse[chosen]
        rgb = returns.rgb[chosen]
        at = self.cell(returns.column[chosen], returns.row[chosen])
        moments = [np.ones_like(r), x, y, r, x * x, y * y, x * y, x * r, y * r, r * r]
        moments += [rgb[:, 0], rgb[:, 1], rgb[:, 2], np.einsum('ij,ij->i', rgb, rgb)]
        size = self.shape[0] * self.shape[1]
        stacked = np.empty((*self.shape, len(moments)), np.float32)
        for k, moment in enumerate(moments):
            stacked[..., k] = np.bincount(at, moment, size).reshape(self.shape)
        return stacked

    def blurred(self, sums: Float32Array, wider: float = 1.0) -> Float32Array:
        """Return means with Gaussian weights, not normalised where the image ends."""
        x, y = self.sigma[0] * wider, self.sigma[1] * wider
        size = 2 * round(2.5 * x) + 1, 2 * round(2.5 * y) + 1
        border = cv2.BORDER_CONSTANT
        return np.asarray(cv2.GaussianBlur(sums, size, x, sigmaY=y, borderType=border))

    def fit(self, mean: Float32Array, wider: float = 1.0) -> _Fit:
        """Return the planes of blurred moments."""
        sigma_x = wider * self.sigma_px[0] / self.camera.fx
        sigma_y = wider * self.sigma_px[1] / self.camera.fy
        weight = mean[..., 0]
        count = weight * np.float32(2 * np.pi * self.sigma[0] * self.sigma[1] * wider**2)
        x, y, r, xx, yy, xy, xr, yr, rr = (mean[..., k] / weight for k in range(1, 10))
        xx, yy, xy = xx - x * x, yy - y * y, xy - x * y
        xr, yr, rr = xr - x * r, yr - y * r, rr - r * r
        spread = xx * yy - xy * xy
        slope_x, slope_y = (yy * xr - xy * yr) / spread, (xx * yr - xy * xr) / spread
        # Three of the returns' errors went into the plane.
        free = count / np.maximum(count - 3.0, 1.0)
        residual = np.sqrt(np.maximum(rr - slope_x * xr - slope_y * yr, 0.0) * free)
        is_placed = (count >= _FEWEST_RETURNS) & (
            spread > _SMALLEST_SPREAD * (sigma_x * sigma_y) ** 2
        )
        offset = np.hypot((x - self.x) / sigma_x, (y - self.y) / sigma_y)
        is_placed &= offset < _LARGEST_OFFSET
        planes = np.stack([r - slope_x * x - slope_y * y, slope_x, slope_y], axis=-1)
        return _Fit(planes, count, residual, r, is_placed)

    def at_cells(self, fit: _Fit) -> Float32Array:
        """Return (h, w) inverse depth of the planes at the middle of each cell."""
        planes = fit.planes
        return np.asarray(planes[..., 0] + planes[..., 1] * self.x + planes[..., 2] * self.y)

    def at_pixels(self, planes: Float32Array, is_known: BoolArray) -> Float32Array:
        """Return (H, W) inverse depth of planes, linear between known cells, NaN beyond them."""
        camera, zero = self.camera, np.float32(0.0)
        size = self.shape[1] * self.cell_px[0], self.shape[0] * self.cell_px[1]
        a, b, c, known = (
            np.asarray(cv2.resize(np.where(is_known, image, zero), size), np.float32)[
                : camera.height, : camera.width
            ]
            for image in (*np.moveaxis(planes, -1, 0), np.float32(1.0))
        )
        b *= ((np.arange(camera.width) - camera.cx) / camera.fx).astype(np.float32)
        c *= ((np.arange(camera.height) - camera.cy) / camera.fy).astype(np.float32)[:, None]
        a += b
        a += c
        a /= known
        a[~((known > 0.5) & (a > 0))] = np.nan
        return a


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One of two surfaces around each cell: a trusted plane, its returns, and their colours."""

    inverse: Float32Array
    count: Float32Array
    color: Float32Array
    variance: Float32Array

    def surprise(self, rgb: Float32Array, cell: Pixels) -> Float32Array:
        """Return how unlike (P, 3) colours are those of the returns about their cells, in nats."""
        aside = rgb - np.take(self.color.reshape(-1, 3), cell, axis=0)
        surprise: Float32Array = np.einsum('ij,ij->i', aside, aside) / np.take(self.variance, cell)
        return np.float32(0.5) * surprise


def depth_from_cloud(
    points_m: Float32Array,
    rgb: ByteArray,
    camera: Camera,
    config: LidarConfig,
    sensor: SensorModel,
) -> RangeMap:
    """Return the z-depth of each pixel, how far it may be off, and what its errors look like.

    :param points_m: (..., 3) float32, metres, optical frame of ``camera``.
    :param rgb: (H, W, 3) uint8, the rectified image of ``camera``.
    :param camera: the rectified pinhole model.
    :param config: how gaps are closed.
    :param sensor: how far single returns may be off.
    """
    returns = _returns_in(points_m.reshape(-1, 3), rgb, camera)
    if config.radius_px == 0 or not len(returns.x):
        x, y, z = np.moveaxis(points_m, -1, 0)
        depth_m = splat((x, y, z), camera)
        return RangeMap(depth_m, sensor, sigma_m=sensor.axial_sigma(depth_m))
    pitch_px, sigma_px = _widths(returns, camera, config.radius_px)
    grid = _Grid(camera, sigma_px)
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        inverse, sigma = _densified(returns, rgb, grid, sensor)
        depth_m = np.reciprocal(inverse)
        sigma_m = sigma * np.square(depth_m)
    return RangeMap(depth_m, _after_fit(sensor, sigma_px, pitch_px), sigma_m=sigma_m)


def _densified(
    returns: _Returns, rgb: ByteArray, grid: _Grid, sensor: SensorModel
) -> tuple[Float32Array, Float32Array]:
    """Return (H, W) inverse depth, NaN where unknown, and its one-sigma error, both 1/m."""
    wide = grid.fit(grid.blurred(grid.sums(returns, slice(None)), _WIDER), _WIDER)
    cell = grid.cell(returns.column, returns.row)
    is_far, reach = _behind_others(returns, grid, wide, cell, sensor)
    layers: list[_Layer] = []
    spreads = []
    for chosen in (~is_far, is_far):
        mean = grid.blurred(grid.sums(returns, chosen))
        narrow = grid.fit(mean)
        planes = narrow.planes
        noise = sensor.axial_sigma(1.0 / narrow.inverse) * np.square(narrow.inverse)
        spread = noise / np.sqrt(np.maximum(narrow.count, 1.0))
        trusted = narrow.is_placed & (narrow.residual < _EDGE * noise + _FLOOR * narrow.inverse)
        if not layers:
            gap = np.abs(grid.at_cells(wide) - grid.at_cells(narrow))
            is_plane = wide.is_placed & (wide.residual < _PLANE * noise)
            is_plane &= (gap < _AGREE * np.sqrt(2.0) * spread) | ~trusted
            is_plane &= reach < _APART * noise + _APART_SHARE * narrow.inverse
            is_flat = is_plane
            planes = np.where(is_plane[..., None], wide.planes, planes)
            spread = np.where(is_plane, noise / np.sqrt(np.maximum(wide.count, 1.0)), spread)
            trusted |= is_plane
        color = mean[..., 10:13] / mean[..., :1]
        variance = (mean[..., 13] / mean[..., 0] - np.square(color).sum(axis=-1)) / 3
        layers.append(
            _Layer(
                grid.at_pixels(planes, trusted),
                narrow.count,
                np.where(np.isnan(color), np.float32(1e3), color),
                np.nan_to_num(np.maximum(variance, 0.0), nan=0.0) + np.float32(_COLOR_VARIANCE),
            )
        )
        spreads.append(spread)
    inverse = _chosen(layers[0], layers[1], rgb, grid)
    _drop_what_looks_different(inverse, layers, returns, rgb, grid)
    columns, rows = grid.cell_px
    flat = is_flat.repeat(rows, axis=0).repeat(columns, axis=1)[: rgb.shape[0], : rgb.shape[1]]
    met = Met(returns.row, returns.column, returns.inverse)
    is_sparse = grid.sigma_px[1] > _SPARSE_PX
    drop_parted(inverse, met, flat, rgb if is_sparse else None)
    size = (grid.shape[1] * grid.cell_px[0], grid.shape[0] * grid.cell_px[1])
    spread = np.fmax(spreads[0], np.nan_to_num(spreads[1]))
    sigma = np.asarray(cv2.resize(spread, size), np.float32)[: rgb.shape[0], : rgb.shape[1]]
    if is_sparse:
        noise = sensor.axial_sigma(np.reciprocal(inverse)) * np.square(inverse)
        inverse[(sigma > _THIN * noise) & ~flat] = np.nan
    return inverse, sigma


def _returns_in(points_m: Float32Array, rgb: ByteArray, camera: Camera) -> _Returns:
    """Return what lies in the image of (N, 3) points in the optical frame."""
    inside, column, row = seen_pixels((points_m[:, 0], points_m[:, 1], points_m[:, 2]), camera)
    x, y, z = points_m[inside].T
    x, y = (x / z).astype(np.float64), (y / z).astype(np.float64)
    inverse, colors = 1.0 / z.astype(np.float64), rgb[row, column].astype(np.float64)
    return _Returns(x, y, inverse, column, row, colors)


def _widths(
    returns: _Returns, camera: Camera, radius_px: int
) -> tuple[float, tuple[float, float]]:
    """Return the mean distance of returns, px, and sigmas of the narrow fit in x and y, px."""
    blocks = np.zeros((camera.height // _BLOCK_PX + 1, camera.width // _BLOCK_PX + 1), np.uint8)
    blocks[returns.row // _BLOCK_PX, returns.column // _BLOCK_PX] = 1
    covered = cv2.dilate(blocks, np.ones((3, 3), np.uint8)).sum()
    pitch_px = float(np.sqrt(covered * _BLOCK_PX**2 / len(returns.x)))
    size = (camera.width, camera.height)
    gaps = (
        _gap(returns.row, returns.column, size[::-1]),
        _gap(returns.column, returns.row, size),
    )
    x, y = (
        min(max(_GAPS * gap, _PITCHES * pitch_px, _LEAST_PX), max(0.5 * radius_px, _LEAST_PX))
        for gap in gaps
    )
    return pitch_px, (x, y)


def _gap(across: Pixels, along: Pixels, size: tuple[int, int]) -> float:
    """Return the distance of rings along an axis: that of runs of returns in strips, px."""
    is_there: npt.NDArray[np.bool_] = np.zeros((size[0] // _STRIP_PX + 1, size[1]), bool)
    is_there[across // _STRIP_PX, along] = True
    runs = (is_there[:, 1:] & ~is_there[:, :-1]).sum(axis=1) + is_there[:, 0]
    extent = size[1] - is_there.argmax(axis=1) - is_there[:, ::-1].argmax(axis=1)
    many = runs > 2
    return float(np.median(extent[many] / runs[many])) if many.any() else float(_STRIP_PX)


def _behind_others(
    returns: _Returns, grid: _Grid, wide: _Fit, cell: Pixels, sensor: SensorModel
) -> tuple[BoolArray, Float32Array]:
    """Return which returns (N,) are of the farther of two surfaces, and how far apart both are.

    What is near is told against the wide fit, so that a slope is no edge.

    :return: (N,) bool, and (h, w) the span of residuals around each cell, 1/m.
    """
    planes = np.nan_to_num(wide.planes).reshape(-1, 3)[cell]
    expected = planes[:, 0] + planes[:, 1] * returns.x + planes[:, 2] * returns.y
    residual = (returns.inverse - expected).astype(np.float32)
    lowest = np.full(grid.shape, np.inf, np.float32)
    highest = np.full(grid.shape, -np.inf, np.float32)
    np.minimum.at(lowest.reshape(-1), cell, residual)
    np.maximum.at(highest.reshape(-1), cell, residual)
    x, y = (2 * round(4 * sigma) + 1 for sigma in grid.sigma)
    window = np.ones((y, x), np.uint8)
    lowest = np.asarray(cv2.erode(lowest, window))
    highest = np.asarray(cv2.dilate(highest, window))
    span = (highest - lowest).reshape(-1)[cell]
    noise = sensor.axial_sigma(1.0 / returns.inverse) * np.square(returns.inverse)
    is_split = span > _APART * noise + _APART_SHARE * returns.inverse
    is_far: BoolArray = is_split & (residual < 0.5 * (lowest + highest).reshape(-1)[cell])
    return is_far, highest - lowest


def _chosen(near: _Layer, far: _Layer, rgb: ByteArray, grid: _Grid) -> Float32Array:
    """Return (H, W) inverse depth of what shows of two surfaces, NaN without a verdict.

    Where near returns are as dense as returns are elsewhere the near surface is, whatever the
    LiDAR saw past it; at its rim the colours decide.
    """
    result = near.inverse.copy()
    row, column = np.nonzero(~np.isnan(far.inverse))
    if not len(row):
        return result
    cell = grid.cell(column, row)
    total = near.count + far.count
    share = np.clip(near.count.reshape(-1)[cell] / np.median(total[total > 1]), 0.02, 0.98)
    colors = rgb[row, column].astype(np.float32)
    wide = 1.5 * np.log(far.variance / near.variance).reshape(-1)[cell]
    says = far.surprise(colors, cell) - near.surprise(colors, cell) + wide
    score = np.log(share / (1 - share)) + np.clip(says, -_MOST_COLOR, _MOST_COLOR)
    a, b = near.inverse[row, column], far.inverse[row, column]
    picked = np.where(score > _VERDICT, a, np.where(score < -_VERDICT, b, np.float32(np.nan)))
    picked = np.where(np.abs(a - b) < _APART_SHARE * a, 0.5 * (a + b), picked)
    result[row, column] = np.where(np.isnan(a) & (score < 0), b, picked)
    return result


def _drop_what_looks_different(
    inverse: Float32Array, layers: list[_Layer], returns: _Returns, rgb: ByteArray, grid: _Grid
) -> None:
    """Make NaN of pixels away from returns whose colour none of the returns around has."""
    met = np.zeros(inverse.shape, np.uint8)
    met[returns.row, returns.column] = 1
    aside = np.abs(np.arange(-_REACH_PX, _REACH_PX + 1))
    near = cv2.dilate(met, (aside + aside[:, None] <= _REACH_PX).astype(np.uint8))
    row, column = np.nonzero((near == 0) & ~np.isnan(inverse))
    cell, colors = grid.cell(column, row), rgb[row, column].astype(np.float32)
    unlike = np.arange(len(row))
    for layer in layers:
        unlike = unlike[layer.surprise(colors[unlike], cell[unlike]) > _UNLIKE]
    inverse[row[unlike], column[unlike]] = np.nan


def _after_fit(sensor: SensorModel, sigma_px: tuple[float, float], pitch_px: float) -> SensorModel:
    """Return what the narrow fit leaves of the errors of returns that err on their own.

    Gaussian weights of sigmas x and y leave pitch^2 / (4 pi x y) of the variance, which pixels d
    apart share by exp(-d^2 / (4 s^2)). Errors that neighbouring returns of other sensors share
    are not averaged.
    """
    if sensor.kind != 'lidar':
        return sensor
    area = sigma_px[0] * sigma_px[1]
    left = min(pitch_px**2 / (4.0 * np.pi * area), 1.0)
    return sensor.measured(float(np.sqrt(left)), ((float(np.sqrt(area)), 1.0),))
