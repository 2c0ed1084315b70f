# SPDX-License-Identifier: Apache-2.0
"""Train the volume completion; resumes from its last checkpoint, on CPU or GPU alike.

``python -m sam3d_ros.training.volume.train --config models/volume_training.yaml``, or in several
processes with ``torchrun --nproc_per_node 2 -m ...``: each then takes a batch of its own per step.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn

from sam3d_ros.reconstruction.completion.volume_input import CHANNELS
from sam3d_ros.training.checkpoints import load_average
from sam3d_ros.training.loop import run, run_command, sample_batches
from sam3d_ros.training.volume.config import TrainingConfig
from sam3d_ros.training.volume.data import SampleFiles
from sam3d_ros.training.volume.loss import solid_iou, volume_loss
from sam3d_ros.training.volume.network import NetworkConfig, VolumeNet
from sam3d_ros.training.volume.shipped import load_shipped

MAKER = 'sam3d_ros.training.volume.samples'
MEASURED = 32
"""Samples that statistics of shipped weights are measured on."""


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
    model = started_network(config)
    model = model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def loss_of(
        network: nn.Module, batch: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Mapping[str, float]]:
        channels, target = (part.to(accelerator.device) for part in batch)
        channels = channels.float() / 255.0
        channels = channels.contiguous(memory_format=torch.channels_last_3d)
        with accelerator.autocast():
            logits, distance = network(shown(channels, config.hidden))
        loss = volume_loss(logits, distance, channels, target, config)
        iou = solid_iou(logits.detach() > 0, channels, target).mean()
        return loss, {'iou': float(iou)}

    def samples(files: list[Path], seed: int) -> SampleFiles:
        return SampleFiles(files, mirror=True, seed=seed, colourless=config.colourless)

    batches = partial(sample_batches, config, samples, MAKER)
    run(config, accelerator, model, batches, loss_of)


def fresh_network() -> VolumeNet:
    """Return the network that is trained, with random weights."""
    return VolumeNet(NetworkConfig(inputs=len(CHANNELS)))


def started_network(config: TrainingConfig) -> VolumeNet:
    """Return the network that a run begins with."""
    if not config.start.endswith('.onnx'):
        return averaged_network(Path(config.start)) if config.start else fresh_network()
    files = sorted((Path(config.data) / 'train').glob('*.npz'))[:MEASURED]
    samples = SampleFiles(files, mirror=False)
    channels = torch.stack([samples[number][0] for number in range(len(files))])
    model = fresh_network()
    load_shipped(model, Path(config.start), channels.float() / 255.0)
    return model


def averaged_network(checkpoint: Path) -> VolumeNet:
    """Return the network with the running mean of weights of a checkpoint, ready to use."""
    model = fresh_network()
    load_average(model, checkpoint)
    return model


if __name__ == '__main__':
    run_command(__doc__, TrainingConfig, train)
