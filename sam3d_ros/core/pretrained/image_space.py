# SPDX-License-Identifier: Apache-2.0
"""Between image pixels and a model's square input: resizing, normalising, padding, and back.

Numpy, OpenCV and torch only: the image processors of transformers need torchvision and PIL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from sam3d_ros.core.types import ByteArray, FloatArray

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model family wants its input.

    :param size: side of the square input, px.
    :param mean: per RGB channel, of values in 0..1.
    :param std: likewise.
    :param keep_aspect: scale the longer side to ``size`` and pad right and below (SAM), or
        stretch both sides (SAM 2, SAM 3).
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    keep_aspect: bool


def recipe_of(config: Any) -> Recipe:
    """Return how a SAM, SAM 2, SAM 3 or EdgeTAM model wants its images, by its configuration."""
    if config.model_type == 'sam':
        return Recipe(int(config.vision_config.image_size), IMAGENET_MEAN, IMAGENET_STD, True)
    size = int(config.prompt_encoder_config.image_size)
    if config.model_type.startswith('sam3'):
        return Recipe(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)
    return Recipe(size, IMAGENET_MEAN, IMAGENET_STD, False)


@dataclass(frozen=True, slots=True)
class ImageSpace:
    """The mapping of one image size to a recipe's input."""

    recipe: Recipe
    width: int
    height: int

    @property
    def content(self) -> tuple[int, int]:
        """Height and width of the image inside the input, px."""
        size = self.recipe.size
        if not self.recipe.keep_aspect:
            return size, size
        scale = size / max(self.width, self.height)
        return int(self.height * scale + 0.5), int(self.width * scale + 0.5)

    def pixels(self, rgb: ByteArray) -> torch.Tensor:
        """Return the (1, 3, S, S) float32 input of a (H, W, 3) uint8 image."""
        rows, columns = self.content
        shrinks = rows < rgb.shape[0]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(rgb, (columns, rows), interpolation=way)
        mean = np.asarray(self.recipe.mean, np.float32)
        std = np.asarray(self.recipe.std, np.float32)
        padded = np.zeros((self.recipe.size, self.recipe.size, 3), np.float32)
        padded[:rows, :columns] = (resized.astype(np.float32) / np.float32(255) - mean) / std
        return torch.from_numpy(padded).permute(2, 0, 1)[None].contiguous()

    def to_model(self, points_px: FloatArray) -> torch.Tensor:
        """Return (..., 2) float32 model coordinates of (..., 2) image coordinates (u, v).

        Both name pixel centres; the prompt encoders add the half pixel themselves.
        """
        rows, columns = self.content
        scale = np.array([columns / self.width, rows / self.height])
        moved = (np.asarray(points_px, np.float64) + 0.5) * scale - 0.5
        return torch.from_numpy(moved.astype(np.float32))

    def to_image(self, logits: torch.Tensor) -> torch.Tensor:
        """Return (N, H, W) float32 logits at the image's size of (N, h, w) low-resolution ones."""
        size = (self.recipe.size, self.recipe.size)
        rows, columns = self.content
        full = logits.float()[None]
        if (rows, columns) != size:
            full = functional.interpolate(full, size, mode='bilinear', align_corners=False)
            full = full[..., :rows, :columns]
        shape = (self.height, self.width)
        return functional.interpolate(full, shape, mode='bilinear', align_corners=False)[0]

    def valid(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the part of (..., h, w) low-resolution logits that shows the image."""
        rows, columns = self.content
        low = logits.shape[-1] / self.recipe.size
        return logits[..., : round(rows * low), : round(columns * low)]
