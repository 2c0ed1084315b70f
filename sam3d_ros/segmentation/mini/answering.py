# SPDX-License-Identifier: Apache-2.0
"""From the network's masks to sets of patches, so that answers end where surfaces end."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit, logit, softmax

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
IOU_OFFSET, IOU_WEIGHTS = -3.56, (0.22, 0.23, 1.52, 0.45, -0.36)
"""Log-odds of the IoU of an answer to a click: an offset, and weights of the log-odds of the
predicted IoU, of those of the agreement with the network's mask, of the agreement with the thing
without a prompt, and of the logarithms of its cells and patches. Fitted to 1186 clicks on views
of held-back scans and, with half their weight in all, 133 on OSD's even half."""
IOU_CORRECTED = 1.0
"""What they gain with a correction: fitted to 228 on such views, checked on 284 others."""
FARTHEST = 0.98
"""Largest probability of which log-odds are taken; the smallest is as far from zero."""


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


def expected_iou(
    area: FloatArray,
    members: BoolArray,
    thing: BoolArray,
    logits: FloatArray,
    quality: Float32Array,
    is_corrected: bool = False,
) -> float:
    """Return the IoU that a set of patches probably has with what a click means.

    :param area: (patches + 1,) cells of each patch.
    :param members: (patches + 1,) bool, the answer.
    :param thing: (patches + 1,) bool, the thing that the click is on as without a prompt.
    :param logits: (patches + 1,) that a patch is what the click asks for.
    :param quality: (M,) predicted IoU of the network's masks.
    :param is_corrected: whether the click corrects an answer before.
    """
    share = np.where(area > 0, expit(logits), 0.0)
    agreed = (area * share)[members].sum() / (area * np.where(members, 1.0, share)).sum()
    same = area[members & thing].sum() / area[members | thing].sum()
    odds = logit(np.clip([quality.max(), agreed], 1 - FARTHEST, FARTHEST))
    size = np.log([area[members].sum(), np.count_nonzero(members)])
    offset = IOU_OFFSET + IOU_CORRECTED * is_corrected
    return float(expit(offset + np.dot(IOU_WEIGHTS, [*odds, same, *size])))


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
