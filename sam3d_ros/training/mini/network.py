# SPDX-License-Identifier: Apache-2.0
"""The network: an RGB-D U-Net with attention at its coarsest level, and SAM's mask decoder.

After Kirillov et al., "Segment Anything" (ICCV 2023), section 3 and appendix A: an encoder that
runs once per frame, a prompt encoder with random Fourier positions, a two-way transformer and
masks as products of token and pixel features. Other than there, pixel features do not depend on
the prompt; a coarse product with the prompted tokens is added to them. A click also brings the
features it fell on. Colour goes through a pretrained encoder of its own, whose features are added
at every level.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sam3d_ros.segmentation.mini.inputs import CHANNELS, COLORS
from sam3d_ros.training.mini.blocks import Block, Residual, TwoWay, conv, down, project, up
from sam3d_ros.training.mini.eyes import WIDTHS, Eyes

STRIDE = 16
COLOUR = tuple(CHANNELS.index(name) for name in COLORS)
GEOMETRY = tuple(k for k in range(len(CHANNELS)) if k not in COLOUR)
LABELS = 4
"""Labels of prompt points: 0 off, 1 on, 2 and 3 corners of a box; -1 fills up."""


DENSE = (3, 1, 2)
"""Channels of the dense output behind the embedding: middle, thing, joined."""


def split(dense: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the parts of the (B, E + 6, h, w) dense output.

    :return: (B, E, h, w) embedding; (B, 3, h, w) offset to the middle of the thing, decimetres
        along the optical axes; (B, h, w) log-odds of a thing; (B, 2, h, w) log-odds that the next
        cell to the right and the next below belong to the same thing.
    """
    middle, thing, joined = dense[:, -sum(DENSE) :].split(DENSE, dim=1)
    return dense[:, : -sum(DENSE)], middle, thing[:, 0], joined


@dataclass(frozen=True)
class NetworkConfig:
    """Widths of the network.

    :param widths: channels at 1/2, 1/4, 1/8 and 1/16 of the grid.
    :param features: channels of the pixel features, at 1/2.
    :param embedding: channels in which two parts of one thing are close.
    :param tokens: width of the mask decoder.
    :param masks: answers to one prompt.
    :param eyes: colour through a pretrained encoder; else with the geometry.
    """

    widths: tuple[int, int, int, int] = (16, 40, 80, 144)
    features: int = 32
    embedding: int = 12
    tokens: int = 96
    heads: int = 4
    masks: int = 3
    eyes: bool = True


class Encoder(nn.Module):
    """A frame to pixel features, image tokens and what is known without a prompt."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        half, quarter, eighth, coarse = config.widths
        self.eyes = Eyes() if config.eyes else None
        fused = zip(WIDTHS, config.widths, strict=True) if config.eyes else ()
        self.fuse = nn.ModuleList(project(inputs, outputs) for inputs, outputs in fused)
        self.stem = conv(len(GEOMETRY) if config.eyes else len(CHANNELS), half, stride=2)
        self.down_quarter = down(half, quarter)
        self.encode_quarter = Residual(quarter)
        self.down_eighth = down(quarter, eighth)
        self.encode_eighth = Residual(eighth)
        self.down_coarse = down(eighth, coarse)
        self.coarse = nn.Sequential(Block(coarse, config.heads), Block(coarse, config.heads))
        self.up_eighth = up(coarse, eighth)
        self.decode_eighth = conv(eighth, eighth)
        self.up_quarter = up(eighth, quarter)
        self.decode_quarter = conv(quarter, quarter)
        self.up_half = up(quarter, half)
        self.decode_half = conv(half, config.features)
        self.to_tokens = nn.Conv2d(eighth, config.tokens, 1)
        self.dense = nn.Conv2d(config.features, config.embedding + sum(DENSE), 1)

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what prompts are answered from, and what holds without any.

        :param channels: (B, C, h, w), h and w multiples of 16.
        :return: (B, F, h/2, w/2) pixel features; (B, T, h/8, w/8) image tokens; (B, E + 6, h/2,
            w/2) what :func:`split` takes apart.
        """
        looks: list[Tensor] = []
        if self.eyes:
            looks = self.eyes(_chosen(channels, COLOUR))
            channels = _chosen(channels, GEOMETRY)
        half = self._fused(0, self.stem(channels), looks)
        quarter = self.encode_quarter(self._fused(1, self.down_quarter(half), looks))
        eighth = self.encode_eighth(self._fused(2, self.down_eighth(quarter), looks))
        coarse = self.coarse(self._fused(3, self.down_coarse(eighth), looks))
        eighth = self.decode_eighth(eighth + self.up_eighth(coarse))
        quarter = self.decode_quarter(quarter + self.up_quarter(eighth))
        features = self.decode_half(half + self.up_half(quarter))
        return features, self.to_tokens(eighth), self.dense(features)

    def _fused(self, level: int, x: Tensor, looks: list[Tensor]) -> Tensor:
        """Features of a level with what the eyes see there."""
        return x + self.fuse[level](looks[level]) if looks else x


