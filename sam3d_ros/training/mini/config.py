# SPDX-License-Identifier: Apache-2.0
"""Options of the training of the segmentation network; defaults are those of the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is trained."""

    data: str = option('mini_data', 'folder with train/ and validation/ views')
    out: str = option('mini_run', 'folder of checkpoints and the log')
    start: str = option('', 'run whose mean weights are the first ones; empty = random ones')
    seed: int = option(0, 'seed of weights, order, prompts and colours', minimum=0)
    eyes: str = option('', 'file of the pretrained colour encoder; empty = no such encoder')
    eyes_rate: float = option(
        0.1,
        'learning rate of the colour encoder over that of the rest; 0 = frozen',
        minimum=0.0,
        maximum=1.0,
    )
    steps: int = option(3000, 'optimiser steps of the whole schedule', minimum=1)
    batch: int = option(8, 'views per step', minimum=1)
    prompts: int = option(5, 'prompts per view', minimum=1)
    learning_rate: float = option(2e-3, 'peak learning rate', minimum=0.0, maximum=1.0)
    warmup_steps: int = option(100, 'steps in which it rises', minimum=0)
    cooldown: float = option(
        0.35, 'share of the steps, at the end, in which it falls', minimum=0.0, maximum=1.0
    )
    weight_decay: float = option(0.02, 'decoupled weight decay', minimum=0.0, maximum=1.0)
    average: float = option(0.99, 'decay of the running mean of weights', minimum=0.0, maximum=1)
    precision: str = option('bf16', 'arithmetic of the network', choices=('no', 'bf16', 'fp16'))
    workers: int = option(1, 'processes that read views', minimum=0)
    save_every: int = option(100, 'steps between checkpoints', minimum=1)
    mask_weight: float = option(1.0, 'weight of the masks', minimum=0.0)
    pair_weight: float = option(1.0, 'weight of telling things apart without prompt', minimum=0.0)
    middle_weight: float = option(0.5, 'weight of the offset to the middle', minimum=0.0)
    thing_weight: float = option(1.0, 'weight of telling things from ground', minimum=0.0)
    joined_weight: float = option(0.7, 'weight of telling neighbouring cells apart', minimum=0.0)
