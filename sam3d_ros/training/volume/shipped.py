# SPDX-License-Identifier: Apache-2.0
"""The shipped network as one that can be trained on: its file holds no batch normalisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from sam3d_ros.training.volume.network import VolumeNet

PREFIX, FOLDED = 'network.', '_bias'
LINEAR = ('bottleneck.1.qkv', 'bottleneck.1.out')
"""Layers whose weights are stored transposed and under no name."""


@torch.no_grad()
def load_shipped(network: VolumeNet, file: Path, channels: Tensor) -> None:
    """Load the weights of an exported network, with what it computes unchanged.

    An export folds each normalisation into the convolution before it, so that the file says
    only ``scale / deviation`` and ``shift - mean scale / deviation``. Mean and deviation are
    measured anew, and scale and shift set so that they cancel: to the network in use nothing
    changes, and in training batches are normalised by statistics that it knows.

    :param network: of the same architecture; any weights.
    :param file: ONNX file of :mod:`sam3d_ros.training.volume.export`.
    :param channels: (B, C, N, N, N) in [0, 1], samples to measure on.
    """
    graph = onnx.load(file).graph
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    state = {
        name.removeprefix(PREFIX): array
        for name, array in arrays.items()
        if name.startswith(PREFIX) and not name.endswith(f'weight{FOLDED}')
    }
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == 'MatMul'}
    for node in graph.node:
        for name in LINEAR:
            if f'{PREFIX}{name}.bias' in node.input:
                product = next(each for each in node.input if each in products)
                state[f'{name}.weight'] = arrays[products[product]].T
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    network.load_state_dict(tensors, strict=False)
    norms = {
        name: layer for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm3d)
    }
    for name, norm in norms.items():
        norm.reset_parameters()
        assert norm.running_var is not None
        norm.running_var.sub_(norm.eps)
        before, place = name.rsplit('.', 1)
        folded = arrays.get(f'{PREFIX}{before}.{int(place) - 1}.weight{FOLDED}')
        if folded is not None:
            norm.bias.copy_(torch.from_numpy(np.array(folded)))
    _measure(network, [*norms.values()], channels)


def _measure(network: VolumeNet, norms: list[nn.BatchNorm3d], channels: Tensor) -> None:
    """Give normalisations that do nothing the statistics of what they see, and undo these."""
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keep(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        spread, mean = torch.var_mean(inputs[0], dim=(0, 2, 3, 4), correction=0)
        seen[norm] = mean, spread

    hooks = [norm.register_forward_pre_hook(keep) for norm in norms]
    network.eval()
    network(channels)
    for hook, norm in zip(hooks, norms, strict=True):
        hook.remove()
        mean, spread = seen[norm]
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(spread)
        norm.weight.copy_((spread + norm.eps).sqrt())
        norm.bias.add_(mean)
