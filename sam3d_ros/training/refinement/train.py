# SPDX-License-Identifier: Apache-2.0
"""Train the refinement; resumes from its last checkpoint.

``python -m sam3d_ros.training.refinement.train --config models/refinement_training.yaml``
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn

from sam3d_ros.training.loop import run, run_command, sample_files
from sam3d_ros.training.refinement.config import TrainingConfig
from sam3d_ros.training.refinement.loss import block_iou, refinement_loss
from sam3d_ros.training.refinement.network import RefinementNet, scaled

MAKER = 'sam3d_ros.training.refinement.samples'
Blocks = tuple[Tensor, Tensor, Tensor, Tensor]
"""Coarse, fine, features, truth."""


def drawn_blocks(config: TrainingConfig, step: int, process: int) -> Iterator[Blocks]:
    """Yield batches without end, of blocks drawn from a pool of samples that is renewed steadily.

    Half of the blocks are mirrored in y; the features are then those that the coarse network has
    of the mirrored volume.

    :param step: optimiser steps done before.
    :param process: each process of a distributed run draws its own.
    :raises InputError: when there are fewer samples than the pool holds.
    """
    rng = np.random.default_rng([config.seed, step, process])
    files = _endless(config, rng)
    pool = [_read(next(files)) for _ in range(config.pool)]
    while True:
        for slot in rng.integers(config.pool, size=config.renewed):
            pool[slot] = _read(next(files))
        batch = []
        for slot in rng.integers(config.pool, size=config.batch):
            sample = pool[slot]
            block = rng.integers(len(sample['truth']))
            mirrored = rng.random() < 0.5
            way = -1 if mirrored else 1
            parts = [sample[name][block][..., ::way, :] for name in ('coarse', 'fine', 'truth')]
            features = sample['mirrored' if mirrored else 'features'][block]
            batch.append((*parts[:2], features, parts[2]))
        coarse, fine, features, truth = (
            torch.from_numpy(np.stack(part)) for part in zip(*batch, strict=True)
        )
        yield coarse, fine, features, truth


def _read(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as data:
        return {name: data[name] for name in data.files}


def _endless(config: TrainingConfig, rng: np.random.Generator) -> Iterator[Path]:
    """Samples in random order; the folder is read again at every pass."""
    while True:
        files = sample_files(config, config.pool, MAKER)
        for k in rng.permutation(len(files)):
            yield files[k]


def train(config: TrainingConfig) -> None:
    """Run the schedule to its end, from the last checkpoint in ``config.out`` if there is one."""
    accelerator = Accelerator(mixed_precision=config.precision)
    set_seed(config.seed)

    def loss_of(network: nn.Module, batch: Blocks) -> tuple[Tensor, Mapping[str, float]]:
        coarse, fine, features, truth = (part.to(accelerator.device) for part in batch)
        coarse, fine = scaled(coarse), scaled(fine)
        with accelerator.autocast():
            distance, thickness = network(coarse, fine, features.float())
        loss = refinement_loss(distance, thickness, coarse, fine, truth, config)
        iou = block_iou(distance.detach(), coarse, truth, config.wall_voxels)
        return loss, {'iou': float(iou)}

    run(
        config,
        accelerator,
        RefinementNet(config.forgotten),
        partial(drawn_blocks, config),
        loss_of,
    )


if __name__ == '__main__':
    run_command(__doc__, TrainingConfig, train)
