# SPDX-License-Identifier: Apache-2.0
"""Masks of everything in an image: a grid of point prompts, filtered and cleaned.

The procedure of the SAM paper (Kirillov et al. 2023, appendix B): predicted IoU, stability under a
shifted threshold, suppression of duplicates by their boxes, crops for small things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from sam3d_ros.core.types import BoolArray, ByteArray, FloatArray
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.sam.config import AutomaticMaskConfig
from sam3d_ros.segmentation.sam.promptable import Embedding, PromptableModel, PromptBatch
from sam3d_ros.segmentation.sam.suppression import suppress_boxes

EDGE_PX = 20
"""A mask box this close to a crop's edge (not the image's) was cut by the crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One mask of the image: (H, W) bool, its box and its predicted IoU."""

    mask: BoolArray
    box_px: tuple[int, int, int, int]
    score: float


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the image: left, top, right, bottom, and its layer (0 = the whole image)."""

    box_px: tuple[int, int, int, int]
    layer: int


def automatic_masks(
    model: PromptableModel, rgb: ByteArray, embedding: Embedding, config: AutomaticMaskConfig
) -> list[Candidate]:
    """Return all stable masks of an image, best first.

    :param model: answers the points of a grid.
    :param rgb: (H, W, 3) uint8.
    :param embedding: the model's, of the whole image.
    :param config: of the grid, the filters and the crops.
    """
    found: list[Candidate] = []
    layers: list[int] = []
    for crop in crops(rgb.shape[1], rgb.shape[0], config):
        left, top, right, bottom = crop.box_px
        if crop.layer:
            embedding = model.embed(np.ascontiguousarray(rgb[top:bottom, left:right]))
        for candidate in _of_crop(model, embedding, crop, rgb.shape[:2], config):
            found.append(candidate)
            layers.append(crop.layer)
    if not found:
        return []
    boxes = np.array([candidate.box_px for candidate in found], np.float64)
    scores = np.array([candidate.score for candidate in found])
    if config.crop_layers:
        # What a smaller crop saw has finer detail, so it wins over the same thing seen whole.
        scores = scores + np.array(layers)
    kept = suppress_boxes(boxes, scores, config.max_box_iou)
    return [found[index] for index in kept]


def crops(width: int, height: int, config: AutomaticMaskConfig) -> Iterator[Crop]:
    """Yield the whole image, then 4^k overlapping crops for each layer k."""
    yield Crop((0, 0, width, height), 0)
    for layer in range(1, config.crop_layers + 1):
        count = 2**layer
        overlap = config.crop_overlap * min(width, height) * 2 / count
        side = [int(np.ceil((overlap * (count - 1) + n) / count)) for n in (width, height)]
        for row in range(count):
            for column in range(count):
                left = int((side[0] - overlap) * column)
                top = int((side[1] - overlap) * row)
                right, bottom = min(left + side[0], width), min(top + side[1], height)
                yield Crop((left, top, right, bottom), layer)


def _of_crop(
    model: PromptableModel,
    embedding: Embedding,
    crop: Crop,
    shape: tuple[int, ...],
    config: AutomaticMaskConfig,
) -> list[Candidate]:
    """Return the stable masks of a crop that its edges did not cut, in an image of that shape."""
    left, top, right, bottom = crop.box_px
    side = max(1, config.points_per_side // config.crop_point_divisor**crop.layer)
    points = _point_grid(right - left, bottom - top, side)
    found: list[Candidate] = []
    for start in range(0, len(points), config.points_per_batch):
        batch = PromptBatch.of_points(points[start : start + config.points_per_batch])
        found += _stable_masks(model, embedding, batch, config)
    placed = [_placed(candidate, crop, shape) for candidate in found]
    whole = [candidate for candidate in placed if not _cut(candidate, crop, shape)]
    if not whole:
        return []
    boxes = np.array([candidate.box_px for candidate in whole], np.float64)
    scores = np.array([candidate.score for candidate in whole])
    return [whole[i] for i in suppress_boxes(boxes, scores, config.max_box_iou)]


def _point_grid(width: int, height: int, side: int) -> FloatArray:
    """Return the (side^2, 2) centres of a grid over the image, pixel-centre coordinates."""
    steps = (np.arange(side) + 0.5) / side
    u, v = np.meshgrid(steps * width - 0.5, steps * height - 0.5)
    return np.stack([u.ravel(), v.ravel()], axis=1)


def _stable_masks(
    model: PromptableModel,
    embedding: Embedding,
    batch: PromptBatch,
    config: AutomaticMaskConfig,
) -> list[Candidate]:
    answer = model.predict(embedding, batch, alternatives=True)
    logits, iou = answer.logits.flatten(0, 1), answer.iou.flatten()
    good = iou >= config.min_predicted_iou
    logits, iou = logits[good], iou[good]
    stable = stability(embedding.space.valid(logits), config.stability_offset)
    good = stable >= config.min_stability
    logits, iou = logits[good], iou[good]
    if len(logits) == 0:
        return []
    masks = (embedding.space.to_image(logits) > 0).numpy()
    found = []
    for mask, score in zip(masks, iou.tolist(), strict=True):
        mask = clean(mask, config.min_region_px)
        box = mask_box(mask)
        if box is not None:
            found.append(Candidate(mask, box, score))
    return found


def stability(logits: torch.Tensor, offset: float) -> torch.Tensor:
    """Return (N,) IoU of (N, h, w) masks cut ``offset`` above and below their threshold."""
    inner = (logits > offset).flatten(1).sum(1)
    outer = (logits > -offset).flatten(1).sum(1)
    return inner / outer.clamp(min=1)


def clean(mask: BoolArray, min_region_px: int) -> BoolArray:
    """Return a mask without holes and islands under ``min_region_px`` (8-connected)."""
    if min_region_px == 0:
        return mask
    filled = ~_without_small(~mask, min_region_px, keep_largest=False)
    return _without_small(filled, min_region_px, keep_largest=True)


def _without_small(mask: BoolArray, min_px: int, *, keep_largest: bool) -> BoolArray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= min_px
    keep[0] = False
    if keep_largest and len(areas) > 1 and not keep.any():
        keep[1 + int(np.argmax(areas[1:]))] = True
    kept: BoolArray = keep[labels]
    return kept


def _placed(candidate: Candidate, crop: Crop, shape: tuple[int, ...]) -> Candidate:
    if crop.layer == 0:
        return candidate
    left, top, right, bottom = crop.box_px
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = candidate.mask
    a, b, c, d = candidate.box_px
    return Candidate(mask, (a + left, b + top, c + left, d + top), candidate.score)


def _cut(candidate: Candidate, crop: Crop, shape: tuple[int, ...]) -> bool:
    """Return whether a crop's edge, where it is not the image's, cut the mask off."""
    image = (0, 0, shape[1], shape[0])
    return any(
        abs(edge - border) <= EDGE_PX and border != outer
        for edge, border, outer in zip(candidate.box_px, crop.box_px, image, strict=True)
    )
