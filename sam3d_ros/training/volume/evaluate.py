# SPDX-License-Identifier: Apache-2.0
"""Score completions on unseen objects: solid IoU on the evidence grid, calibration, time.

``python -m sam3d_ros.training.volume.evaluate --objects SCANS --split test --json FILE``
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from sam3d_ros.core.types import BoolArray
from sam3d_ros.reconstruction.answers import at_level, likeliest_level
from sam3d_ros.reconstruction.completion.completion import Completion, CompletionBackend
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.completion.geometric import GeometricCompletion
from sam3d_ros.reconstruction.completion.volume import VolumeCompletion
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.training.sources import Scans
from sam3d_ros.training.volume.calibration import calibration_error
from sam3d_ros.training.volume.samples import GRID, Sample, samples
from sam3d_ros.training.volume.worlds import SUITES, WorldOptions, scans, training_source
from sam3d_ros.world.sources import ObjectSource

LOG = logging.getLogger(__name__)
SURFACE_LIKELIHOOD = 0.3


def closing(evidence: Evidence) -> BoolArray:
    """Return what closing the occluded space says: all that hides behind the surface seen.

    Bounded by the box of the observed points, stretched away from the camera (grid x) to the
    smaller of its width and height, and standing on the support.
    """
    low = evidence.points.points_m.min(axis=0)
    high = evidence.points.points_m.max(axis=0)
    if evidence.support_m is not None:
        low[2] = -np.inf
    high[0] = max(high[0], low[0] + min(high[1] - low[1], np.ptp(evidence.points.points_m[:, 2])))
    centres = evidence.grid.centres_m()
    boxed = ((centres >= low) & (centres <= high)).all(axis=-1)
    hidden = evidence.occluded.astype(bool) | (evidence.surface > SURFACE_LIKELIHOOD)
    closed: BoolArray = hidden & boxed & ~(evidence.free | evidence.below).astype(bool)
    return closed


def iou(found: BoolArray, sample: Sample) -> float:
    """Return the solid IoU of a (N, N, N) occupancy with a sample's truth."""
    truth = sample.distance_m < 0
    return float((found & truth).sum() / max((found | truth).sum(), 1))


def scores(sample: Sample, learned: Completion, geometric: Completion) -> dict[str, float]:
    """Return the IoU by method; ``*_consistent`` after the evidence had its say, and cut at the
    likeliest level, as what has no depth is.
    """
    evidence = sample.evidence
    possible = evidence.free == 0
    level = likeliest_level(learned.probability[possible])
    likeliest = at_level(learned, evidence, level)
    return {
        'closing': iou(closing(evidence), sample),
        'geometric_consistent': iou(consistent_distance(evidence, geometric) < 0, sample),
        'volume': iou((learned.probability > 0.5) & possible, sample),
        'volume_distance': iou((learned.distance_m < 0) & possible, sample),
        'volume_consistent': iou(consistent_distance(evidence, learned) < 0, sample),
        'volume_likeliest': iou(consistent_distance(evidence, likeliest) < 0, sample),
    }


def _timed(backend: CompletionBackend, evidence: Evidence) -> tuple[Completion, float]:
    start = time.perf_counter()
    completion = backend.complete([evidence])[0]
    return completion, time.perf_counter() - start


def evaluate(scored: Iterator[Sample]) -> dict[str, float]:
    """Return flat mean and median scores, overall, by family and by suite."""
    config = ReconstructionConfig()
    volume, geometric = VolumeCompletion(config), GeometricCompletion(config)
    values: dict[str, list[float]] = defaultdict(list)
    probabilities, truths = [], []
    for sample in scored:
        learned, seconds = _timed(volume, sample.evidence)
        values['time_s'].append(seconds)
        result = scores(sample, learned, _timed(geometric, sample.evidence)[0])
        for method, score in result.items():
            for part in ('all', sample.solid.family, sample.suite):
                values[f'iou.{method}.{part}'].append(score)
        LOG.info('%s %s %s', sample.suite, sample.solid.name, result)
        undecided = sample.evidence.free == 0
        probabilities.append(learned.probability[undecided])
        truths.append((sample.distance_m < 0)[undecided])
    report = {name: float(np.mean(part)) for name, part in sorted(values.items())}
    report |= {
        f'{name}.median': float(np.median(part))
        for name, part in sorted(values.items())
        if name.endswith('.all') or name == 'time_s'
    }
    report['samples'] = len(values['time_s'])
    report['calibration_error'] = calibration_error(
        torch.from_numpy(np.concatenate(probabilities)), torch.from_numpy(np.concatenate(truths))
    )
    return report


def unseen(arguments: argparse.Namespace) -> ObjectSource:
    """Return the things that no training saw: those held back, or the scans of another split."""
    if arguments.split == 'train':
        return training_source(arguments.objects, held_back=True)
    return Scans(scans(arguments.objects, arguments.split))


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that say which samples are scored."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--objects', type=Path, help='scans with an index.json')
    parser.add_argument('--split', default='train', help='train: its held-back scans, and solids')
    parser.add_argument('--suites', nargs='*', default=SUITES, help='in turn')
    parser.add_argument('--seeds', default='900000:900030', help='first:last, last exclusive')
    parser.add_argument('--single', action='store_true', help='single views only')
    parser.add_argument('--without-depth', action='store_true', help='things without returns')
    return parser


def unseen_samples(
    arguments: argparse.Namespace, noise: bool = True, grid: int = GRID
) -> Iterator[Sample]:
    """Yield the samples that the arguments of :func:`parser_of` name, things of their own size."""
    blind = arguments.without_depth
    options = WorldOptions(noise, False, arguments.suites, without_depth=float(blind))
    seeds = range(*(int(part) for part in arguments.seeds.split(':')))
    for sample in samples(seeds, unseen(arguments), options, grid):
        is_fused = len(sample.evidence.views) > 1
        if sample.has_depth != blind and not (arguments.single and is_fused):
            yield sample


def main() -> None:
    """Print and write the scores."""
    parser = parser_of(__doc__)
    parser.add_argument('--no-noise', action='store_true', help='an ideal sensor')
    parser.add_argument('--json', type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    report = evaluate(unseen_samples(arguments, noise=not arguments.no_noise))
    arguments.json.write_text(json.dumps(report, indent=1))
    for name, value in report.items():
        LOG.info('%s %.4f', name, value)


if __name__ == '__main__':
    main()
