# SPDX-License-Identifier: Apache-2.0
"""Write the trained network as two ONNX files, check them against torch, register their hashes.

``python -m sam3d_ros.training.mini.export --config YAML --run DIR --data VIEWS --models models``.
Of several runs, each begun where the one before ended, the mean weights are written.
The encoder, which runs for every frame, computes its convolutions in 8 bits; their ranges are
taken from views.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.weights import REGISTRY, file_hash
from sam3d_ros.core.types import Float32Array
from sam3d_ros.segmentation.mini.inputs import CHANNELS, channels
from sam3d_ros.segmentation.mini.network import DECODER, ENCODER, Network
from sam3d_ros.training.borders import view_files
from sam3d_ros.training.checkpoints import load_average
from sam3d_ros.training.loop import load_config
from sam3d_ros.training.mini.config import TrainingConfig
from sam3d_ros.training.mini.data import observed
from sam3d_ros.training.mini.eyes import STEM
from sam3d_ros.training.mini.network import MiniNet, NetworkConfig
from sam3d_ros.training.mini.prompting import POINTS
from sam3d_ros.training.views import load

FILES = {ENCODER: 'mini_encoder.onnx', DECODER: 'mini_decoder.onnx'}
LARGEST_DIFFERENCE = 1e-3
"""Largest difference to torch, of values about 1 to 10."""
EXAMPLE = (160, 192)
CALIBRATION_VIEWS = 24
LARGEST_ROUNDING = 0.1
"""Largest root mean square error of an output in 8 bits, of its standard deviation."""


@torch.no_grad()
def scale_embedding(network: MiniNet) -> None:
    """Scale the embedding so that log-odds fall by its squared distance, with a slope of 1."""
    offset, slope = network.similarity
    rows = network.config.embedding
    network.encoder.dense.weight[:rows] *= torch.exp(slope / 2)
    assert network.encoder.dense.bias is not None
    network.encoder.dense.bias[:rows] *= torch.exp(slope / 2)
    network.similarity.copy_(torch.stack([offset, torch.zeros(())]))


def write_onnx(network: MiniNet, folder: Path) -> None:
    """Write encoder and decoder for any size of image and number of prompts, and check them.

    :raises BackendError: when ONNX Runtime computes something else than torch.
    """
    channels, prompts = example(*EXAMPLE, prompts=2)
    with torch.no_grad():
        features, tokens, _ = network.encoder(channels)
    rows, columns = torch.export.Dim('rows'), torch.export.Dim('columns')
    _write(
        network.encoder,
        (channels,),
        folder / FILES[ENCODER],
        {'channels': {2: 16 * rows, 3: 16 * columns}},
        ['features', 'tokens', 'dense'],
    )
    count, points = torch.export.Dim('count'), torch.export.Dim('points')
    small = {2: 2 * rows, 3: 2 * columns}
    _write(
        network.decoder,
        (features, tokens, *prompts),
        folder / FILES[DECODER],
        {
            'features': {2: 8 * rows, 3: 8 * columns},
            'tokens': small,
            'points': {1: count, 2: points},
            'labels': {1: count, 2: points},
            'outline': {1: count, 3: 2 * rows, 4: 2 * columns},
        },
        ['masks', 'quality'],
    )
    check(network, folder)


def example(rows: int, columns: int, prompts: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return a random input of the encoder, and points, labels and outlines of prompts."""
    rng = np.random.default_rng(0)
    channels = rng.normal(0, 0.5, (1, len(CHANNELS), rows, columns)).astype(np.float32)
    points = rng.random((1, prompts, POINTS, 2), np.float32)
    labels = rng.integers(-1, 4, (1, prompts, POINTS))
    outline = rng.random((1, prompts, 4, rows // 8, columns // 8), np.float32)
    asked = (torch.from_numpy(item) for item in (points, labels, outline))
    return torch.from_numpy(channels), tuple(asked)  # type: ignore[return-value]


def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    file: Path,
    shapes: Mapping[str, Mapping[int, object]],
    outputs: list[str],
) -> None:
    torch.onnx.export(
        module,
        inputs,
        str(file),
        input_names=list(shapes),
        output_names=outputs,
        dynamic_shapes=tuple(shapes.values()),
        dynamo=True,
        external_data=False,
    )


@torch.no_grad()
def check(network: MiniNet, folder: Path) -> None:
    """Compare the files with torch at another size and number of prompts.

    :raises BackendError: when they differ.
    """
    written = Network.of(folder / FILES[ENCODER], folder / FILES[DECODER])
    channels, prompts = example(96, 128, prompts=3)
    features, tokens, dense = network.encoder(channels)
    masks, quality = network.decoder(features, tokens, *prompts)
    encoded = written.encode(channels[0].numpy())
    answer = written.decode(encoded, *(item[0].numpy() for item in prompts))
    pairs = (
        ('features', encoded.features, features),
        ('dense', encoded.dense, dense[0]),
        ('masks', answer.masks, masks[0]),
        ('quality', answer.quality, quality[0]),
    )
    for name, found, wanted in pairs:
        difference = float(np.abs(found - wanted.numpy()).max())
        if difference > LARGEST_DIFFERENCE:
            raise BackendError(f'{name} in {folder} differ from torch by {difference:.2g}')


class _Views(CalibrationDataReader):  # type: ignore[misc]
    """Hands inputs of the encoder to the calibration one by one."""

    def __init__(self, views: Sequence[Float32Array]) -> None:
        self._left = iter(views)

    def get_next(self) -> dict[str, Float32Array] | None:
        """Return the next input, or None at the end."""
        view = next(self._left, None)
        return None if view is None else {'channels': view[None]}


def calibration(data: Path) -> list[Float32Array]:
    """Return (C, h, w) float32 inputs, evenly chosen among the stored views of a folder.

    :raises InputError: when there are none.
    """
    files = view_files(data)
    chosen = files[:: max(1, len(files) // CALIBRATION_VIEWS)][:CALIBRATION_VIEWS]
    return [channels(observed(load(file).frame)) for file in chosen]


def quantise(folder: Path, views: Sequence[Float32Array]) -> None:
    """Replace the encoder in ``folder`` by one with 8-bit convolutions, and check it.

    Weights have 7 bits, so that sums do not saturate on processors without VNNI. The layers that
    give tokens and the dense output stay as they are, and the first two that see colour: their
    large weights cancel each other.

    :raises BackendError: when an output differs too much from that of the encoder before.
    """
    file, decoder = folder / FILES[ENCODER], folder / FILES[DECODER]
    before = [Network.of(file, decoder).encode(view) for view in views]
    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary) / file.name
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared)).graph
        last = [node.name for node in graph.node if {'tokens', 'dense'} & set(node.output)]
        quantize_static(
            str(prepared),
            str(file),
            _Views(views),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=['Conv', 'Clip', 'Relu'],
            nodes_to_exclude=last + _first_of_eyes(graph),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    after = [Network.of(file, decoder).encode(view) for view in views]
    for name in ('features', 'tokens', 'dense'):
        wanted, found = (
            np.concatenate([getattr(item, name).ravel() for item in items])
            for items in (before, after)
        )
        error = float(np.sqrt(np.square(found - wanted).mean()) / wanted.std())
        if error > LARGEST_ROUNDING:
            raise BackendError(
                f'{name} of {file} in 8 bits are off by {error:.2g} of their spread'
            )


def _first_of_eyes(graph: onnx.GraphProto) -> list[str]:
    """Names of the first two convolutions of the colour encoder, told by shapes of weights."""
    shapes = {item.name: tuple(item.dims) for item in graph.initializer}
    first = {(STEM, 3, 3, 3), (STEM, 1, 3, 3)}
    return [
        node.name
        for node in graph.node
        if node.op_type == 'Conv' and shapes.get(node.input[1]) in first
    ]


def register(models: Path) -> None:
    """Put hashes and sizes of the files into the registry of ``models``."""
    path = models / REGISTRY
    registry = yaml.safe_load(path.read_text())
    for entry in registry['weights']:
        if entry['name'] in FILES:
            file = models / FILES[entry['name']]
            entry |= {'file': file.name, 'sha256': file_hash(file), 'size': file.stat().st_size}
    path.write_text(yaml.safe_dump(registry, sort_keys=False, width=120))


def main() -> None:
    """Export the last checkpoint of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', type=Path, help='YAML of TrainingConfig')
    parser.add_argument('--run', type=Path, nargs='+', required=True, help='its checkpoints')
    parser.add_argument('--data', type=Path, required=True, help='folder of stored views')
    parser.add_argument('--models', type=Path, default=Path('models'))
    arguments = parser.parse_args()
    has_eyes = bool(load_config(TrainingConfig, arguments.config).eyes)
    network = MiniNet(NetworkConfig(eyes=has_eyes))
    load_average(network, *(run / 'checkpoint.pt' for run in arguments.run))
    scale_embedding(network)
    write_onnx(network, arguments.models)
    quantise(arguments.models, calibration(arguments.data))
    register(arguments.models)


if __name__ == '__main__':
    main()
