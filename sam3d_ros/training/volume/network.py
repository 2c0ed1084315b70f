# SPDX-License-Identifier: Apache-2.0
"""The completion network: a 3D U-Net (Cicek et al., MICCAI 2016) with bottleneck attention.

All work is done at half the grid's resolution and below: a strided convolution folds 2x2x2
voxels into channels and a transposed one unfolds them at the end, since layers at full resolution
cost more memory traffic than they earn on a CPU. Batch normalisation everywhere, so that an
exported graph folds it into the convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 8


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of the network: input channels, then channels at 1/2, 1/4 and 1/8 of the grid."""

    inputs: int
    widths: tuple[int, int, int] = (32, 64, 160)
    attention_heads: int = 4


class Residual(nn.Module):
    """Two 3x3x3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm3d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, n, n, n) features of the same shape."""
        return functional.relu(x + self.body(x))


class Attention(nn.Module):
    """Multi-head self-attention over all voxels of the coarsest level, with a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width, n, n, n) features of the same shape."""
        batch, width = x.shape[:2]
        tokens = x.flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm(tokens)).unflatten(2, (3, self.heads, width // self.heads))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5, dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, -1, width)
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


def _down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 2, stride=2, bias=False), nn.BatchNorm3d(outputs), nn.ReLU()
    )


def _up(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose3d(inputs, outputs, 2, stride=2, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


class VolumeNet(nn.Module):
    """Evidence channels to occupancy logits and truncated signed distance, in one pass."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.config = config
        self.stem = _down(config.inputs, half)
        self.down_quarter = _down(half, quarter)
        self.encode_quarter = Residual(quarter)
        self.down_eighth = _down(quarter, eighth)
        self.bottleneck = nn.Sequential(
            Residual(eighth), Attention(eighth, config.attention_heads), Residual(eighth)
        )
        self.up_quarter = _up(eighth, quarter)
        self.decode_quarter = Residual(quarter)
        self.up_half = _up(quarter, half)
        self.decode_half = Residual(half)
        self.head = nn.ConvTranspose3d(half, 2, 2, stride=2)

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, N, N, N) occupancy logits and signed distance in truncations, -1 inside.

        :param channels: (B, inputs, N, N, N) in [0, 1], N a multiple of 8.
        """
        out = self.head(self.features(channels))
        return out[:, 0], torch.tanh(out[:, 1])

    def features(self, channels: Tensor) -> Tensor:
        """Return the (B, L, N/2, N/2, N/2) features of the last layer but the head."""
        half = self.stem(channels)
        quarter = self.encode_quarter(self.down_quarter(half))
        eighth = self.bottleneck(self.down_eighth(quarter))
        quarter = self.decode_quarter(quarter + self.up_quarter(eighth))
        decoded: Tensor = self.decode_half(half + self.up_half(quarter))
        return decoded
