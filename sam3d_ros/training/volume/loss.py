# SPDX-License-Identifier: Apache-2.0
"""The loss of the volume completion and its score: solid IoU within what evidence leaves open."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sam3d_ros.reconstruction.completion.volume_input import CHANNELS
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.training.volume.config import TrainingConfig

FREE = CHANNELS.index('free')
SURFACE_WIDTH = 0.25
"""Width, in truncations, of the shell around the true surface that counts more."""
SURFACE_BONUS = 2.0
TRUNCATION_VOXELS = EvidenceConfig().truncation_voxels
FULL_SCALE = 127.0
"""Stored distance of one truncation."""


def taught_solid(truth: Tensor, wall: float) -> Tensor:
    """Return (B, N, N, N) bool: the true solid, its thin parts grown to a least thickness.

    A wall thinner than a voxel holds hardly any voxel's centre, so that the plain solid would
    teach a wall full of holes. Depth is looked for in the 3x3x3 voxels around each.

    :param truth: (B, N, N, N) true signed distance, < 0 inside.
    :param wall: least thickness, in the unit of ``truth``; 0 = as it is.
    """
    depth = functional.max_pool3d(-truth[:, None], 3, stride=1, padding=1)[:, 0].clamp(min=0)
    return truth < (0.5 * wall - depth).clamp(min=0)


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
    occupied = taught_solid(truth, config.wall_voxels / TRUNCATION_VOXELS).float()
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
