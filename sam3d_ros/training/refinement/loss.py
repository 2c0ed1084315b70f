# SPDX-License-Identifier: Apache-2.0
"""What the refinement is taught, and its loss."""

from __future__ import annotations

from torch import Tensor, exp, sigmoid, square
from torch.nn import functional

from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.refinement.blocks import (
    COARSE_CHANNELS,
    FACTOR,
    FINE_CHANNELS,
    HALO,
    NEAR_VOXELS,
    OBSERVED,
)
from sam3d_ros.training.refinement.config import TrainingConfig
from sam3d_ros.training.refinement.samples import EDGE
from sam3d_ros.training.volume.loss import FULL_SCALE

FINE_TRUNCATION = FACTOR * EvidenceConfig().truncation_voxels
"""Truncation of the stored truth, fine voxels."""
SHARPNESS = 2.0
"""Log odds of being inside, per fine voxel of signed distance."""
CLIP, THICKEST = 3.0, 8.0
"""Distances and thicknesses beyond these are alike, fine voxels."""
SURFACE_BONUS = 3.0
FULL_SAY = 64.0
"""Fine voxels of matter from which on a block counts whole in the Jaccard distance."""
EMPTY = FINE_CHANNELS.index('empty')
COMPLETED, SURFACE, OUTSIDE = map(COARSE_CHANNELS.index, ('completed', 'surface', 'outside'))


def taught(truth: Tensor, wall: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return (B, 16, 16, 16) signed distance to teach, true one, and wall thickness, fine voxels.

    Walls thinner than ``wall`` are taught that thick, as in ``training/volume/loss.py``. A wall is
    as thick as twice the greatest depth nearby.

    :param truth: (B, 20, 20, 20) int8, see :mod:`.samples`.
    :param wall: least thickness taught, fine voxels.
    """
    distance = truth[:, None].float() * (FINE_TRUNCATION / FULL_SCALE)
    inner = slice(EDGE, -EDGE)
    core = distance[:, 0, inner, inner, inner]
    depth = functional.max_pool3d(-distance, 3, stride=1)[:, 0, 1:-1, 1:-1, 1:-1].clamp(min=0)
    thickness = 2.0 * functional.max_pool3d(-distance, 5, stride=1)[:, 0].clamp(min=0)
    return core - (0.5 * wall - depth).clamp(min=0), core, thickness.clamp(max=THICKEST)


def decoded(coarse: Tensor) -> Tensor:
    """Return (B, 16, 16, 16) bool: the fine voxels that are decoded again, see
    :func:`sam3d_ros.reconstruction.refinement.blocks.near_voxels`.

    :param coarse: (B, C, 12, 12, 12) in [0, 1].
    """
    core = coarse[:, :, HALO:-HALO, HALO:-HALO, HALO:-HALO]
    completed, surface, outside = (core[:, k] for k in (COMPLETED, SURFACE, OUTSIDE))
    near = (completed - 0.5).abs() < 0.5 * NEAR_VOXELS / EvidenceConfig().truncation_voxels
    near |= (surface > OBSERVED) & (outside == 0)
    for axis in (1, 2, 3):
        near = near.repeat_interleave(FACTOR, axis)
    return near


def refinement_loss(
    distance: Tensor,
    thickness: Tensor,
    coarse: Tensor,
    fine: Tensor,
    truth: Tensor,
    config: TrainingConfig,
) -> Tensor:
    """Return the scalar loss: cross entropy, smooth L1 of the distance, L1 of thickness, and the
    soft Jaccard distance (Rahman and Wang, ISVC 2016) of the solid in each block, without which a
    wall that may be in either of two places would best be in neither.

    :param distance: (B, 16, 16, 16) predicted, fine voxels.
    :param thickness: (B, 16, 16, 16) predicted, fine voxels.
    :param coarse: (B, C, 12, 12, 12) in [0, 1].
    :param fine: (B, F, 24, 24, 24) in [0, 1].
    :param truth: (B, 20, 20, 20) int8 true distance.
    """
    target, true, wall = taught(truth, config.wall_voxels)
    distance = distance.float()
    halo = FACTOR * HALO
    empty = fine[:, EMPTY, halo:-halo, halo:-halo, halo:-halo]
    near = exp(-square(target / 1.5))
    here = decoded(coarse).float()
    weight = here * (1.0 - (1.0 - config.empty_weight) * empty) * (1.0 + SURFACE_BONUS * near)
    inside, solid = here * sigmoid(-SHARPNESS * distance), (target < 0).float()
    entropy = functional.binary_cross_entropy_with_logits(
        -SHARPNESS * distance, solid, weight=weight, reduction='sum'
    )
    off = functional.smooth_l1_loss(
        distance.clamp(-CLIP, CLIP), target.clamp(-CLIP, CLIP), beta=0.5, reduction='none'
    )
    matter = (here * solid).sum(dim=(1, 2, 3))
    both = (inside * solid).sum(dim=(1, 2, 3))
    apart = 1.0 - both / (inside.sum(dim=(1, 2, 3)) + matter - both).clamp(min=1.0)
    share = matter.clamp(max=FULL_SAY)
    apart = (share * apart).sum() / share.sum().clamp(min=1.0)
    at_wall = here * ((true.abs() < 1.5) & (wall > 0)).float()
    wall_off = (at_wall * (thickness.float() - wall).abs()).sum() / at_wall.sum().clamp(min=1.0)
    return (
        (entropy + config.distance_weight * (weight * off).sum()) / weight.sum()
        + config.thickness_weight * wall_off
        + config.overlap_weight * apart
    )  # fmt: skip


def block_iou(distance: Tensor, coarse: Tensor, truth: Tensor, wall: float) -> Tensor:
    """Return the IoU of what is inside with what is taught, where blocks are decoded again.

    :param distance: (B, 16, 16, 16) predicted.
    :param coarse: (B, C, 12, 12, 12) in [0, 1].
    :param truth: (B, 20, 20, 20) int8.
    :param wall: least thickness taught, fine voxels.
    """
    here = decoded(coarse)
    target = here & (taught(truth, wall)[0] < 0)
    found = here & (distance < 0)
    return (found & target).sum() / (found | target).sum().clamp(min=1)
