# SPDX-License-Identifier: Apache-2.0
"""Train the segmentation network; resumes from its last checkpoint, on CPU or GPU alike.

``python -m sam3d_ros.training.mini.train --config models/mini_training.yaml``, or in several
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
from torch.utils.data import DataLoader

from sam3d_ros.core.config import build
from sam3d_ros.core.errors import InputError
from sam3d_ros.training.checkpoints import Checkpoint, TrainingError, averaged, learning_rate
from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import Sample, ViewFiles
from sam3d_ros.training.mini.loss import Losses, losses
from sam3d_ros.training.mini.network import MiniNet

LOG = logging.getLogger(__name__)
LOG_EVERY = 20


def view_batches(config: TrainingConfig, step: int, process: int) -> Iterator[Sample]:
    """Yield training batches without end; the folder is read again at every pass.

    :param step: optimiser steps done before.
    :param process: each process of a distributed run draws its own order.
    :raises InputError: when there is not one batch of views.
    """
    while True:
        files = sorted((Path(config.data) / 'train').glob('*.npz'))
        if len(files) < config.batch:
            raise InputError(
                f'{len(files)} views in {config.data}/train',
                wanted=f'at least {config.batch}',
                remedy='Make them with python -m sam3d_ros.training.mini.scenes.',
            )
        seed = config.seed + 1000 * step + process
        loader = DataLoader(
            ViewFiles(files, config.prompts, varied=True, seed=seed),
            config.batch,
            shuffle=True,
            drop_last=True,
            num_workers=config.workers,
            generator=torch.Generator().manual_seed(seed),
        )
        for batch in loader:
            step += 1
            yield batch


def train(config: TrainingConfig) -> None:
    """Run the schedule to its end, from the last checkpoint in ``config.out`` if there is one."""
    accelerator = Accelerator(mixed_precision=config.precision)
    set_seed(config.seed)
    model = MiniNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    average = averaged(model, config.average)
    checkpoint = Checkpoint(Path(config.out) / 'checkpoint.pt', model, average, optimizer)
    first = checkpoint.resume()
    model, optimizer = accelerator.prepare(model, optimizer)
    average.to(accelerator.device)
    model.train()
    running: dict[str, float] = {}
    batches = view_batches(config, first, accelerator.process_index)
    for step, host in zip(range(first, config.steps), batches, strict=False):
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(step, config)
        batch = Sample(*(tensor.to(accelerator.device) for tensor in host))
        with accelerator.autocast():
            found = _forward(model, batch)
        terms = losses(*found, accelerator.unwrap_model(model).similarity, batch)
        loss = terms.total(config)
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
        _log(step + 1, terms, running)
        due = (step + 1) % config.save_every == 0 or step + 1 == config.steps
        if accelerator.is_main_process and due:
            checkpoint.save(step + 1)


def _forward(
    model: torch.nn.Module, batch: Sample
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    channels = batch.channels.contiguous(memory_format=torch.channels_last)
    masks, quality, dense = model(channels, batch.points, batch.labels, batch.outline)
    return masks, quality, dense


def _log(step: int, terms: Losses, running: dict[str, float]) -> None:
    """Log running means every now and then."""
    names = ('masks', 'pairs', 'middle', 'thing', 'chosen_iou', 'pair_accuracy')
    for name in names:
        value = float(getattr(terms, name).detach())
        running[name] = 0.97 * running.get(name, value) + 0.03 * value
    if step % LOG_EVERY == 0:
        LOG.info('step %d %s', step, ' '.join(f'{name} {running[name]:.3f}' for name in names))


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
