# SPDX-License-Identifier: Apache-2.0
"""What is minimised: masks as in SAM, and telling things apart without a prompt."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import Sample

FOCAL_WEIGHT = 20.0
"""Weights and exponent of Kirillov et al. 2023, appendix A, "Losses"."""
FOCUS = 2.0
NEAR_M = 0.15
"""Pairs of cells farther apart than this lose weight."""
FAR_WEIGHT = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Terms of the loss, each a scalar, and the mean IoU of the masks chosen by the network."""

    masks: Tensor
    pairs: Tensor
    middle: Tensor
    thing: Tensor
    chosen_iou: Tensor
    pair_accuracy: Tensor

    def total(self, config: TrainingConfig) -> Tensor:
        """Return the weighted sum."""
        return (
            config.mask_weight * self.masks
            + config.pair_weight * self.pairs
            + config.middle_weight * self.middle
            + config.thing_weight * self.thing
        )


def losses(
    masks: Tensor, quality: Tensor, dense: Tensor, similarity: Tensor, sample: Sample
) -> Losses:
    """Return the losses of a batch; the tensors are the network's outputs and parameter."""
    dense = dense.float()
    embedding, middle, thing = dense[:, :-4], dense[:, -4:-1], dense[:, -1]
    by_mask, chosen_iou = mask_loss(masks.float(), quality.float(), sample)
    by_pair, accuracy = pair_loss(embedding, similarity, sample)
    on = ((sample.truth > 0) & sample.seen).float()
    error = functional.smooth_l1_loss(middle, sample.middle, beta=0.2, reduction='none').sum(1)
    entropy = functional.binary_cross_entropy_with_logits(thing, (sample.truth > 0).float())
    return Losses(
        by_mask, by_pair, (error * on).sum() / on.sum().clamp(min=1), entropy, chosen_iou, accuracy
    )


def mask_loss(masks: Tensor, quality: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
    """Return focal + Dice loss of the best mask + error of predicted IoU; IoU of the chosen.

    :param masks: (B, K, M, h, w) logits.
    :param quality: (B, K, M).
    """
    truth = (sample.truth[:, None] == sample.wanted[..., None, None]).float()[:, :, None]
    asked = (sample.wanted > 0).float()
    entropy = functional.binary_cross_entropy_with_logits(
        masks, truth.expand_as(masks), reduction='none'
    )
    focal = ((1 - torch.exp(-entropy)) ** FOCUS * entropy).mean(dim=(3, 4))
    probability = torch.sigmoid(masks)
    both = (probability * truth).sum(dim=(3, 4))
    each = probability.sum(dim=(3, 4)) + truth.sum(dim=(3, 4))
    dice = 1 - (2 * both + 1) / (each + 1)
    with torch.no_grad():
        found = masks > 0
        overlap = (found & (truth > 0)).sum(dim=(3, 4)).float()
        union = (found | (truth > 0)).sum(dim=(3, 4)).clamp(min=1)
        iou = overlap / union
        chosen = iou.gather(2, quality.argmax(dim=2, keepdim=True))[..., 0]
    best = (FOCAL_WEIGHT * focal + dice).min(dim=2).values
    error = (quality - iou).square().mean(dim=2)
    count = asked.sum().clamp(min=1)
    return ((best + error) * asked).sum() / count, (chosen * asked).sum() / count


def pair_loss(embedding: Tensor, similarity: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
    """Return the cross entropy of "same thing" for pairs of picked cells, and the accuracy.

    Log-odds fall with the squared distance of the embeddings. Near pairs count most, and pairs of
    one thing as much as pairs of two.

    :param embedding: (B, E, h, w).
    :param similarity: (2,) offset, and logarithm of the slope.
    """
    owner = sample.truth.flatten(1).gather(1, sample.picked)
    at = sample.picked[:, None].expand(-1, embedding.shape[1], -1)
    known = embedding.flatten(2).gather(2, at)
    apart = (known[..., :, None] - known[..., None, :]).square().sum(dim=1)
    logits = similarity[0] - similarity[1].exp() * apart
    same = owner[:, :, None] == owner[:, None, :]
    distance = (sample.picked_at[:, :, None] - sample.picked_at[:, None]).norm(dim=3)
    weight = torch.exp(-distance / NEAR_M) + FAR_WEIGHT
    weight = weight * ((owner[:, :, None] > 0) | (owner[:, None, :] > 0))
    weight = weight * (1 - torch.eye(owner.shape[1], device=owner.device))
    right = weight * ((logits > 0) == same)
    weight_same, weight_other = weight * same, weight * ~same
    balanced = weight_same / weight_same.sum().clamp(min=1e-6)
    balanced = balanced + weight_other / weight_other.sum().clamp(min=1e-6)
    entropy = functional.binary_cross_entropy_with_logits(logits, same.float(), reduction='none')
    return (entropy * balanced).sum() / 2, right.sum() / weight.sum().clamp(min=1e-6)
