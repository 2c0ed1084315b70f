# SPDX-License-Identifier: Apache-2.0
"""The loop of every training: resumes from its last checkpoint, on CPU, one GPU or many alike."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import torch
import yaml
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from sam3d_ros.core.config import build
from sam3d_ros.core.errors import InputError
from sam3d_ros.training.checkpoints import (
    Checkpoint,
    Schedule,
    TrainingError,
    averaged,
    learning_rate,
    parameter_groups,
)

LOG = logging.getLogger(__name__)
LOG_EVERY = 20
KEPT = 0.98
"""Share of a logged running mean that a step leaves."""

Batch = TypeVar('Batch')
Config = TypeVar('Config')


class LoopConfig(Schedule, Protocol):
    """The options of a run that the loop reads."""

    @property
    def data(self) -> str:
        """Folder with train/."""

    @property
    def out(self) -> str:
        """Folder of checkpoints."""

    @property
    def seed(self) -> int:
        """Seed of the order of samples."""

    @property
    def batch(self) -> int:
        """Samples per step."""

    @property
    def weight_decay(self) -> float:
        """Decoupled weight decay."""

    @property
    def average(self) -> float:
        """Decay of the running mean of weights."""

    @property
    def save_every(self) -> int:
        """Steps between checkpoints."""


class SampleConfig(LoopConfig, Protocol):
    """The options of a run on whole samples that the loader reads."""

    @property
    def workers(self) -> int:
        """Processes that read samples."""


def load_config(schema: type[Config], file: Path | None) -> Config:
    """Return the training configuration of a YAML file, or the defaults."""
    return build(schema, yaml.safe_load(file.read_text()) if file else {})


def run_command(description: str, schema: type[Config], train: Callable[[Config], None]) -> None:
    """Train as the file of the command line's ``--config`` says; progress goes to stderr.

    :param description: of the command.
    :param schema: of the file; its defaults without one.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--config', type=Path, help=f'YAML of {schema.__name__}')
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    train(load_config(schema, parser.parse_args().config))


def sample_files(config: LoopConfig, least: int, maker: str) -> list[Path]:
    """Return the training samples that there are now, sorted.

    :param least: how many there must be.
    :param maker: module whose command makes them.
    :raises InputError: when there are fewer.
    """
    files = sorted((Path(config.data) / 'train').glob('*.npz'))
    if len(files) < least:
        raise InputError(
            f'{len(files)} samples in {config.data}/train',
            wanted=f'at least {least}',
            remedy=f'Make them with python -m {maker}.',
        )
    return files


def sample_batches(
    config: SampleConfig,
    dataset: Callable[[list[Path], int], Dataset[Batch]],
    maker: str,
    step: int,
    process: int,
) -> Iterator[Batch]:
    """Yield training batches without end; the folder is read again at every pass.

    :param dataset: made of the files of a pass and its seed.
    :param maker: module whose command makes the samples.
    :param step: optimiser steps done before.
    :param process: each process of a distributed run draws its own order.
    :raises InputError: when there is not one batch of samples.
    """
    while True:
        files = sample_files(config, config.batch, maker)
        seed = config.seed + 1000 * step + process
        loader: DataLoader[Batch] = DataLoader(
            dataset(files, seed),
            config.batch,
            shuffle=True,
            drop_last=True,
            num_workers=config.workers,
            generator=torch.Generator().manual_seed(seed),
        )
        for batch in loader:
            step += 1
            yield batch


def run(
    config: LoopConfig,
    accelerator: Accelerator,
    model: nn.Module,
    batches: Callable[[int, int], Iterator[Batch]],
    loss_of: Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, float]]],
    rates: Mapping[str, float] | None = None,
) -> None:
    """Run the schedule to its end with AdamW, from the last checkpoint if there is one.

    :param batches: given the steps done and the number of the process.
    :param loss_of: a batch's loss, and figures whose running means are logged.
    :param rates: learning rates of parts over that of the rest, by how their names begin.
    :raises TrainingError: when the loss is not finite.
    """
    shares, groups = parameter_groups(model, rates or {})
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    average = averaged(model, config.average)
    checkpoint = Checkpoint(Path(config.out) / 'checkpoint.pt', model, average, optimizer)
    first = checkpoint.resume()
    model, optimizer = accelerator.prepare(model, optimizer)
    average.to(accelerator.device)
    model.train()
    running: dict[str, float] = {}
    drawn = batches(first, accelerator.process_index)
    for step, batch in zip(range(first, config.steps), drawn, strict=False):
        for share, group in zip(shares, optimizer.param_groups, strict=True):
            group['lr'] = share * learning_rate(step, config)
        loss, figures = loss_of(model, batch)
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
        told = {'loss': float(loss.detach()), **figures}
        for name, value in told.items():
            running[name] = KEPT * running.get(name, value) + (1 - KEPT) * value
        if (step + 1) % LOG_EVERY == 0:
            means = ' '.join(f'{name} {running[name]:.3f}' for name in told)
            LOG.info('step %d %s', step + 1, means)
        due = (step + 1) % config.save_every == 0 or step + 1 == config.steps
        if accelerator.is_main_process and due:
            checkpoint.save(step + 1)
