# SPDX-License-Identifier: Apache-2.0
"""Calibrate the trained network, write it as one ONNX file, check it and register its hash.

``python -m sam3d_ros.training.volume.export --run DIR --data DIR --models models``
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.weights import REGISTRY, file_hash
from sam3d_ros.reconstruction.volume import GRID, WEIGHTS, run_network
from sam3d_ros.reconstruction.volume_input import CHANNELS
from sam3d_ros.training.volume.calibration import calibration_error, fit_temperature
from sam3d_ros.training.volume.data import SampleFiles
from sam3d_ros.training.volume.loss import FREE
from sam3d_ros.training.volume.network import VolumeNet
from sam3d_ros.training.volume.train import averaged_network

LOG = logging.getLogger(__name__)
FILE = f'volume_{GRID}.onnx'
LARGEST_DIFFERENCE = 1e-3


class CalibratedNet(nn.Module):
    """A network whose logits are divided by a temperature and squashed to probabilities."""

    def __init__(self, network: VolumeNet, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, N, N, N) probabilities and signed distances in truncations."""
        logits, distance = self.network(channels)
        return torch.sigmoid(logits / self.temperature), distance


@torch.no_grad()
def open_voxels(network: VolumeNet, files: list[Path]) -> tuple[Tensor, Tensor]:
    """Return the logits and the truth (bool) of every voxel that no ray saw through, flat."""
    logits, truths = [], []
    for channels, target in DataLoader(SampleFiles(files, mirror=False), batch_size=4):
        undecided = channels[:, FREE] == 0
        logits.append(network(channels.float() / 255.0)[0][undecided])
        truths.append((target < 0)[undecided])
    return torch.cat(logits), torch.cat(truths)


def write_onnx(network: nn.Module, file: Path) -> None:
    """Write a network with a free batch size and check it against torch.

    :raises BackendError: when ONNX Runtime computes something else than torch.
    """
    shape = (2, len(CHANNELS), GRID, GRID, GRID)
    channels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    example = torch.from_numpy(channels).float() / 255.0
    torch.onnx.export(
        network,
        (example,),
        str(file),
        input_names=['channels'],
        output_names=['probability', 'distance'],
        dynamic_shapes=({0: torch.export.Dim('batch')},),
        dynamo=True,
        external_data=False,
    )
    with torch.no_grad():
        wanted = network(example)
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    for found, truth in zip(run_network(session, channels), wanted, strict=True):
        difference = float(np.abs(found - truth.numpy()).max())
        if difference > LARGEST_DIFFERENCE:
            raise BackendError(f'{file} differs from torch by {difference:.2g}')


def register(models: Path) -> None:
    """Put the file's hash and size into the registry of ``models``."""
    path = models / REGISTRY
    registry = yaml.safe_load(path.read_text())
    entry = next(item for item in registry['weights'] if item['name'] == WEIGHTS)
    file = models / FILE
    entry |= {'file': FILE, 'sha256': file_hash(file), 'size': file.stat().st_size}
    path.write_text(yaml.safe_dump(registry, sort_keys=False, width=99))


def main() -> None:
    """Export the last checkpoint of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True, help='folder of the checkpoint')
    parser.add_argument('--data', type=Path, required=True, help='folder with validation/')
    parser.add_argument('--models', type=Path, default=Path('models'))
    parser.add_argument('--samples', type=int, default=160, help='validation samples to use')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    network = averaged_network(arguments.run / 'checkpoint.pt')
    files = sorted((arguments.data / 'validation').glob('*.npz'))[: arguments.samples]
    logits, truth = open_voxels(network, files)
    temperature = fit_temperature(logits, truth)
    LOG.info(
        'temperature %.3f, calibration error %.4f before, %.4f after',
        temperature,
        calibration_error(torch.sigmoid(logits), truth),
        calibration_error(torch.sigmoid(logits / temperature), truth),
    )
    write_onnx(CalibratedNet(network, temperature).eval(), arguments.models / FILE)
    register(arguments.models)


if __name__ == '__main__':
    main()
