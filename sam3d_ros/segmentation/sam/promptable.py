# SPDX-License-Identifier: Apache-2.0
"""What every SAM has in common: embed an image once, then answer batches of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from sam3d_ros.core.pretrained.image_space import ImageSpace
from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray, IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The encoded image; computed once per frame and shared by all prompts."""

    space: ImageSpace
    features: Any


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """N prompts for one image, image pixels; each has the same number of points.

    :param points_px: (N, P, 2) float64, u v; P may be 0.
    :param labels: (N, P) int32, 1 = on the object, 0 = off it.
    :param boxes_px: (N, 4) float64 left, top, right, bottom, or None.
    :param mask_logits: (h, w) float32 for a single prompt, at the image's size or as
        :class:`Answer` has them, or None.
    """

    points_px: FloatArray
    labels: IndexArray
    boxes_px: FloatArray | None = None
    mask_logits: Float32Array | None = None

    @classmethod
    def of_points(cls, points_px: FloatArray) -> PromptBatch:
        """Return N prompts of one positive point each, (N, 2)."""
        points = np.asarray(points_px, np.float64)[:, None]
        return cls(points, np.ones(points.shape[:2], np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Masks of N prompts.

    :param logits: (N, M, h, w) float32 low resolution, M = 3 alternatives or 1; > 0 = object.
    :param iou: (N, M) float32, IoU that the model predicts for each.
    """

    logits: torch.Tensor
    iou: torch.Tensor


class PromptableModel(Protocol):
    """An image model that answers points, boxes and masks."""

    name: str
    weights_hash: str

    def embed(self, rgb: ByteArray) -> Embedding:
        """Return the embedding of a (H, W, 3) uint8 RGB image."""
        ...

    def predict(self, embedding: Embedding, batch: PromptBatch, *, alternatives: bool) -> Answer:
        """Return three alternatives for each prompt, or the single best."""
        ...
