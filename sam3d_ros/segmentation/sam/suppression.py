# SPDX-License-Identifier: Apache-2.0
"""Duplicates among masks: greedy suppression by boxes or by pixels."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray


def suppress_boxes(boxes_px: FloatArray, scores: FloatArray, max_iou: float) -> IndexArray:
    """Return the indices kept by greedy non-maximum suppression, best first.

    :param boxes_px: (N, 4) left, top, right, bottom.
    """
    size = boxes_px[:, 2:] - boxes_px[:, :2]
    area = size.prod(axis=1)
    low = np.maximum(boxes_px[:, None, :2], boxes_px[None, :, :2])
    high = np.minimum(boxes_px[:, None, 2:], boxes_px[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    iou = shared / np.maximum(area[:, None] + area[None] - shared, 1e-9)
    return _greedy(iou, scores, max_iou)


def suppress_masks(masks: BoolArray, scores: FloatArray, max_iou: float) -> IndexArray:
    """Return the indices kept by greedy suppression on the IoU of (N, H, W) masks, best first."""
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    shared = flat @ flat.T
    area = np.diag(shared)
    iou = shared / np.maximum(area[:, None] + area[None] - shared, 1.0)
    return _greedy(iou, scores, max_iou)


def _greedy(iou: FloatArray, scores: FloatArray, max_iou: float) -> IndexArray:
    kept: list[int] = []
    for index in np.argsort(-scores, kind='stable'):
        if all(iou[index, other] <= max_iou for other in kept):
            kept.append(int(index))
    return np.array(kept, np.int32)
