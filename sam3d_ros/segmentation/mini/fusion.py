# SPDX-License-Identifier: Apache-2.0
"""What the network adds to the pairs of patches: do both look like parts of one thing?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.mini.network import Encoded
from sam3d_ros.segmentation.partition.affinity import Network, read_network
from sam3d_ros.segmentation.partition.partition import PairedPatches

DECIMETRE_M = 0.1
LIMIT = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class PatchMeans:
    """What the network says about each patch, row 0 unused.

    :param embedding: (patches + 1, E) mean embedding.
    :param spread: (patches + 1,) mean squared distance to it.
    :param middle: (patches + 1, 3) where the thing that it is part of has its middle, metres.
    :param thing: (patches + 1,) mean log-odds that it is part of a thing.
    """

    embedding: FloatArray
    spread: FloatArray
    middle: FloatArray
    thing: FloatArray


def patch_means(encoded: Encoded, patches: IndexArray, center: FloatArray) -> PatchMeans:
    """Average the dense output of the network over each patch.

    :param encoded: may reach further than the patches.
    :param patches: (h, w) int32 labels.
    :param center: (patches + 1, 3) mean point of each patch, metres.
    """
    rows, columns = np.nonzero(patches)
    labels = patches[rows, columns]
    dense = encoded.dense[:-2]
    cells = rows // 2 * dense.shape[2] + columns // 2
    flat = dense.reshape(len(dense), -1).T
    count = np.bincount(labels, minlength=len(center))
    ones = np.ones(len(labels), np.float32)
    sums = csr_matrix((ones, (labels, cells)), shape=(len(center), len(flat)))
    share = 1 / np.maximum(count, 1)[:, None]
    mean = (sums @ flat) * share
    squares = (sums @ np.square(flat[:, :-4]).sum(axis=1, keepdims=True)) * share
    embedding = mean[:, :-4]
    return PatchMeans(
        embedding,
        np.maximum(squares[:, 0] - np.square(embedding).sum(axis=1), 0),
        center + DECIMETRE_M * mean[:, -4:-1],
        mean[:, -1],
    )


def fused_features(found: PairedPatches, encoded: Encoded) -> Float32Array:
    """Return (P, F + 12) float32: features of geometry, then those of the network."""
    means = patch_means(encoded, found.patches, found.regions.center)
    area = found.regions.area
    blind = np.bincount(found.patches[found.covered], minlength=len(area)) / np.maximum(area, 1)
    f, b = found.pairs.front, found.pairs.back
    apart = np.square(means.embedding[f] - means.embedding[b]).sum(axis=1)
    middles = np.linalg.norm(means.middle[f] - means.middle[b], axis=1)
    centers = np.linalg.norm(found.regions.center[f] - found.regions.center[b], axis=1)
    columns = [
        1.5 - apart / 2,
        np.log(apart + 0.1),
        np.log(middles + 0.005) + 3,
        np.log((middles + 0.01) / (centers + 0.01)),
        means.thing[f] / 3,
        means.thing[b] / 3,
        np.log(means.spread[f] + 0.05) + 1,
        np.log(means.spread[b] + 0.05) + 1,
        *_across_border(found, encoded.joined),
        blind[f],
        blind[b],
    ]
    added = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
    return np.concatenate([found.pairs.features, added], axis=1)


def _across_border(found: PairedPatches, joined: Float32Array) -> tuple[FloatArray, FloatArray]:
    """How surely the network sees a border where two patches meet: (P,) mean, and its spread.

    The likeliest cut within two cells counts, since patches end where depth or colour do, and the
    network's borders may be a cell off. Pairs without a common border get 0.

    :param joined: (2, h/2, w/2) log-odds towards the right and down.
    """
    right, down = joined
    nearest = np.minimum(right, down)
    nearest[:, 1:] = np.minimum(nearest[:, 1:], right[:, :-1])
    nearest[1:] = np.minimum(nearest[1:], down[:-1])
    cut = np.clip(cv2.erode(nearest, np.ones((3, 3), np.uint8)), -6, 6)
    patches = found.patches
    keys, values = [], []
    count = int(patches.max()) + 1
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        one, two = patches[here], patches[there]
        rows, columns = np.nonzero((one != two) & (one > 0) & (two > 0))
        first, second = one[rows, columns].astype(np.int64), two[rows, columns].astype(np.int64)
        keys.append(np.minimum(first, second) * count + np.maximum(first, second))
        values.append(cut[rows // 2, columns // 2])
    key, of = np.unique(np.concatenate(keys), return_inverse=True)
    value = np.concatenate(values).astype(np.float64)
    number = np.maximum(np.bincount(of, minlength=len(key)), 1)
    mean = np.bincount(of, value, len(key)) / number
    square = np.bincount(of, value * value, len(key)) / number
    spread = np.sqrt(np.maximum(square - mean * mean, 0))
    f, b = found.pairs.front.astype(np.int64), found.pairs.back.astype(np.int64)
    wanted = np.minimum(f, b) * count + np.maximum(f, b)
    if not len(key):
        return np.zeros(len(wanted)), np.zeros(len(wanted))
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    meets = key[place] == wanted
    return np.where(meets, mean[place], 0) / 2, np.where(meets, spread[place], 0) / 2


def pair_log_odds(found: PairedPatches, encoded: Encoded) -> Float32Array:
    """Return (P,) float32 log-odds that each pair of patches is one thing."""
    return fused_network().log_odds(fused_features(found, encoded))


@lru_cache(maxsize=1)
def fused_network() -> Network:
    """Return the pair network that was trained on the fused features."""
    return read_network(files(__package__) / 'pairs.npz')
