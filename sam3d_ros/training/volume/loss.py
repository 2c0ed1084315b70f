# SPDX-License-Identifier: Apache-2.0
"""The loss of the volume completion and its score: solid IoU within what evidence leaves open."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sam3d_ros.reconstruction.volume_input import CHANNELS
from sam3d_ros.training.volume.config import TrainingConfig

FREE = CHANNELS.index('free')
SURFACE_WIDTH = 0.25
"""Width, in truncations, of the shell around the true surface that counts more."""
SURFACE_BONUS = 2.0
FULL_SCALE = 127.0
"""Stored distance of one truncation."""


def volume_loss(
    logits: Tensor, distance: Tensor, channels: Tensor, target: Tensor, config: TrainingConfig
) -> Tensor:
    """Return the scalar loss: weighted cross entropy + Dice + smooth L1 of the distance.

    The Dice term (Milletari et al., 3DV 2016) keeps thin solids from drowning in empty space.

    :param logits: (B, N, N, N) occupancy logits.
    :param distance: (B, N, N, N) predicted distance, truncations.
    :param channels: (B, C, N, N, N) in [0, 1].
    :param target: (B, N, N, N) int8 true distance, 127 = one truncation.
    """
    truth = target.float() / FULL_SCALE
    occupied = (truth < 0).float()
    logits, distance = logits.float(), distance.float()
    near = torch.exp(-torch.square(truth / SURFACE_WIDTH))
    open_space = 1.0 - channels[:, FREE].float() * (1.0 - config.free_weight)
    weight = open_space * (1.0 + SURFACE_BONUS * near)
    entropy = functional.binary_cross_entropy_with_logits(
        logits, occupied, weight=weight, reduction='sum'
    )
    probability = torch.sigmoid(logits) * open_space
    both = (probability * occupied).sum(dim=(1, 2, 3))
    each = (probability + occupied * open_space).sum(dim=(1, 2, 3))
    dice = 1.0 - (2.0 * both + 1.0) / (each + 1.0)
    shell = open_space + near
    distance_loss = functional.smooth_l1_loss(distance, truth, beta=0.1, reduction='none')
    return (
        entropy / weight.sum()
        + config.dice_weight * dice.mean()
        + config.distance_weight * (shell * distance_loss).sum() / shell.sum()
    )


def solid_iou(occupied: Tensor, channels: Tensor, target: Tensor) -> Tensor:
    """Return (B,) IoU of occupied voxels that are not free with the truth.

    :param occupied: (B, N, N, N) bool.
    """
    truth = target < 0
    found = occupied & (channels[:, FREE] == 0)
    both = (found & truth).sum(dim=(1, 2, 3))
    either = (found | truth).sum(dim=(1, 2, 3))
    return both / either.clamp(min=1)
