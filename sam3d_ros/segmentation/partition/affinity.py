# SPDX-License-Identifier: Apache-2.0
"""How likely two patches are parts of one thing: features of the pair, and a small network.

The network (the mean of three small perceptrons, evaluated in numpy) was trained on made-up
worlds by ``python -m sam3d_ros.training.borders``; ``models/borders.md`` has the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.partition.adjacency import Adjacency
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes
from sam3d_ros.segmentation.partition.regions import Regions

FAR_AREA = 40.0  # cells: only patches this large are looked at across a gap
FAR_COUNT = 150  # the largest ones, so that a frame of noise stays cheap
BETWEEN_SAMPLES = 12
REACH_M = 0.45  # patches with middles farther apart are not one thing, unless they have a border


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of patches and what is known about them.

    :param front: (P,) int32 patch that is nearer to the camera along their border.
    :param back: (P,) int32 the other one.
    :param bordering: (P,) bool, False = there is something or nothing between them.
    :param features: (P, F) float32, about zero mean and unit variance.
    """

    front: IndexArray
    back: IndexArray
    bordering: np.ndarray
    features: Float32Array


def find_pairs(
    grid: Grid, local: LocalPlanes, patches: IndexArray, adjacency: Adjacency, regions: Regions
) -> Pairs:
    """Return all bordering pairs, then all other pairs of large patches that are not far apart."""
    first, second = _pair_list(adjacency, regions)
    extra = len(first) - len(adjacency.first)
    columns = [
        np.concatenate([values, np.zeros(extra)])
        for values in (
            adjacency.border,
            adjacency.contact,
            adjacency.convexity,
            adjacency.contrast,
            adjacency.step_m,
        )
    ]
    depth_step = regions.center[second, 2] - regions.center[first, 2]
    step = np.where(columns[0] > 0, columns[4], depth_step)
    front, back = np.where(step >= 0, first, second), np.where(step >= 0, second, first)
    columns[4] = np.abs(columns[4])
    between = _between(grid, local, patches, regions, front, back)
    features = _features(columns, between, regions, front, back)
    return Pairs(front, back, columns[0] > 0, features)


def _pair_list(adjacency: Adjacency, regions: Regions) -> tuple[IndexArray, IndexArray]:
    large = np.flatnonzero(regions.area >= FAR_AREA)
    large = np.sort(large[np.argsort(-regions.area[large], kind='stable')[:FAR_COUNT]])
    one, two = (large[k] for k in np.triu_indices(len(large), 1))
    distance = np.linalg.norm(regions.center[one] - regions.center[two], axis=1)
    known = adjacency.first.astype(np.int64) * (adjacency.count + 1) + adjacency.second
    far = (distance < REACH_M) & ~np.isin(one * (adjacency.count + 1) + two, known)
    return (
        np.concatenate([adjacency.first, one[far].astype(np.int32)]),
        np.concatenate([adjacency.second, two[far].astype(np.int32)]),
    )


def _between(
    grid: Grid,
    local: LocalPlanes,
    patches: IndexArray,
    regions: Regions,
    front: IndexArray,
    back: IndexArray,
) -> FloatArray:
    """Shares of the straight way from middle to middle: (P, 4).

    In front of that way (something hides it), behind it (seen through), no depth, and on either
    of the two patches.
    """
    t = (np.arange(BETWEEN_SAMPLES) + 0.5) / BETWEEN_SAMPLES
    way = (
        regions.pixel[front][:, None] * (1 - t[:, None])
        + regions.pixel[back][:, None] * t[:, None]
    )
    column, row = np.rint(way[..., 0]).astype(np.intp), np.rint(way[..., 1]).astype(np.intp)
    ends = 1 / np.maximum(regions.center[:, 2], 1e-3)
    expected = ends[front][:, None] * (1 - t) + ends[back][:, None] * t
    seen = grid.disparity[row, column]
    label = patches[row, column]
    own = (label == front[:, None]) | (label == back[:, None])
    slack = 6 * local.sigma + 0.02 * expected
    other = (seen > 0) & ~own
    return np.stack(
        [
            (other & (seen > expected + slack)).mean(axis=1),
            (other & (seen < expected - slack)).mean(axis=1),
            (seen == 0).mean(axis=1),
            own.mean(axis=1),
        ],
        axis=1,
    )


