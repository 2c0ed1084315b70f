# SPDX-License-Identifier: Apache-2.0
"""Backends ``sam`` and ``sam2``: prompts answered by the model, everything fused with depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.pretrained.checkpoints import load_pretrained
from sam3d_ros.core.types import (
    BoxPrompt,
    FloatArray,
    Frame,
    Instance,
    Instances,
    MaskPrompt,
    PointPrompt,
    Prompt,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.latest import OfLatest
from sam3d_ros.segmentation.partition.partition import Partition, partition
from sam3d_ros.segmentation.sam.automatic import automatic_masks, clean
from sam3d_ros.segmentation.sam.fusion import fuse, support_of
from sam3d_ros.segmentation.sam.models import MASK_LOGIT, TransformersSam
from sam3d_ros.segmentation.sam.official_layout import load_official_sam
from sam3d_ros.segmentation.sam.promptable import Embedding, PromptableModel, PromptBatch


class PromptableSegmenter:
    """Any promptable model as a segmentation backend."""

    def __init__(self, model: PromptableModel, config: SegmentationConfig) -> None:
        self._model = model
        self._config = config
        self._seen: OfLatest[Frame, tuple[Embedding, Partition]] = OfLatest(
            lambda frame: (model.embed(frame.rgb), partition(frame, config))
        )

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return what ``prompts`` ask for; without prompts, everything on the supports.

        An image is embedded once, whatever is asked of it. A single point gives up to three
        overlapping alternatives, best first; every other prompt one mask.

        :raises PromptError: when a prompt is malformed, or is a phrase or an exemplar.
        """
        embedding, found = self._seen(frame)
        supports = tuple(support.plane for support in found.structure.supports)
        if not prompts:
            options = self._config.sam.automatic
            candidates = automatic_masks(self._model, frame.rgb, embedding, options)
            min_area_px = self._config.geometric.min_area_px
            items = fuse(candidates, found, min_area_px, self._model.name)
            return Instances(frame.stamp_ns, items, supports)
        answered = [self._answer(embedding, prompt, found) for prompt in prompts]
        return Instances(frame.stamp_ns, tuple(i for items in answered for i in items), supports)

    def _answer(self, embedding: Embedding, prompt: Prompt, found: Partition) -> list[Instance]:
        batch, kind = prompt_batch(prompt, embedding, self._model.name)
        alternatives = kind == 'point' and batch.points_px.shape[1] == 1
        answer = self._model.predict(embedding, batch, alternatives=alternatives)
        logits = embedding.space.to_image(answer.logits[0])
        order = np.argsort(-answer.iou[0].numpy(), kind='stable')
        items = []
        for index in order:
            mask = clean((logits[index] > 0).numpy(), self._config.sam.automatic.min_region_px)
            box = mask_box(mask)
            if box is None:
                continue
            score = float(answer.iou[0, index].clamp(0.0, 1.0))
            source = f'{self._model.name}:{kind}'
            before = answer.logits[0, index].numpy()
            items.append(Instance(mask, score, box, source, '', support_of(mask, found), before))
        return items


def prompt_batch(prompt: Prompt, embedding: Embedding, name: str) -> tuple[PromptBatch, str]:
    """Return one prompt as a batch of one, and the word for its kind.

    :raises PromptError: when it is malformed, or of a kind that promptable models cannot serve.
    """
    space = embedding.space
    if isinstance(prompt, PointPrompt):
        points = np.asarray(prompt.points_px, np.float64).reshape(-1, 2)
        labels = np.asarray(prompt.labels, np.int32)
        if len(points) == 0 or len(points) != len(labels):
            raise PromptError(f'{len(points)} points with {len(labels)} labels', wanted='as many')
        _check_inside(points, space.width, space.height)
        return PromptBatch(points[None], labels[None], mask_logits=prompt.before), 'point'
    none = np.zeros((1, 0, 2)), np.zeros((1, 0), np.int32)
    if isinstance(prompt, BoxPrompt):
        box = np.asarray(prompt.box_px, np.float64)
        if not (box[0] < box[2] and box[1] < box[3]):
            raise PromptError(f'box {prompt.box_px}', wanted='left < right and top < bottom')
        return PromptBatch(*none, boxes_px=box[None]), 'box'
    if isinstance(prompt, MaskPrompt):
        box_of = mask_box(prompt.mask)
        if prompt.mask.shape != (space.height, space.width) or box_of is None:
            raise PromptError(
                f'mask of {prompt.mask.shape}, {int(prompt.mask.sum())} pixels set',
                wanted=f'a mask of ({space.height}, {space.width}) that is not empty',
            )
        logits = np.where(prompt.mask, MASK_LOGIT, -MASK_LOGIT).astype(np.float32)
        box = np.asarray(box_of, np.float64)[None]
        return PromptBatch(*none, boxes_px=box, mask_logits=logits), 'mask'
    raise PromptError(
        f'{type(prompt).__name__} for backend "{name}"',
        wanted='points, a box or a mask',
        remedy='Set segmentation.backend to "sam3" for phrases and exemplars.',
    )


def _check_inside(points_px: FloatArray, width: int, height: int) -> None:
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    if low.min() < -0.5 or high[0] > width - 0.5 or high[1] > height - 0.5:
        raise PromptError(
            f'point {tuple(points_px[np.argmax(points_px.sum(axis=1))])} is outside the image',
            wanted=f'0 <= u < {width}, 0 <= v < {height}',
        )


class SamSegmenter(PromptableSegmenter):
    """Backend ``sam``: facebook/sam-vit-* folders or official ``sam_vit_*.pth`` files."""

    def __init__(self, config: SegmentationConfig) -> None:
        from transformers import SamModel

        source = config.sam.checkpoint or 'facebook/sam-vit-base'
        if source.endswith('.pth'):
            checkpoint = load_official_sam(Path(source))
        else:
            checkpoint = load_pretrained(SamModel, source)
        super().__init__(TransformersSam('sam', checkpoint, config), config)


class Sam2Segmenter(PromptableSegmenter):
    """Backend ``sam2``: facebook/sam2.1-hiera-* folders."""

    def __init__(self, config: SegmentationConfig) -> None:
        from transformers import Sam2Model

        source = config.sam.checkpoint or 'facebook/sam2.1-hiera-tiny'
        checkpoint = load_pretrained(Sam2Model, source)
        super().__init__(TransformersSam('sam2', checkpoint, config), config)
