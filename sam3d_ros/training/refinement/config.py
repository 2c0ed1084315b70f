# SPDX-License-Identifier: Apache-2.0
"""Options of the training of the refinement; the recipe is in models/refinement_training.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True)
class TrainingConfig:
    """How the refinement network is trained."""

    data: str = option('refinement_data', 'folder with train/ samples')
    out: str = option('refinement_run', 'folder of checkpoints')
    seed: int = option(0, 'seed of weights, order, blocks and mirroring', minimum=0)
    steps: int = option(4600, 'optimiser steps of the whole schedule', minimum=1)
    batch: int = option(96, 'blocks per step', minimum=1)
    pool: int = option(400, 'samples (objects) held in memory that blocks are drawn of', minimum=1)
    renewed: int = option(4, 'samples of the pool read anew at each step', minimum=1)
    learning_rate: float = option(2e-3, 'peak learning rate', minimum=0.0, maximum=1.0)
    warmup_steps: int = option(50, 'steps in which it rises', minimum=0)
    cooldown: float = option(
        0.39, 'share of the steps, at the end, in which it falls', minimum=0.0, maximum=1.0
    )
    weight_decay: float = option(0.1, 'decoupled weight decay', minimum=0.0, maximum=1.0)
    average: float = option(0.995, 'decay of the running mean of weights', minimum=0.0, maximum=1)
    precision: str = option('bf16', 'arithmetic of the network', choices=('no', 'bf16', 'fp16'))
    save_every: int = option(100, 'steps between checkpoints', minimum=1)
    wall_voxels: float = option(
        1.6, 'least thickness of the solids that are taught, fine voxels', minimum=0.0, maximum=4.0
    )
    forgotten: float = option(
        0.4, 'share of the features that are left out of a block', minimum=0.0, maximum=0.9
    )
    distance_weight: float = option(0.5, 'weight of the signed distance loss', minimum=0.0)
    thickness_weight: float = option(0.2, 'weight of the wall thickness loss', minimum=0.0)
    overlap_weight: float = option(4.0, 'weight of the Jaccard distance', minimum=0.0)
    empty_weight: float = option(
        0.1, 'weight of voxels that the sensor saw through', minimum=0.0, maximum=1.0
    )
