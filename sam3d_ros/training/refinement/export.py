# SPDX-License-Identifier: Apache-2.0
"""Write the trained refinement as one ONNX file, check it and register its hash.

``python -m sam3d_ros.training.refinement.export --run DIR --models models``
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from sam3d_ros.core.errors import BackendError
from sam3d_ros.reconstruction.refinement.blocks import (
    COARSE_CHANNELS,
    CORE,
    FACTOR,
    FEATURES,
    FINE_CHANNELS,
    HALO,
)
from sam3d_ros.reconstruction.refinement.refiner import WEIGHTS, run_network
from sam3d_ros.training.checkpoints import load_average
from sam3d_ros.training.refinement.network import RefinementNet, scaled
from sam3d_ros.training.volume.export import register

FILE = 'refinement.onnx'
LARGEST_DIFFERENCE = 1e-3
"""Fine voxels."""
BELIEVED, MOST = 0.5, 1.0
"""Share of what the network adds to the coarse distance that is added, and fine voxels that are
added at most: of things that it has not seen it knows less than it thinks."""


class ShippedNet(nn.Module):
    """A network that is believed in part."""

    def __init__(self, network: RefinementNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, coarse: Tensor, fine: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return signed distance and wall thickness as :class:`RefinementNet` does."""
        before, change, thickness = self.network.parts(coarse, fine, features)
        return before + (BELIEVED * change).clamp(-MOST, MOST), thickness


def write_onnx(network: nn.Module, file: Path) -> None:
    """Write a network with a free number of blocks and check it against torch.

    :param network: with its final weights.
    :raises BackendError: when ONNX Runtime computes something else than torch.
    """
    rng, side = np.random.default_rng(0), CORE + 2 * HALO
    coarse = rng.integers(0, 256, (2, len(COARSE_CHANNELS), *(side,) * 3), np.uint8)
    fine = rng.integers(0, 256, (2, len(FINE_CHANNELS), *(FACTOR * side,) * 3), np.uint8)
    features = rng.random((2, FEATURES, *(side // 2,) * 3), np.float32)
    example = (
        *(scaled(torch.from_numpy(part)) for part in (coarse, fine)),
        torch.from_numpy(features),
    )
    blocks = {0: torch.export.Dim('blocks')}
    torch.onnx.export(
        network,
        example,
        str(file),
        input_names=['coarse', 'fine', 'features'],
        output_names=['distance', 'thickness'],
        dynamic_shapes=(blocks, blocks, blocks),
        dynamo=True,
        external_data=False,
    )
    with torch.no_grad():
        wanted = network(*example)
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    for found, truth in zip(run_network(session, coarse, fine, features), wanted, strict=True):
        difference = float(np.abs(found - truth.numpy()).max())
        if difference > LARGEST_DIFFERENCE:
            raise BackendError(f'{file} differs from torch by {difference:.2g}')


def main() -> None:
    """Export the running mean of the weights of the last checkpoint of a run, or of several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--run', type=Path, nargs='+', required=True, help='folders of checkpoints'
    )
    parser.add_argument('--models', type=Path, default=Path('models'))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    network = RefinementNet()
    load_average(network, *(folder / 'checkpoint.pt' for folder in arguments.run))
    write_onnx(ShippedNet(network).eval(), arguments.models / FILE)
    register(arguments.models, WEIGHTS, FILE)


if __name__ == '__main__':
    main()
