# SPDX-License-Identifier: Apache-2.0
"""From the network's masks to sets of patches, so that answers end where surfaces end."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import softmax

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.mini.network import Answer
from sam3d_ros.segmentation.partition.merge import FAR_LOG_ODDS, contract
from sam3d_ros.segmentation.partition.partition import PairedPatches

LARGEST_LOGIT = 8.0
TRUST = 0.3
"""Weight of the network's word about a patch against that of the borders between patches."""
QUALITY_SHARPNESS = 6.0
"""How much more the mask of the best predicted IoU counts than the others."""
CERTAIN = 1e6


def patch_logits(answer: Answer, patches: IndexArray) -> FloatArray:
    """Return (K, M, patches + 1) mean mask logits of every patch of the grid.

    :param patches: (h, w) int32 labels; the masks may reach further, by padding.
    """
    prompts, masks, _, width = answer.masks.shape
    rows, columns = np.nonzero(patches)
    labels, cells = patches[rows, columns], rows // 2 * width + columns // 2
    logits = np.clip(answer.masks, -LARGEST_LOGIT, LARGEST_LOGIT).reshape(prompts * masks, -1)
    shape = int(patches.max()) + 1, logits.shape[1]
    total = csr_matrix((np.ones(len(labels), np.float32), (labels, cells)), shape=shape) @ logits.T
    count = np.maximum(np.bincount(labels, minlength=shape[0]), 1)
    mean: FloatArray = (total / count[:, None]).T.reshape(prompts, masks, -1)
    return mean


def likeliest(logits: FloatArray, quality: Float32Array) -> FloatArray:
    """Return (patches + 1,) logits: the mean over M masks, weighted by predicted IoU."""
    weights = softmax(QUALITY_SHARPNESS * quality.astype(np.float64))
    mean: FloatArray = weights @ logits
    return mean


def gathered(
    found: PairedPatches,
    log_odds: Float32Array,
    logits: FloatArray,
    on: list[int],
    off: set[int],
) -> BoolArray:
    """Return (patches + 1,) bool: the patches that come together with the prompt.

    The prompt is one more node of the signed graph of patches, tied to each of them as strongly
    as the network says, to those clicked on for certain; the graph is then partitioned as without
    prompts.

    :param log_odds: (P,) that the pairs of ``found`` are one thing.
    :param logits: (patches + 1,) that a patch is what the prompt asks for.
    """
    area, pairs = found.regions.area, found.pairs
    counted = pairs.bordering | (log_odds > FAR_LOG_ODDS)
    front, back = pairs.front[counted], pairs.back[counted]
    borders = log_odds[counted] * np.sqrt(np.minimum(area[front], area[back]))
    ties = TRUST * logits * np.sqrt(area)
    ties[sorted(off - set(on))] = -CERTAIN
    ties[on] = CERTAIN
    prompt = np.int32(len(area))
    patches = np.arange(1, len(area), dtype=np.int32)
    root = contract(
        len(area) + 1,
        np.concatenate([front, patches]),
        np.concatenate([back, np.full_like(patches, prompt)]),
        np.concatenate([borders, ties[1:]]),
    )
    members: BoolArray = root[:-1] == root[-1]
    members[0] = False
    return members
