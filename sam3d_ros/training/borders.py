# SPDX-License-Identifier: Apache-2.0
"""Train the network that tells whether two patches are parts of one thing, by geometry.

``python -m sam3d_ros.training.borders --views DIR`` learns from the views of a folder (see
``sam3d_ros.training.views``) and writes ``segmentation/partition/borders.npz``. Minutes on a CPU,
numpy alone.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import BoolArray, Float32Array, IndexArray
from sam3d_ros.segmentation import partition
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition.partition import (
    PairedPatches,
    cut_by_geometry,
    pair_patches,
)
from sam3d_ros.training.perceptrons import Examples, Recipe, accuracy, joined, save, train
from sam3d_ros.training.views import View, load

LOG = logging.getLogger(__name__)

PURITY = 0.75  # a patch with a smaller share of one truth label teaches nothing
FAR_WEIGHT = 0.5
HELD_BACK = 5  # every fifth view is for validation


def owners(patches: IndexArray, truth: np.ndarray) -> tuple[IndexArray, BoolArray]:
    """Return the true object of each patch (0 = none), and whether most of the patch agrees.

    :param patches: (h, w) int32 labels 1..n.
    :param truth: (h, w) instances.
    """
    votes = np.zeros((int(patches.max()) + 1, int(truth.max()) + 1), np.int64)
    np.add.at(votes, (patches.ravel(), truth.ravel()), 1)
    pure = votes.max(axis=1) > PURITY * np.maximum(votes.sum(axis=1), 1)
    pure[0] = False
    return votes.argmax(axis=1).astype(np.int32), pure


def pair_examples(found: PairedPatches, features: Float32Array, truth: np.ndarray) -> Examples:
    """Return the labelled pairs of one frame.

    :param features: (P, F) of the pairs of ``found``.
    :param truth: (h, w) instances.
    """
    owner, pure = owners(found.patches, truth)
    front, back = found.pairs.front, found.pairs.back
    useful = pure[front] & pure[back] & ((owner[front] > 0) | (owner[back] > 0))
    weight = np.sqrt(np.minimum(found.regions.area[front], found.regions.area[back]))
    weight *= np.where(found.pairs.bordering, 1.0, FAR_WEIGHT) / 10
    return Examples(
        features[useful],
        (owner[front] == owner[back])[useful],
        weight[useful].astype(np.float32),
    )


def by_geometry(view: View) -> Examples:
    """Return the labelled pairs of a view as the geometric backend sees them."""
    config = SegmentationConfig()
    cut = cut_by_geometry(view.frame, config)
    found = pair_patches(cut, view.frame)
    return pair_examples(found, found.pairs.features, view.instances)


def view_files(folder: Path) -> list[Path]:
    """Return the views of a folder.

    :raises InputError: when there are none.
    """
    files = sorted(folder.glob('*.npz'))
    if not files:
        raise InputError(
            f'no views in {folder}',
            wanted='some to learn from',
            remedy='Make them with python -m sam3d_ros.training.views.',
        )
    return files


def fit(views: Sequence[Examples], out: Path, recipe: Recipe) -> None:
    """Learn from the examples of each view but every fifth, validate on those, save."""
    held = joined(views[::HELD_BACK])
    data = joined([part for number, part in enumerate(views) if number % HELD_BACK])
    network = train(data, recipe)
    for name, part in (('learned from', data), ('held back', held)):
        LOG.info('%s: %d %s: accuracy %.4f', out.name, len(part.truth), name,
                 accuracy(network, part))  # fmt: skip
    save(network, out)


def main() -> None:
    """Train the network of the geometric backend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--views', type=Path, required=True, help='folder of stored views')
    parser.add_argument(
        '--out', type=Path, default=Path(partition.__file__).parent / 'borders.npz'
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    views = [by_geometry(load(file)) for file in view_files(arguments.views)]
    fit(views, arguments.out, Recipe())


if __name__ == '__main__':
    main()
