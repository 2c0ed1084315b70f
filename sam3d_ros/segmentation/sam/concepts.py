# SPDX-License-Identifier: Apache-2.0
"""SAM 3's concept detector: every object that a noun phrase names or an example shows."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.pretrained.checkpoints import Checkpoint, as_float32, autocast, pick_device
from sam3d_ros.core.pretrained.image_space import ImageSpace, Recipe
from sam3d_ros.core.types import BoxPx, ByteArray, Concept
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.automatic import Candidate
from sam3d_ros.segmentation.sam.roi_align import provide_to
from sam3d_ros.segmentation.sam.suppression import suppress_masks

TEXT_TOKENS = 32
EXEMPLAR_PHRASE = 'visual'
"""What the text encoder is given when a box alone says what to find."""

MAX_MASK_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """An image as the detector sees it, shared by all concepts asked of it."""

    space: ImageSpace
    features: Any


class ConceptDetector:
    """A SAM 3 checkpoint as a detector of concepts, scores gated by its presence token."""

    def __init__(self, checkpoint: Checkpoint, tokenizer: Any, config: SegmentationConfig) -> None:
        provide_to(importlib.import_module('transformers.models.sam3.modeling_sam3'))
        self.weights_hash = checkpoint.sha256
        self._device, self._is_half = pick_device(config.device, config.sam.half_precision)
        self._model: Any = checkpoint.model.to(self._device, torch.float32).eval()
        self._tokenizer = tokenizer
        self._min_score = config.sam.min_score
        self._phrases: dict[str, tuple[Any, torch.Tensor]] = {}
        size = int(checkpoint.model.config.vision_config.backbone_config.image_size)
        self.recipe = Recipe(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)

    @torch.inference_mode()
    def encode(self, rgb: ByteArray) -> EncodedImage:
        """Return the encoding of a (H, W, 3) uint8 image."""
        space = ImageSpace(self.recipe, rgb.shape[1], rgb.shape[0])
        pixels = space.pixels(rgb).to(self._device)
        with autocast(self._device, self._is_half):
            features = self._model.get_vision_features(pixels)
        return EncodedImage(space, as_float32(features))

    @torch.inference_mode()
    def find(
        self,
        image: EncodedImage,
        phrase: str = '',
        like_px: Sequence[BoxPx] = (),
        unlike_px: Sequence[BoxPx] = (),
    ) -> tuple[list[Candidate], Concept]:
        """Return the objects that a noun phrase, examples or both mean, best first.

        With them comes the probability that there are any, and all their pixels together.

        :param image: that is searched, and that shows the examples.
        :param phrase: a noun phrase; empty = the examples alone.
        :param like_px: boxes around examples.
        :param unlike_px: boxes around what is not meant.
        :raises PromptError: when there is neither phrase nor example, or a box is not inside.
        """
        if not phrase.strip() and not like_px:
            raise PromptError('an empty phrase', wanted='a noun phrase such as "red cup"')
        space = image.space
        boxes = []
        for box_px in (*like_px, *unlike_px):
            left, top, right, bottom = box_px
            if not (0 <= left < right <= space.width and 0 <= top < bottom <= space.height):
                raise PromptError(
                    f'exemplar box {box_px}', wanted=f'a box inside {space.width}x{space.height}'
                )
            center = [(left + right) / 2 / space.width, (top + bottom) / 2 / space.height]
            boxes.append([*center, (right - left) / space.width, (bottom - top) / space.height])
        text, attention = self._text(phrase.strip() or EXEMPLAR_PHRASE)
        examples = {}
        if boxes:
            labels = [1] * len(like_px) + [0] * len(unlike_px)
            examples = {
                'input_boxes': torch.tensor([boxes], device=self._device),
                'input_boxes_labels': torch.tensor([labels], device=self._device),
            }
        output = self._model(
            vision_embeds=image.features, text_embeds=text, attention_mask=attention, **examples
        )
        presence = float(output.presence_logits[0].float().sigmoid())
        region = (space.to_image(output.semantic_seg[0].float().cpu())[0] > 0).numpy()
        return self._candidates(output, space), Concept(presence, region)

    def _text(self, phrase: str) -> tuple[Any, torch.Tensor]:
        """Return the encoded phrase and its attention mask; each phrase is encoded once."""
        if phrase not in self._phrases:
            tokens = self._tokenizer(
                phrase, padding='max_length', max_length=TEXT_TOKENS, truncation=True
            )
            ids = torch.tensor([tokens['input_ids']], device=self._device)
            attention = torch.tensor([tokens['attention_mask']], device=self._device)
            text = self._model.get_text_features(
                input_ids=ids, attention_mask=attention, return_dict=True
            )
            self._phrases[phrase] = (text, attention)
        return self._phrases[phrase]

    def _candidates(self, output: Any, space: ImageSpace) -> list[Candidate]:
        presence = output.presence_logits[0].float().sigmoid()
        scores = (output.pred_logits[0].float().sigmoid() * presence).cpu()
        chosen = torch.nonzero(scores >= self._min_score).flatten()
        if len(chosen) == 0:
            return []
        masks = (space.to_image(output.pred_masks[0][chosen].float().cpu()) > 0).numpy()
        kept = suppress_masks(masks, scores[chosen].numpy(), MAX_MASK_IOU)
        found = []
        for index in kept:
            box = mask_box(masks[index])
            if box is not None:
                found.append(Candidate(masks[index], box, float(scores[chosen[index]])))
        return found


def beside(rgb: ByteArray, exemplar: ByteArray) -> tuple[ByteArray, int]:
    """Return both images in one, (H, W + w, 3), and the column where the exemplar begins.

    SAM 3 takes exemplars from the image it searches, so another frame is laid beside it.
    """
    rows = max(rgb.shape[0], exemplar.shape[0])
    canvas = np.zeros((rows, rgb.shape[1] + exemplar.shape[1], 3), np.uint8)
    canvas[: rgb.shape[0], : rgb.shape[1]] = rgb
    canvas[: exemplar.shape[0], rgb.shape[1] :] = exemplar
    return canvas, rgb.shape[1]
