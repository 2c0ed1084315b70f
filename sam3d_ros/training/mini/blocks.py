# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the network: convolutions with batch normalisation, and attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """Return a 3x3 convolution with normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def down(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution of 2x2 cells to one."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 2, stride=2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def up(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution of one cell to 2x2."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False), nn.BatchNorm2d(outputs)
    )


def project(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution of each cell by itself."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, h, w) features of the same shape."""
        return functional.relu(x + self.second(self.first(x)))


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al., NeurIPS 2017), inside at a share of the width."""

    def __init__(self, width: int, heads: int, share: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width // share) for _ in range(3))
        self.out = nn.Linear(width // share, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return (B, Q, width) values mixed for (B, Q, width) queries."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        weights = torch.softmax(q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2), dim=-1)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


def _perceptron(width: int, factor: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, factor * width), nn.ReLU(), nn.Linear(factor * width, width)
    )


class Block(nn.Module):
    """A transformer block over all cells of an image, normalised first.

    A depthwise 3x3 convolution tells places apart (Chu et al., "Conditional Positional Encodings
    for Vision Transformers", ICLR 2023), at any size of image.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm_attention, self.norm_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.perceptron = _perceptron(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, h, w) features of the same shape."""
        x = x + self.place(x)
        cells = x.flatten(2).transpose(1, 2)
        known = self.norm_attention(cells)
        cells = cells + self.attention(known, known, known)
        cells = cells + self.perceptron(self.norm_perceptron(cells))
        return cells.transpose(1, 2).unflatten(2, x.shape[-2:])


class TwoWay(nn.Module):
    """Tokens attend to each other and the image, then the image to the tokens (SAM, figure 14)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.among = Attention(width, heads)
        self.to_image = Attention(width, heads, share=2)
        self.perceptron = _perceptron(width, 2)
        self.to_tokens = Attention(width, heads, share=2)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(
        self, tokens: Tensor, image: Tensor, prompts: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return tokens (B, N, width) and image (B, cells, width), both updated.

        :param prompts: (B, N, width) tokens as they were at first, added wherever places matter.
        :param position: (cells, width) places of the image's cells.
        """
        placed = tokens + prompts
        tokens = self.norms[0](tokens + self.among(placed, placed, tokens))
        tokens = self.norms[1](tokens + self.to_image(tokens + prompts, image + position, image))
        tokens = self.norms[2](tokens + self.perceptron(tokens))
        image = self.norms[3](image + self.to_tokens(image + position, tokens + prompts, tokens))
        return tokens, image
