# SPDX-License-Identifier: Apache-2.0
"""Calibrate the trained network, write it as one ONNX file, check it and register its hash.

``python -m sam3d_ros.training.volume.export --run DIR --data DIR --models models``
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.weights import REGISTRY, file_hash
from sam3d_ros.reconstruction.completion.volume import GRID, INFERRED, WEIGHTS, run_network
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS
from sam3d_ros.training.volume.calibration import calibration_error, fit_temperature
from sam3d_ros.training.volume.data import SampleFiles
from sam3d_ros.training.volume.loss import FREE, FULL_SCALE
from sam3d_ros.training.volume.network import VolumeNet
from sam3d_ros.training.volume.train import averaged_network

LOG = logging.getLogger(__name__)
FILES = {WEIGHTS: f'volume_{GRID}.onnx', INFERRED: f'volume_{GRID}_inferred.onnx'}
LARGEST_DIFFERENCE = 1e-3
NEAR_SURFACE = 0.6
"""Distance, in truncations, within which the published distance is fitted."""


@dataclass(frozen=True)
class Calibration:
    """How logits become what the backend publishes.

    :param temperature: logits are divided by it before they are squashed to probabilities.
    :param slope: truncations of distance per unit of logit, near the surface.
    """

    temperature: float
    slope: float


class CalibratedNet(nn.Module):
    """A network whose logits are turned into probabilities and signed distances.

    The distance is the logit's level set, ``tanh(-slope logit)``, so that its sign agrees with
    the probability. On held-out objects it lies closer to the truth than the network's distance
    output, which earns its keep as a second loss in training.
    """

    def __init__(self, network: VolumeNet, calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.calibration = calibration

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, N, N, N) probabilities and signed distances in truncations, and features."""
        features = self.network.features(channels)
        logits = self.network.head(features)[:, 0]
        distance = torch.tanh(-self.calibration.slope * logits)
        return torch.sigmoid(logits / self.calibration.temperature), distance, features


@torch.no_grad()
def open_voxels(network: VolumeNet, files: list[Path]) -> tuple[Tensor, Tensor]:
    """Return logits and true distances of every voxel that no ray saw through, flat."""
    logits, truths = [], []
    for channels, target in DataLoader(SampleFiles(files, mirror=False), batch_size=4):
        undecided = channels[:, FREE] == 0
        logits.append(network(channels.float() / 255.0)[0][undecided])
        truths.append(target[undecided].float() / FULL_SCALE)
    return torch.cat(logits), torch.cat(truths)


def fit_slope(logits: Tensor, distance: Tensor) -> float:
    """Return the slope that brings ``tanh(-slope logit)`` closest to the truth near surfaces."""
    near = distance.abs() < NEAR_SURFACE
    logits, distance = logits[near], distance[near]

    def error(slope: float) -> float:
        return float((torch.tanh(-slope * logits) - distance).abs().mean())

    return float(minimize_scalar(error, bounds=(0.005, 1.0), method='bounded').x)


def calibrate(network: VolumeNet, files: list[Path]) -> Calibration:
    """Return the calibration of a network on held-out samples."""
    logits, distance = open_voxels(network, files)
    inside = distance < 0
    fitted = Calibration(fit_temperature(logits, inside), fit_slope(logits, distance))
    LOG.info(
        '%s; calibration error %.4f before, %.4f after',
        fitted,
        calibration_error(torch.sigmoid(logits), inside),
        calibration_error(torch.sigmoid(logits / fitted.temperature), inside),
    )
    return fitted


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
        output_names=['probability', 'distance', 'features'],
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


def register(models: Path, name: str, file_name: str) -> None:
    """Put hash and size of the file of the weights ``name`` into the registry of ``models``."""
    path = models / REGISTRY
    registry = yaml.safe_load(path.read_text())
    entry = next(item for item in registry['weights'] if item['name'] == name)
    file = models / file_name
    entry |= {'file': file_name, 'sha256': file_hash(file), 'size': file.stat().st_size}
    path.write_text(yaml.safe_dump(registry, sort_keys=False, width=120))


def main() -> None:
    """Export the last checkpoint of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True, help='folder of the checkpoint')
    parser.add_argument('--data', type=Path, required=True, help='folder with validation/')
    parser.add_argument('--models', type=Path, default=Path('models'))
    parser.add_argument('--name', choices=FILES, default=WEIGHTS, help='what they are used as')
    parser.add_argument('--samples', type=int, default=160, help='validation samples to use')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    network = averaged_network(arguments.run / 'checkpoint.pt')
    files = sorted((arguments.data / 'validation').glob('*.npz'))[: arguments.samples]
    calibrated = CalibratedNet(network, calibrate(network, files)).eval()
    write_onnx(calibrated, arguments.models / FILES[arguments.name])
    register(arguments.models, arguments.name, FILES[arguments.name])


if __name__ == '__main__':
    main()
