# SPDX-License-Identifier: Apache-2.0
"""The picture encoder of names: EfficientNet-Lite0 to its pooled features, as ONNX.

``python -m sam3d_ros.training.names.encoder --out models/names_encoder.onnx`` fetches the weights.

Beyond the stages of :mod:`sam3d_ros.training.mini.eyes` come the last two and the head of Tan and
Le, "EfficientNet" (ICML 2019), table 1. Nothing is trained here. Weights are stored in 16 bits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from sam3d_ros.geometry.crops import SIDE_PX
from sam3d_ros.training.mini.eyes import (
    NORM,
    STAGES,
    Conv,
    Eyes,
    published_weights,
)

ALL_STAGES = (*STAGES, (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))
FEATURES = 1280
LEAST_STORED = 4096
"""Weights with fewer numbers stay in 32 bits."""


class Encoder(nn.Module):
    """Pictures to features that a linear classifier of ImageNet reads."""

    def __init__(self) -> None:
        super().__init__()
        self.eyes = Eyes(ALL_STAGES)
        self.head = Conv(ALL_STAGES[-1][3], FEATURES, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (B, 1280) features of (B, 3, SIDE, SIDE) RGB values, 0..255."""
        *_, last = self.eyes(pictures / 127.5 - 1)
        features: Tensor = self.head(last).mean(dim=(2, 3))
        return features

    def take(self, state: dict[str, Tensor]) -> None:
        """Take the published weights, by their names.

        :raises KeyError: when one is missing.
        """
        self.eyes.load_state_dict({own: state[name] for own, name in self.eyes.published()})
        names = {leaf: f'_bn1.{NORM[leaf]}' for leaf in NORM} | {'weight': '_conv_head.weight'}
        self.head.load_state_dict({own: state[name] for own, name in names.items()})


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose large weights are stored in 16 bits and widened when it is loaded."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LEAST_STORED:
            name = tensor.name
            half = numpy_helper.from_array(values.astype(np.float16), f'{name}_16')
            tensor.CopyFrom(half)
            casts.append(
                onnx.helper.make_node('Cast', [f'{name}_16'], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def main() -> None:
    """Fetch the weights and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='file to write (.onnx)')
    out: Path = parser.parse_args().out
    network = Encoder().eval()
    network.take(published_weights())
    example = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
    torch.onnx.export(
        network, (example,), str(out), input_names=['pictures'], output_names=['features'],
        dynamo=True, external_data=False,
    )  # fmt: skip
    onnx.save(halved(onnx.load(out)), out)


if __name__ == '__main__':
    main()