def _features(
    columns: list[FloatArray],
    between: FloatArray,
    regions: Regions,
    front: IndexArray,
    back: IndexArray,
) -> Float32Array:
    border, contact, convexity, contrast, step_m = columns
    f, b = front, back
    smaller = np.sqrt(np.minimum(regions.area[f], regions.area[b]))
    way = regions.center[b] - regions.center[f]
    distance = np.linalg.norm(way, axis=1)
    direction = way / np.maximum(distance, 1e-6)[:, None]
    off_front = _off_plane(regions, f, regions.center[b])
    off_back = _off_plane(regions, b, regions.center[f])
    color = np.abs(regions.lab[f] - regions.lab[b])
    per_patch = [
        value
        for k in (f, b)
        for value in (
            np.log1p(regions.area[k]) / 4 - 1,
            np.log1p(regions.roughness[k]) - 1,
            regions.spread[k] * 8,
            regions.bulge[k] * 4,
            np.clip(regions.low_m[k], 0, 0.5) * 10,
            np.clip(regions.high_m[k], 0, 0.5) * 10 - 1,
            regions.lab_spread[k] / 15 - 1,
        )
    ]
    rows = [
        border > 0,
        np.log1p(border) / 2,
        np.log1p(contact) / 2,
        contact / np.maximum(border, 1),
        convexity * 2,
        border / smaller,
        contrast / 25,
        np.clip(step_m, 0, 0.3) * 10,
        np.einsum('ij,ij->i', regions.normal[f], regions.normal[b]),
        np.clip(off_front, -0.1, 0.1) * 20,
        np.clip(off_back, -0.1, 0.1) * 20,
        np.log(np.maximum(np.abs(off_front), np.abs(off_back)) + 1e-3) / 2 + 2,
        np.einsum('ij,ij->i', regions.normal[f], direction),
        np.einsum('ij,ij->i', regions.normal[b], direction),
        distance * 8 - 1,
        *between.T,
        color[:, 0] / 25,
        np.hypot(color[:, 1], color[:, 2]) / 25,
        (regions.high_m[f] - regions.high_m[b]) * 10,
        (regions.low_m[f] - regions.low_m[b]) * 10,
        (regions.low_m[f] - regions.high_m[b]) * 10,
        (regions.low_m[b] - regions.high_m[f]) * 10,
        *per_patch,
    ]
    return np.clip(np.stack(rows, axis=1), -4, 4).astype(np.float32)


def _off_plane(regions: Regions, patch: IndexArray, points: FloatArray) -> FloatArray:
    """Signed distance of points from the planes of patches, metres, > 0 on the camera's side."""
    dual = regions.dual[patch]
    length = np.maximum(np.linalg.norm(dual, axis=1), 1e-9)
    distance: FloatArray = (1 - np.einsum('ij,ij->i', dual, points)) / length
    return distance


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A multilayer perceptron with rectified linear units; the last layer gives log-odds."""

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def log_odds(self, features: Float32Array) -> Float32Array:
        """Return (P,) float32 log-odds that a pair is one thing, of (P, F) features."""
        values = features
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ weight + bias, np.float32(0))
        odds: Float32Array = (values @ self.weights[-1] + self.biases[-1])[:, 0]
        return odds


@lru_cache(maxsize=1)
def trained_network() -> Network:
    """Return the network that comes with this package."""
    return read_network(files(__package__) / 'borders.npz')


def read_network(file: Traversable) -> Network:
    """Return the network stored in a file of ``weight_0``, ``bias_0`` and so on."""
    with file.open('rb') as stream:
        stored = np.load(stream)
        layers = len(stored.files) // 2
        weights = tuple(stored[f'weight_{k}'] for k in range(layers))
        biases = tuple(stored[f'bias_{k}'] for k in range(layers))
    return Network(weights, biases)
