# SPDX-License-Identifier: Apache-2.0
"""SAM (Kirillov et al. 2023), SAM 2 (Ravi et al. 2024) and the tracker head of SAM 3 as models
that answer points, boxes and masks, through the classes of transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from sam3d_ros.core.pretrained.checkpoints import Checkpoint, as_float32, autocast, pick_device
from sam3d_ros.core.pretrained.image_space import ImageSpace, recipe_of
from sam3d_ros.core.types import ByteArray
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.latest import OfLatest
from sam3d_ros.segmentation.sam.promptable import Answer, Embedding, PromptBatch

MASK_LOGIT = 10.0
"""Logit that a binary mask prompt becomes: certain, yet inside the models' training range."""


class TransformersSam:
    """A SAM, SAM 2 or SAM 3 tracker checkpoint behind :class:`PromptableModel`.

    :param name: backend name for ``Instance.source``.
    :param checkpoint: loaded model and its hash.
    """

    def __init__(self, name: str, checkpoint: Checkpoint, config: SegmentationConfig) -> None:
        self.name = name
        self.weights_hash = checkpoint.sha256
        self._device, self._is_half = pick_device(config.device, config.sam.half_precision)
        self._model: Any = checkpoint.model.to(self._device, torch.float32).eval()
        self.recipe = recipe_of(checkpoint.model.config)
        self._embedding = OfLatest(self._embedded)

    def embed(self, rgb: ByteArray) -> Embedding:
        """See :class:`PromptableModel`; the same array again is not embedded again."""
        return self._embedding(rgb)

    @torch.inference_mode()
    def _embedded(self, rgb: ByteArray) -> Embedding:
        space = ImageSpace(self.recipe, rgb.shape[1], rgb.shape[0])
        pixels = space.pixels(rgb).to(self._device)
        with autocast(self._device, self._is_half):
            features = self._model.get_image_embeddings(pixels)
        return Embedding(space, as_float32(features))

    @torch.inference_mode()
    def predict(self, embedding: Embedding, batch: PromptBatch, *, alternatives: bool) -> Answer:
        """See :class:`PromptableModel`."""
        output = self._model(
            image_embeddings=embedding.features,
            multimask_output=alternatives,
            **self._prompt_arguments(embedding.space, batch),
        )
        return Answer(output.pred_masks[0].float().cpu(), output.iou_scores[0].float().cpu())

    def _prompt_arguments(self, space: ImageSpace, batch: PromptBatch) -> dict[str, torch.Tensor]:
        arguments: dict[str, torch.Tensor] = {}
        if batch.points_px.shape[1]:
            points = space.to_model(batch.points_px)[None]
            arguments['input_points'] = points.to(self._device, torch.float32)
            labels = torch.from_numpy(batch.labels)[None]
            arguments['input_labels'] = labels.to(self._device, torch.int64)
        if batch.boxes_px is not None:
            corners = batch.boxes_px.reshape(-1, 2, 2) - 0.5
            boxes = space.to_model(corners).reshape(1, -1, 4)
            arguments['input_boxes'] = boxes.to(self._device, torch.float32)
        if batch.mask_logits is not None:
            arguments['input_masks'] = self._mask_argument(space, batch.mask_logits)
        return arguments

    def _mask_argument(self, space: ImageSpace, mask_logits: Any) -> torch.Tensor:
        """Return a (1, 1, S/4, S/4) mask prompt; what lies outside the image is background.

        :param mask_logits: of the image, or of an answer before.
        """
        encoder = self._model.config.prompt_encoder_config
        side = 4 * int(encoder.image_size) // int(encoder.patch_size)
        mask = torch.as_tensor(mask_logits, dtype=torch.float32)[None, None]
        if mask.shape[-2:] != (space.height, space.width):  # the model's own
            return mask.clamp(-MASK_LOGIT, MASK_LOGIT).to(self._device)
        rows, columns = (round(n * side / self.recipe.size) for n in space.content)
        small = functional.interpolate(mask, (rows, columns), mode='bilinear', antialias=True)
        padded = torch.full((1, 1, side, side), -MASK_LOGIT)
        padded[..., :rows, :columns] = small
        return padded.to(self._device)
