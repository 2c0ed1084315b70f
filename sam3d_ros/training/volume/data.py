# SPDX-License-Identifier: Apache-2.0
"""Stored samples, as the training reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sam3d_ros.core.types import BoolArray
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS

COLORS = [CHANNELS.index(name) for name in ('red', 'green', 'blue')]


class SampleFiles(Dataset[tuple[Tensor, Tensor]]):
    """Stored samples as (channels uint8 (C, N, N, N), distance int8 (N, N, N)) tensors.

    :param files: ``.npz`` files of :mod:`sam3d_ros.training.volume.samples`.
    :param mirror: reflect half of the samples in y, drawn from ``seed``: the grid's x axis is
        the viewing direction and z is up, so that left and right are worth the same.
    :param colourless: share of samples whose colours are black, also drawn from ``seed``: a
        range sensor without a camera gives such.
    """

    def __init__(
        self, files: list[Path], mirror: bool, seed: int = 0, colourless: float = 0.0
    ) -> None:
        self.files = files
        rng = np.random.default_rng(seed)
        self.flips: BoolArray = (rng.random(len(files)) < 0.5) & mirror
        self.dark: BoolArray = rng.random(len(files)) < colourless

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with np.load(self.files[index]) as data:
            channels, distance = data['channels'], data['distance']
        if self.dark[index]:
            channels[COLORS] = 0
        if self.flips[index]:
            channels, distance = channels[:, :, ::-1], distance[:, ::-1]
        return (
            torch.from_numpy(np.ascontiguousarray(channels)),
            torch.from_numpy(np.ascontiguousarray(distance)),
        )
