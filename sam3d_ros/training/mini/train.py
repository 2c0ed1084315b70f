# SPDX-License-Identifier: Apache-2.0
"""Train the segmentation network; resumes from its last checkpoint, on CPU or GPU alike.

``python -m sam3d_ros.training.mini.train --config models/mini_training.yaml``, or in several
processes with ``torchrun --nproc_per_node 2 -m ...``: each then takes a batch of its own per step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn

from sam3d_ros.training.checkpoints import load_average
from sam3d_ros.training.loop import run, run_command, sample_batches
from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import Sample, ViewFiles
from sam3d_ros.training.mini.loss import losses
from sam3d_ros.training.mini.network import MiniNet, NetworkConfig

MAKER = 'sam3d_ros.training.views'
"""Not imported: it draws worlds, which training alone need not be able to."""

LOGGED = ('masks', 'pairs', 'middle', 'thing', 'joined', 'chosen_iou', 'pair_accuracy')


def view_batches(config: TrainingConfig, step: int, process: int) -> Iterator[Sample]:
    """Yield training batches without end, see :func:`sample_batches`."""

    def views(files: list[Path], seed: int) -> ViewFiles:
        return ViewFiles(files, config.prompts, varied=True, seed=seed)

    return sample_batches(config, views, MAKER, step, process)


def train(config: TrainingConfig) -> None:
    """Run the schedule to its end, from the last checkpoint in ``config.out`` if there is one."""
    accelerator = Accelerator(mixed_precision=config.precision)
    set_seed(config.seed)
    model = MiniNet(NetworkConfig(eyes=bool(config.eyes)))
    if model.encoder.eyes:
        model.encoder.eyes.load(Path(config.eyes))
        model.encoder.eyes.requires_grad_(config.eyes_rate > 0)
    if config.start:
        load_average(model, Path(config.start) / 'checkpoint.pt')
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss_of(network: nn.Module, host: Sample) -> tuple[Tensor, Mapping[str, float]]:
        batch = Sample(*(tensor.to(accelerator.device) for tensor in host))
        channels = batch.channels.contiguous(memory_format=torch.channels_last)
        with accelerator.autocast():
            masks, quality, dense = network(channels, batch.points, batch.labels, batch.outline)
        similarity = accelerator.unwrap_model(network).similarity
        terms = losses(masks, quality, dense, similarity, batch)
        figures = {name: float(getattr(terms, name).detach()) for name in LOGGED}
        return terms.total(config), figures

    def batches(step: int, process: int) -> Iterator[Sample]:
        return view_batches(config, step, process)

    run(config, accelerator, model, batches, loss_of, {'encoder.eyes.': config.eyes_rate})


if __name__ == '__main__':
    run_command(__doc__, TrainingConfig, train)
