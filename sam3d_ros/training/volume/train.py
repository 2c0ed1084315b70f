# SPDX-License-Identifier: Apache-2.0
"""Train the volume completion; resumes from its last checkpoint, on CPU or GPU alike.

``python -m sam3d_ros.training.volume.train --config models/volume_training.yaml``, or in several
processes with ``torchrun --nproc_per_node 2 -m ...``: each then takes a batch of its own per step.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from torch.utils.data import DataLoader

from sam3d_ros.core.config import build
from sam3d_ros.core.errors import InputError
from sam3d_ros.reconstruction.volume_input import CHANNELS
from sam3d_ros.training.checkpoints import (
    Checkpoint,
    TrainingError,
    averaged,
    learning_rate,
    load_average,
)
from sam3d_ros.training.volume.config import TrainingConfig
from sam3d_ros.training.volume.data import SampleFiles
from sam3d_ros.training.volume.loss import solid_iou, volume_loss
from sam3d_ros.training.volume.network import NetworkConfig, VolumeNet

LOG = logging.getLogger(__name__)


def sample_batches(
    config: TrainingConfig, step: int, process: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield training batches without end; the folder is read again at every pass.

    :param step: optimiser steps done before.
    :param process: each process of a distributed run draws its own order.
    :raises InputError: when there is not one batch of samples.
    """
    while True:
        files = sorted((Path(config.data) / 'train').glob('*.npz'))
        if len(files) < config.batch:
            raise InputError(
                f'{len(files)} samples in {config.data}/train',
                wanted=f'at least {config.batch}',
                remedy='Make them with python -m sam3d_ros.training.volume.data.',
            )
        seed = config.seed + 1000 * step + process
        loader = DataLoader(
            SampleFiles(files, mirror=True, seed=seed),
            config.batch,
            shuffle=True,
            drop_last=True,
            num_workers=config.workers,
            generator=torch.Generator().manual_seed(seed),
        )
        for batch in loader:
            step += 1
            yield batch


def shown(channels: Tensor, hidden: str) -> Tensor:
    """Return (B, C, N, N, N) channels with those named in ``hidden`` set to 0.

    :param hidden: names out of ``CHANNELS``, comma-separated.
    """
    if not hidden:
        return channels
    channels = channels.clone()
    channels[:, [CHANNELS.index(name) for name in hidden.split(',')]] = 0.0
    return channels


def train(config: TrainingConfig) -> None:
    """Run the schedule to its end, from the last checkpoint in ``config.out`` if there is one."""
    accelerator = Accelerator(mixed_precision=config.precision)
    set_seed(config.seed)
    model = averaged_network(Path(config.start)) if config.start else fresh_network()
    model = model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    average = averaged(model, config.average)
    checkpoint = Checkpoint(Path(config.out) / 'checkpoint.pt', model, average, optimizer)
    first = checkpoint.resume()
    model, optimizer = accelerator.prepare(model, optimizer)
    average.to(accelerator.device)
    model.train()
    running = 0.0
    for step, (channels, target) in zip(
        range(first, config.steps),
        sample_batches(config, first, accelerator.process_index),
        strict=False,
    ):
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(step, config)
        channels = channels.to(accelerator.device).float() / 255.0
        channels = channels.contiguous(memory_format=torch.channels_last_3d)
        target = target.to(accelerator.device)
        with accelerator.autocast():
            logits, distance = model(shown(channels, config.hidden))
        loss = volume_loss(logits, distance, channels, target, config)
        if not torch.isfinite(loss):
            raise TrainingError(
                f'the loss is {float(loss.detach())} at step {step}',
                wanted='a finite number',
                remedy='Resume from the last checkpoint with precision "no" or a lower rate.',
            )
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update_parameters(accelerator.unwrap_model(model))
        iou = float(solid_iou(logits.detach() > 0, channels, target).mean())
        running = iou if step == first else 0.98 * running + 0.02 * iou
        if (step + 1) % 20 == 0:
            LOG.info('step %d loss %.4f iou %.3f', step + 1, float(loss.detach()), running)
        if accelerator.is_main_process and _due(step + 1, config):
            checkpoint.save(step + 1)


def _due(step: int, config: TrainingConfig) -> bool:
    return step % config.save_every == 0 or step == config.steps


def fresh_network() -> VolumeNet:
    """Return the network that is trained, with random weights."""
    return VolumeNet(NetworkConfig(inputs=len(CHANNELS)))


def averaged_network(checkpoint: Path) -> VolumeNet:
    """Return the network with the running mean of weights of a checkpoint, ready to use."""
    model = fresh_network()
    load_average(checkpoint, model)
    return model


def load_config(file: Path | None) -> TrainingConfig:
    """Return the training configuration of a YAML file, or the defaults."""
    values = yaml.safe_load(file.read_text()) if file else {}
    return build(TrainingConfig, values)


def main() -> None:
    """Train as the configuration says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', type=Path, help='YAML of TrainingConfig')
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    train(load_config(parser.parse_args().config))


if __name__ == '__main__':
    main()
