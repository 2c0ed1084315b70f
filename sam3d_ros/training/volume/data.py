# SPDX-License-Identifier: Apache-2.0
"""Make training samples and read them: one command, seeded, resumable, safe beside training.

``python -m sam3d_ros.training.volume.data --out DIR --scans DIR --scenes 0:3000``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sam3d_ros.core.types import BoolArray
from sam3d_ros.reconstruction.volume_input import CHANNELS
from sam3d_ros.training.volume.objects import pool_files, write_pool
from sam3d_ros.training.volume.samples import SceneOptions, StoredSample, scene_samples, store

VOXEL = CHANNELS.index('voxel')
COLORS = [CHANNELS.index(name) for name in ('red', 'green', 'blue')]
LARGEST_VOXEL = 255
"""Samples whose voxel channel is saturated (10 mm and more) are left out."""


def write_samples(
    out: Path, pool: Path, scenes: range, options: SceneOptions, held_out: bool
) -> None:
    """Write the samples of a range of scene seeds to ``out``; scenes already there are kept."""
    out.mkdir(parents=True, exist_ok=True)
    files = pool_files(pool, held_out)
    for seed in scenes:
        done = out / f'{seed:07d}.done'
        if done.exists():
            continue
        for number, sample in enumerate(scene_samples(seed, files, options)):
            stored = store(sample)
            if stored.channels[VOXEL].flat[0] < LARGEST_VOXEL:
                _save(out / f'{seed:07d}_{number:02d}.npz', stored)
        done.touch()


def _save(file: Path, sample: StoredSample) -> None:
    part = file.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez_compressed(stream, channels=sample.channels, distance=sample.distance)
    part.rename(file)


class SampleFiles(Dataset[tuple[Tensor, Tensor]]):
    """Stored samples as (channels uint8 (C, N, N, N), distance int8 (N, N, N)) tensors.

    :param files: ``.npz`` files of :func:`write_samples`.
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


def main() -> None:
    """Write the object pool and the samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder for pool and samples')
    parser.add_argument('--name', default='train', help='sub-folder of the samples')
    parser.add_argument('--scans', type=Path, help='folder of scans with an index.json')
    parser.add_argument('--solids', type=int, default=720, help='procedural objects')
    parser.add_argument('--pool', default='pool', help='sub-folder of the objects')
    parser.add_argument('--families', nargs='*', default=(), help='of the solids; default: all')
    parser.add_argument('--scenes', default='0:4000', help='first:last seed, last exclusive')
    parser.add_argument('--held-out', action='store_true', help='use the held-out objects')
    parser.add_argument('--no-noise', action='store_true', help='an ideal sensor')
    parser.add_argument('--no-clutter', action='store_true', help='objects alone')
    parser.add_argument('--grid', type=int, default=SceneOptions().grid, help='voxels per side')
    arguments = parser.parse_args()
    pool = arguments.out / arguments.pool
    write_pool(pool, arguments.scans, arguments.solids, families=arguments.families)
    first, last = (int(part) for part in arguments.scenes.split(':'))
    options = SceneOptions(
        noise=not arguments.no_noise, clutter=not arguments.no_clutter, grid=arguments.grid
    )
    write_samples(
        arguments.out / arguments.name,
        pool,
        range(first, last),
        options,
        arguments.held_out,
    )


if __name__ == '__main__':
    main()