def _chosen(channels: Tensor, indices: tuple[int, ...]) -> Tensor:
    return channels.index_select(1, torch.tensor(indices, device=channels.device))


class Decoder(nn.Module):
    """Prompts to masks and their predicted IoU."""

    frequencies: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.tokens
        self.config = config
        self.register_buffer('frequencies', torch.randn(2, width // 2))
        self.label = nn.Embedding(LABELS + 1, width)
        self.clicked = nn.Linear(config.features, width)
        self.outlined = nn.Sequential(conv(4, 24), nn.Conv2d(24, width, 1))
        self.outputs = nn.Parameter(torch.randn(config.masks + 1, width) * 0.1)
        self.layers = nn.ModuleList(TwoWay(width, config.heads) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.coarse = nn.Linear(width, config.features)
        self.kernels = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2 * config.features + 1)
        )
        self.quality = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, config.masks)
        )

    def forward(
        self, features: Tensor, tokens: Tensor, points: Tensor, labels: Tensor, outline: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return (B, K, M, h/2, w/2) mask logits and (B, K, M) predicted IoU.

        :param features: (B, F, h/2, w/2) pixel features.
        :param tokens: (B, T, h/8, w/8) image tokens.
        :param points: (B, K, N, 2) x and y in 0..1 of the image, K prompts for each frame.
        :param labels: (B, K, N) int64.
        :param outline: (B, K, 4, h/8, w/8) rough mask, its presence, box, its presence.
        """
        frames, count = labels.shape[:2]
        rows, columns = tokens.shape[-2:]
        position = self._position(_cells(rows, columns, tokens))
        image = tokens[:, None] + self.outlined(outline.flatten(0, 1)).unflatten(0, (-1, count))
        image = image.flatten(3).transpose(2, 3).flatten(0, 1)
        prompts = self._prompts(features, points, labels).flatten(0, 1)
        outputs = self.outputs.expand(prompts.shape[0], -1, -1)
        prompts = torch.cat([outputs.to(prompts.dtype), prompts], dim=1)
        answers = prompts
        for layer in self.layers:
            answers, image = layer(answers, image, prompts, position)
        answers = self.norm(answers)
        kernels = self.kernels(answers[:, 1 : self.config.masks + 1])
        fine, rough, bias = kernels.split([self.config.features, self.config.features, 1], dim=2)
        coarse = (rough @ self.coarse(image).transpose(1, 2) + bias).unflatten(2, (rows, columns))
        coarse = functional.interpolate(
            coarse, features.shape[-2:], mode='bilinear', align_corners=False
        )
        fine = fine.reshape(frames, -1, self.config.features) @ features.flatten(2)
        masks = coarse.unflatten(0, (frames, count)) + fine.reshape(
            frames, count, self.config.masks, *features.shape[-2:]
        )
        return masks, self.quality(answers[:, 0]).unflatten(0, (frames, count))

    def _position(self, xy: Tensor) -> Tensor:
        """Random Fourier features (Tancik et al., NeurIPS 2020) of (..., 2) places in 0..1."""
        angle = 2 * torch.pi * (2 * xy - 1) @ self.frequencies
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def _prompts(self, features: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        """The (B, K, N, T) tokens of points: place, label, and for clicks the features below."""
        rows, columns = features.shape[-2:]
        x = (points[..., 0] * columns).long().clamp(0, columns - 1)
        y = (points[..., 1] * rows).long().clamp(0, rows - 1)
        at = (y * columns + x).flatten(1)[:, None].expand(-1, features.shape[1], -1)
        below = features.flatten(2).gather(2, at).transpose(1, 2)
        below = below.unflatten(1, labels.shape[1:])
        is_click = ((labels == 0) | (labels == 1)).unsqueeze(-1)
        is_point = (labels >= 0).unsqueeze(-1)
        token = self.label(labels + 1) + self._position(points) * is_point
        return token + self.clicked(below) * is_click


def _cells(rows: int, columns: int, like: Tensor) -> Tensor:
    """(rows * columns, 2) middles of the cells of an image, 0..1."""
    y = (torch.arange(rows, device=like.device) + 0.5) / rows
    x = (torch.arange(columns, device=like.device) + 0.5) / columns
    yx = torch.stack(torch.meshgrid(y, x, indexing='ij'), dim=-1)
    return yx.flip(-1).reshape(-1, 2)


class MiniNet(nn.Module):
    """Encoder and decoder, and how squared distances of embeddings become log-odds."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.similarity = nn.Parameter(torch.tensor([2.0, 1.0]))

    def forward(
        self, channels: Tensor, points: Tensor, labels: Tensor, outline: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask logits, predicted IoU and the dense output; shapes as of the two parts."""
        features, tokens, dense = self.encoder(channels)
        masks, quality = self.decoder(features, tokens, points, labels, outline)
        return masks, quality, dense
