# SPDX-License-Identifier: Apache-2.0
"""What is minimised: masks as in SAM, and telling things apart without a prompt."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import Sample
from sam3d_ros.training.mini.network import split

FOCAL_WEIGHT = 20.0
"""Weights and exponent of Kirillov et al. 2023, appendix A, "Losses"."""
FOCUS = 2.0
NEAR_M = 0.15
"""Pairs of cells farther apart than this lose weight."""
FAR_WEIGHT = 0.15
SMALL_CELLS, SMALL_WEIGHT = 300.0, 4.0
"""Things of fewer cells count more, up to this factor."""
OUTLINE_WEIGHT = 2.0
GROUND_JOINED = 0.8
"""Weight that pairs of cells off any thing lose."""


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Terms of the loss, each a scalar, and the mean IoU of the masks chosen by the network."""

    masks: Tensor
    pairs: Tensor
    middle: Tensor
    thing: Tensor
    joined: Tensor
    chosen_iou: Tensor
    pair_accuracy: Tensor

    def total(self, config: TrainingConfig) -> Tensor:
        """Return the weighted sum."""
        return (
            config.mask_weight * self.masks
            + config.pair_weight * self.pairs
            + config.middle_weight * self.middle
            + config.thing_weight * self.thing
            + config.joined_weight * self.joined
        )


def losses(
    masks: Tensor, quality: Tensor, dense: Tensor, similarity: Tensor, sample: Sample
) -> Losses:
    """Return the losses of a batch; the tensors are the network's outputs and parameter."""
    embedding, middle, thing, joined = split(dense.float())
    by_mask, chosen_iou = mask_loss(masks.float(), quality.float(), sample)
    by_pair, accuracy = pair_loss(embedding, similarity, sample)
    on = ((sample.truth > 0) & sample.seen).float()
    error = functional.smooth_l1_loss(middle, sample.middle, beta=0.2, reduction='none').sum(1)
    return Losses(
        by_mask,
        by_pair,
        (error * on).sum() / on.sum().clamp(min=1),
        thing_loss(thing, sample.truth),
        joined_loss(joined, sample.truth),
        chosen_iou,
        accuracy,
    )


def thing_loss(thing: Tensor, truth: Tensor) -> Tensor:
    """Return the cross entropy of "part of a thing", small things and outlines counting more.

    :param thing: (B, h, w) log-odds.
    :param truth: (B, h, w) uint8 instances.
    """
    owner = truth.flatten(1).long()
    area = torch.zeros(len(owner), 256, device=owner.device)
    area = area.scatter_add(1, owner, torch.ones_like(owner, dtype=area.dtype))
    small = (SMALL_CELLS / area.clamp(min=1)).sqrt().clamp(1, SMALL_WEIGHT)
    small[:, 0] = 1
    weight = small.gather(1, owner).view_as(thing)
    on = (truth > 0).float()
    weight = weight + OUTLINE_WEIGHT * (functional.max_pool2d(on, 5, 1, 2) > on)
    entropy = functional.binary_cross_entropy_with_logits(thing, on, reduction='none')
    return (entropy * weight).sum() / weight.sum()


def joined_loss(joined: Tensor, truth: Tensor) -> Tensor:
    """Return the cross entropy of "the next cell belongs to the same thing", or both to none.

    Cells that are cut apart count as much as all that are joined.

    :param joined: (B, 2, h, w) log-odds for the cell to the right and the one below.
    :param truth: (B, h, w) uint8 instances.
    """
    total = joined.new_zeros(())
    sides = ((joined[:, 0, :, :-1], truth[:, :, :-1], truth[:, :, 1:]),
             (joined[:, 1, :-1], truth[:, :-1], truth[:, 1:]))  # fmt: skip
    for logits, here, there in sides:
        same = (here == there).float()
        entropy = functional.binary_cross_entropy_with_logits(logits, same, reduction='none')
        ground = 1 - GROUND_JOINED * ((here == 0) & (there == 0)).float()
        kept, cut = same * ground, 1 - same
        total = total + (entropy * kept).sum() / kept.sum().clamp(min=1)
        total = total + (entropy * cut).sum() / cut.sum().clamp(min=1)
    return total / 4


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
