# SPDX-License-Identifier: Apache-2.0
"""Options of the training of the volume completion; recipes are in models/."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True)
class TrainingConfig:
    """How the volume network is trained."""

    data: str = option('volume_data', 'folder with train/ and validation/ samples')
    out: str = option('volume_run', 'folder of checkpoints and the log')
    start: str = option(
        '', 'checkpoint whose averaged weights to start from, or an exported .onnx; empty: random'
    )
    hidden: str = option('', 'input channels that the network is not shown, comma-separated')
    colourless: float = option(
        0.45, 'share of samples whose colours are black', minimum=0.0, maximum=1.0
    )
    seed: int = option(0, 'seed of weights, order and mirroring', minimum=0)
    steps: int = option(5000, 'optimiser steps of the whole schedule', minimum=1)
    batch: int = option(8, 'samples per step', minimum=1)
    learning_rate: float = option(2e-3, 'peak learning rate', minimum=0.0, maximum=1.0)
    warmup_steps: int = option(100, 'steps in which it rises', minimum=0)
    cooldown: float = option(
        0.35, 'share of the steps, at the end, in which it falls', minimum=0.0, maximum=1.0
    )
    weight_decay: float = option(0.02, 'decoupled weight decay', minimum=0.0, maximum=1.0)
    average: float = option(0.995, 'decay of the running mean of weights', minimum=0.0, maximum=1)
    precision: str = option('bf16', 'arithmetic of the network', choices=('no', 'bf16', 'fp16'))
    workers: int = option(1, 'processes that read samples', minimum=0)
    save_every: int = option(200, 'steps between checkpoints', minimum=1)
    wall_voxels: float = option(
        1.2, 'least thickness of the solids that are taught', minimum=0.0, maximum=4.0
    )
    dice_weight: float = option(0.5, 'weight of the Dice loss', minimum=0.0)
    distance_weight: float = option(2.0, 'weight of the signed distance loss', minimum=0.0)
    free_weight: float = option(
        0.05, 'weight of voxels that the sensor saw through', minimum=0.0, maximum=1.0
    )
