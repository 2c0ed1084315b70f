# SPDX-License-Identifier: Apache-2.0
"""Is a set of patches one whole thing, neither a piece of one nor several, nor nothing at all?

A small network (evaluated in numpy) weighs what each thing looks like against how surely its
patches belong together and apart from its neighbours. Its answer is the score of an instance.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.affinity import Network, read_network
from sam3d_ros.segmentation.mini.sight import Sight
from sam3d_ros.segmentation.partition import PairedPatches, Partition

LIMIT = 4.0


def whole_features(
    sight: Sight, found: PairedPatches, log_odds: Float32Array, things: Partition
) -> Float32Array:
    """Return (n + 1, F) float32 features of things 0..n, each about -1..1; row 0 means nothing.

    :param log_odds: (P,) that each pair of patches is one thing.
    """
    labels = things.thing_of[found.patches]
    count = len(things.certainty)
    front, back = things.thing_of[found.pairs.front], things.thing_of[found.pairs.back]
    meets = found.pairs.bordering
    inside, across = meets & (front == back), meets & (front != back)
    weakest = np.full(count, LIMIT)
    np.minimum.at(weakest, front[inside], log_odds[inside])
    likeliest = np.full(count, -2 * LIMIT)
    for side in (front, back):
        np.maximum.at(likeliest, side[across], log_odds[across])
    area = np.maximum(np.bincount(labels.ravel(), minlength=count), 1).astype(np.float64)
    share, neighbour = _touching(labels, count)
    patches = np.bincount(things.thing_of, minlength=count)
    columns = [
        2 * things.certainty - 1,
        weakest / LIMIT,
        likeliest / LIMIT + 1,
        3 * share,
        np.where(share > 0, np.log(area[neighbour] / area) / 3, 0),
        np.log1p(patches) / 2,
    ]
    own = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
    return np.concatenate([sight.features(labels), own], axis=1)


def _touching(labels: IndexArray, count: int) -> tuple[FloatArray, IndexArray]:
    """Largest share of each label's outline that one other thing takes, and that thing."""
    border = np.zeros((count, count), np.int64)
    for one, two in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        at = one != two
        border += np.bincount(
            one[at] * np.int64(count) + two[at], minlength=count * count
        ).reshape(count, count)
    border += border.T
    outline = np.maximum(border.sum(axis=1), 1)
    border[:, 0] = 0
    neighbour = border.argmax(axis=1).astype(np.int32)
    return border[np.arange(count), neighbour] / outline, neighbour


@lru_cache(maxsize=1)
def whole_network() -> Network:
    """Return the network that comes with this package: log-odds of being one whole thing."""
    return read_network(files(__package__) / 'wholes.npz')
