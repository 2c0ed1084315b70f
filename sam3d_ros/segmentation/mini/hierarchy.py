# SPDX-License-Identifier: Apache-2.0
"""Groupings of patches from fine to coarse, and of all their pieces those that are whole things.

No threshold on pairs fits every scene: where it parts two cans it cuts a toy in half. So patches
are grouped at several thresholds, each grouping a merge of the finer one, every piece is judged as
a whole, and the best selection of pieces that do not overlap is found by dynamic programming up
the tree (the optimal cut of Guigues, Cocquerez, Le Men, "Scale-Sets Image Analysis", IJCV 2006).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.segmentation.partition.merge import Grouping

BIASES = (-3.5, -1.5, 0.5, 2.0)
"""What is added to the log-odds of pairs, for the finest grouping first."""
LISTED = 0.3
"""Probability of being one whole thing from which a piece is worth listing."""


def best_pieces(
    levels: Sequence[Grouping], kept: Sequence[BoolArray], log_odds: Sequence[Float32Array]
) -> tuple[Grouping, BoolArray]:
    """Return the grouping into the pieces that promise most right objects, and which those are.

    Of a piece, and of those that it is made of, the side with the larger sum of (probability -
    :data:`LISTED`) stays. The certainty of the result is that probability.

    :param levels: nested groupings of the same patches, the finest first.
    :param kept: for each level, (things + 1,) which may be listed.
    :param log_odds: for each level, (things + 1,) of being one whole thing.
    """
    worth: FloatArray = np.zeros(len(kept[0]))
    taken, parents = [], []
    certainty = [expit(odds.astype(np.float64)) for odds in log_odds]
    for k, level in enumerate(levels):
        parent = np.zeros(len(worth), np.int32)
        if k:
            parent[levels[k - 1].thing_of] = level.thing_of
            worth = np.bincount(parent, worth, len(kept[k])).astype(np.float64)
        own = np.where(kept[k], certainty[k] - LISTED, 0.0)
        taken.append(own > worth)
        parents.append(parent)
        worth = np.maximum(own, worth)
    piece_of, sure = levels[0].thing_of, certainty[0]
    first = len(sure)
    is_open = np.ones(len(worth), bool)
    for k in range(len(levels) - 1, -1, -1):
        chosen = np.flatnonzero(is_open & taken[k])
        number = np.zeros(len(is_open), np.int32)
        number[chosen] = len(sure) + np.arange(len(chosen), dtype=np.int32)
        of = number[levels[k].thing_of]
        piece_of = np.where(of > 0, of, piece_of)
        sure = np.append(sure, certainty[k][chosen])
        is_open = (is_open & ~taken[k])[parents[k]]
    used, numbered = np.unique(piece_of, return_inverse=True)
    return Grouping(numbered.astype(np.int32), sure[used]), used >= first
