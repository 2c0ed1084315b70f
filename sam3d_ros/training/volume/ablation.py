# SPDX-License-Identifier: Apache-2.0
"""Score the bare networks of several runs on the same unseen views: what each ingredient earns.

``python -m sam3d_ros.training.volume.ablation --objects SCANS --configs YAML YAML``
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from sam3d_ros.core.types import Float32Array
from sam3d_ros.reconstruction.completion.volume_input import volume_input
from sam3d_ros.training.loop import load_config
from sam3d_ros.training.volume.config import TrainingConfig
from sam3d_ros.training.volume.evaluate import iou, parser_of, unseen_samples
from sam3d_ros.training.volume.network import VolumeNet
from sam3d_ros.training.volume.samples import GRID, Sample
from sam3d_ros.training.volume.train import averaged_network, shown

LOG = logging.getLogger(__name__)


@torch.no_grad()
def logits(network: VolumeNet, hidden: str, sample: Sample) -> Float32Array:
    """Return (GRID, GRID, GRID) float32 occupancy logits of a network for a sample.

    All runs are scored on the grid in use, coarser ones interpolated.
    """
    channels = torch.from_numpy(volume_input(sample.evidence)[None]).float() / 255.0
    coarse = network(shown(channels, hidden))[0][0].numpy()
    fine: Float32Array = ndimage.zoom(
        coarse, GRID / len(coarse), order=1, mode='nearest', grid_mode=True
    )
    return fine


def scores(
    runs: list[TrainingConfig], pairs: Iterator[tuple[Sample, Sample]]
) -> list[dict[str, list[float]]]:
    """Return, for each run, the solid IoU of the views of each category.

    :param pairs: a view as the networks see it, and as it is scored.
    """
    networks = [averaged_network(Path(run.out) / 'checkpoint.pt') for run in runs]
    values: list[dict[str, list[float]]] = [defaultdict(list) for _ in runs]
    for given, truth in pairs:
        possible = truth.evidence.free == 0
        for mine, network, run in zip(values, networks, runs, strict=True):
            found = iou((logits(network, run.hidden, given) > 0) & possible, truth)
            mine[truth.solid.family].append(found)
    return values


def main() -> None:
    """Print the solid IoU of each run: mean, median, mean by category."""
    parser = parser_of(__doc__)
    parser.set_defaults(split='test', seeds='910000:910020', single=True)
    parser.add_argument('--grid', type=int, default=GRID, help='grid that the runs see')
    parser.add_argument('--configs', type=Path, nargs='+', required=True, help='YAML of each run')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    given, truth = (unseen_samples(arguments, grid=grid) for grid in (arguments.grid, GRID))
    runs = [load_config(TrainingConfig, file) for file in arguments.configs]
    for run, found in zip(runs, scores(runs, zip(given, truth, strict=True)), strict=True):
        each = np.concatenate(list(found.values()))
        LOG.info(
            '%s: %d views, mean %.3f, median %.3f',
            run.out,
            len(each),
            each.mean(),
            np.median(each),
        )
        for category, part in sorted(found.items()):
            LOG.info('  %s %.3f', category, np.mean(part))


if __name__ == '__main__':
    main()
