# SPDX-License-Identifier: Apache-2.0
"""What the network adds to the pairs of patches: do both look like parts of one thing?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy.sparse import csr_matrix

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.affinity import Network, read_network
from sam3d_ros.segmentation.mini.network import Encoded
from sam3d_ros.segmentation.partition import PairedPatches

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
    """Return (P, F + 8) float32: features of geometry, then those of the network."""
    means = patch_means(encoded, found.patches, found.regions.center)
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
    ]
    added = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
    return np.concatenate([found.pairs.features, added], axis=1)


@lru_cache(maxsize=1)
def fused_network() -> Network:
    """Return the pair network that was trained on the fused features."""
    return read_network(files(__package__) / 'pairs.npz')
