# SPDX-License-Identifier: Apache-2.0
"""The refinement network: a small U-Net over one block, which works at the coarse resolution.

What it adds to the coarse distance, upsampled, begins as nothing, so that a block is never worse
than before for want of training. The coarse network's last features, which know the whole thing,
come in at half the coarse resolution.
"""

from __future__ import annotations

from torch import Tensor, nn, stack
from torch.nn import functional

from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.refinement.blocks import (
    COARSE_CHANNELS,
    FACTOR,
    FEATURES,
    FINE_CHANNELS,
    HALO,
)
from sam3d_ros.training.volume.network import Residual

WIDTH, DEEP_WIDTH = 16, 40
"""Channels at the coarse resolution, and at half of it."""
FULL_SCALE = 2.0 * FACTOR * EvidenceConfig().truncation_voxels
"""Fine voxels of signed distance between 0 and 1 of the channel ``completed``."""


class RefinementNet(nn.Module):
    """Blocks of coarse and fine channels to signed distance and wall thickness at the fine
    resolution; halos inform and are not returned.

    :param forgotten: share of the features that training leaves out of a block, lest the network
        knows things by them.
    """

    def __init__(self, forgotten: float = 0.0) -> None:
        super().__init__()
        self.coarse = nn.Conv3d(len(COARSE_CHANNELS), WIDTH, 1, bias=False)
        self.fine = nn.Conv3d(len(FINE_CHANNELS), WIDTH, FACTOR, stride=FACTOR, bias=False)
        self.norm = nn.BatchNorm3d(WIDTH)
        self.down = nn.Conv3d(WIDTH, DEEP_WIDTH, 2, stride=2, bias=False)
        self.known = nn.Sequential(
            nn.Dropout3d(forgotten), nn.Conv3d(FEATURES, DEEP_WIDTH, 1, bias=False)
        )
        self.deep = nn.Sequential(
            nn.BatchNorm3d(DEEP_WIDTH), nn.ReLU(), Residual(DEEP_WIDTH), Residual(DEEP_WIDTH)
        )
        self.up = nn.Conv3d(DEEP_WIDTH, 8 * WIDTH, 1)
        self.decode = nn.Sequential(
            nn.Conv3d(WIDTH, WIDTH, 3, bias=False), nn.BatchNorm3d(WIDTH), nn.ReLU()
        )
        self.head = nn.Conv3d(WIDTH, 8 * 2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, coarse: Tensor, fine: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, 16, 16, 16) signed distance (< 0 inside) and wall thickness, fine voxels.

        :param coarse: (B, C, 12, 12, 12) in [0, 1], see ``reconstruction.refinement.blocks``.
        :param fine: (B, F, 24, 24, 24) in [0, 1].
        :param features: (B, L, 6, 6, 6) of the coarse network's last layer.
        """
        before, change, thickness = self.parts(coarse, fine, features)
        return before + change, thickness

    def parts(
        self, coarse: Tensor, fine: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the coarse distance, upsampled, what is added to it, and wall thickness."""
        stem = functional.relu(self.norm(self.coarse(coarse) + self.fine(fine)))
        deep = self.deep(self.down(stem) + self.known(features))
        merged = functional.relu(stem + unfolded(self.up(deep)))
        # The decoding convolution takes the last voxel of the halo away.
        rim = HALO - 1
        out = unfolded(self.head(self.decode(merged[:, :, rim:-rim, rim:-rim, rim:-rim])))
        completed = FULL_SCALE * (coarse[:, 0, rim:-rim, rim:-rim, rim:-rim] - 0.5)
        return doubled(completed), out[:, 0], functional.relu(out[:, 1])


def unfolded(x: Tensor) -> Tensor:
    """Return (B, C, 2n, 2n, 2n) of (B, 8 C, n, n, n): channels become the eight children of a
    voxel, which is what a transposed convolution of stride 2 does, in a form that runs faster.
    """
    batch, channels, n = x.shape[0], x.shape[1] // 8, x.shape[2]
    children = x.reshape(batch, channels, 2, 2, 2, n, n, n).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return children.reshape(batch, channels, 2 * n, 2 * n, 2 * n)


def doubled(x: Tensor) -> Tensor:
    """Return (B, 2n, 2n, 2n) of (B, n + 2, n + 2, n + 2), trilinear; the rim informs."""
    for axis in (1, 2, 3):
        n = x.shape[axis] - 2
        before, at, after = (x.narrow(axis, k, n) for k in range(3))
        pair = [0.75 * at + 0.25 * before, 0.75 * at + 0.25 * after]
        x = stack(pair, dim=axis + 1).flatten(axis, axis + 1)
    return x


def scaled(blocks: Tensor) -> Tensor:
    """Return uint8 blocks as the network takes them, (B, ...) float32 in [0, 1]."""
    return blocks.float() / 255.0
