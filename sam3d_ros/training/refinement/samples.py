# SPDX-License-Identifier: Apache-2.0
"""Training samples of the refinement: blocks of ``volume``'s own answers about thin things, with
the truth at the fine resolution.

``python -m sam3d_ros.training.refinement.samples --out DIR --objects SCANS --seeds 0:200`` writes
one file per observed object; worlds already seen are kept, so that it resumes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.pretrained.inference import limit_threads, open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.completion.volume import WEIGHTS, run_network
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS, volume_input
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.refinement.blocks import (
    CORE,
    FACTOR,
    block_features,
    block_inputs,
    fine_evidence,
    is_thin,
    near_blocks,
    near_voxels,
)
from sam3d_ros.training.volume import samples as volume_samples
from sam3d_ros.training.volume.distance import distance_at
from sam3d_ros.training.volume.worlds import SUITES, WorldOptions, training_source

FAMILIES = (
    'bowl', 'cup', 'mug', 'pan', 'plate', 'tray', 'vase', 'jug', 'wine_glass', 'open_box', 'pot',
    'tumbler', 'serving_tray', 'platter', 'cup', 'bowl', 'mug', 'spatula', 'wrench', 'flat',
    'knife', 'spoon', 'hammer',
)  # fmt: skip
"""Hollow or thin families of solids."""
MOST_BLOCKS = 20
"""Blocks kept of one object."""
EDGE = 2
"""Fine voxels around a block's core whose truth is kept too."""

Stored = dict[str, npt.NDArray[Any]]


class Sampler:
    """Makes the samples of worlds; ``volume``'s weights are loaded once."""

    def __init__(self, options: WorldOptions, arguments: argparse.Namespace) -> None:
        self._options = options
        self._config = EvidenceConfig()
        self._volume = open_session(verified_file(WEIGHTS))
        self._source = training_source(arguments.objects, arguments.held_back, arguments.families)

    def samples(self, seed: int) -> Iterator[Stored]:
        """Yield the samples of the world of a seed; none when there can be no such world."""
        rng = np.random.default_rng([seed, 50])
        for sample in volume_samples.samples([seed], self._source, self._options):
            evidence, channels = sample.evidence, volume_input(sample.evidence)
            if channels[CHANNELS.index('voxel')].flat[0] >= volume_samples.LARGEST_VOXEL:
                continue
            mirrored = np.ascontiguousarray(channels[:, :, ::-1])
            probability, distance, features = run_network(
                self._volume, np.stack([channels, mirrored])
            )
            completion = Completion(distance[0] * evidence.truncation_m, probability[0], WEIGHTS)
            distance_m = consistent_distance(evidence, completion)
            if not is_thin(distance_m < 0):
                continue
            near = near_voxels(evidence, distance_m)
            blocks = rng.permutation(near_blocks(near))[:MOST_BLOCKS]
            fine = fine_evidence(evidence, near, self._config)
            coarse, sharp = block_inputs(
                evidence, distance_m, completion.probability, fine, blocks
            )
            last = evidence.grid.size // CORE - 1
            across = np.stack([blocks[:, 0], last - blocks[:, 1], blocks[:, 2]], axis=1)
            points_m = apply(sample.T_obj_grid, _centres_m(evidence.grid, blocks))
            truth_m = distance_at(sample.solid, points_m)
            yield {
                'coarse': coarse,
                'fine': sharp,
                'features': block_features(features[0], blocks).astype(np.float16),
                'mirrored': block_features(features[1], across).astype(np.float16),
                'truth': volume_samples.stored_distance(truth_m, evidence.truncation_m),
            }


def _centres_m(grid: Grid, blocks: npt.NDArray[np.intp]) -> FloatArray:
    """(B, 20, 20, 20, 3) centres of the fine voxels of blocks' cores and edges, grid frame."""
    side = FACTOR * CORE
    inner = np.indices((side + 2 * EDGE,) * 3).transpose(1, 2, 3, 0) - EDGE
    voxels = side * blocks[:, None, None, None] + inner
    return np.asarray((voxels + 0.5 - 0.5 * FACTOR * grid.size) * grid.voxel_m / FACTOR)


def main() -> None:
    """Write the samples of a range of seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder of the samples')
    parser.add_argument('--objects', type=Path, help='scans with an index.json')
    parser.add_argument('--families', nargs='*', default=FAMILIES, help='of the solids')
    parser.add_argument('--suites', nargs='*', default=SUITES, help='in turn')
    parser.add_argument('--seeds', default='0:200', help='first:last, last exclusive')
    parser.add_argument('--held-back', action='store_true', help='use the held-back scans')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    limit_threads(1)
    sampler = Sampler(WorldOptions(suites=arguments.suites), arguments)
    seeds = range(*(int(part) for part in arguments.seeds.split(':')))
    for seed in volume_samples.seeds_left(arguments.out, seeds):
        for number, sample in enumerate(sampler.samples(seed)):
            part = arguments.out / f'{seed:07d}_{number:02d}.part'
            with part.open('wb') as stream:
                np.savez(stream, **sample)  # type: ignore[arg-type]
            part.rename(part.with_suffix('.npz'))


if __name__ == '__main__':
    main()
