# SPDX-License-Identifier: Apache-2.0
"""Train the networks that judge patches, pairs of them and wholes, by geometry and network.

``python -m sam3d_ros.training.mini.pairs --views DIR`` needs the exported network; it learns from
views that the network has not seen and writes ``things.npz``, ``pairs.npz`` and ``wholes.npz``
beside the backend. Minutes on a CPU.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray, IndexArray
from sam3d_ros.segmentation import mini
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.fusion import fused_features, fused_network, pair_log_odds
from sam3d_ros.segmentation.mini.hierarchy import BIASES
from sam3d_ros.segmentation.mini.network import Network
from sam3d_ros.segmentation.mini.sight import Sight, look
from sam3d_ros.segmentation.mini.things import part_features, thing_network
from sam3d_ros.segmentation.mini.wholes import Wholes
from sam3d_ros.segmentation.partition.merge import merge_levels
from sam3d_ros.segmentation.partition.partition import find_surfaces, pair_patches, sized
from sam3d_ros.training.borders import fit, owners, pair_examples, view_files
from sam3d_ros.training.perceptrons import Examples, Recipe, joined
from sam3d_ros.training.views import View, load

THINGS = Recipe(hidden=(32, 24), epochs=40)
WHOLES = Recipe(hidden=(32, 16), epochs=60, batch=256, decay=1e-3)
WHOLE_IOU = 0.5
"""Overlap with an object's visible mask from which a set of patches counts as that object."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """Labelled examples of views, as an encoder and the networks learned before see them."""

    network: Network
    config: SegmentationConfig

    def sight(self, view: View) -> Sight:
        """Return what a view looks like."""
        surfaces = find_surfaces(view.frame, self.config)
        return look(self.network, view.frame, surfaces, self.config)

    def patches(self, view: View) -> Examples:
        """Return patches, part of an object or not."""
        sight = self.sight(view)
        labels = sight.cut.patches
        owner, pure = owners(labels, view.instances)
        weight = np.sqrt(np.bincount(labels.ravel(), minlength=len(owner))) / 10
        features = part_features(sight.cut, labels, sight.seen, sight.cues, sight.sensor)
        return Examples(features[pure], owner[pure] > 0, weight[pure].astype(np.float32))

    def pairs(self, view: View) -> Examples:
        """Return pairs of patches, of one object or not."""
        sight = self.sight(view)
        found = pair_patches(sight.things_only(), view.frame)
        return pair_examples(found, fused_features(found, sight.encoded), view.instances)

    def wholes(self, view: View) -> Examples:
        """Return the pieces of all groupings of a view, one whole object or not."""
        sight = self.sight(view)
        found = pair_patches(sight.things_only(), view.frame)
        bias = np.float32(self.config.geometric.join_bias)
        log_odds = pair_log_odds(found, sight.encoded) + bias
        levels = merge_levels(found.pairs, log_odds, found.regions.area, BIASES)
        wholes, pieces = Wholes(sight, found, log_odds), []
        for level in levels:
            kept = sized(found, level, view.frame.sensor, self.config)
            features = wholes.features(level)[kept]
            is_whole = best_overlap(level.thing_of[found.patches], view.instances) > WHOLE_IOU
            ones = np.ones(len(features), np.float32)
            pieces.append(Examples(features, is_whole[kept], ones))
        return joined(pieces)


def best_overlap(labels: IndexArray, truth: ByteArray) -> FloatArray:
    """Return (n + 1,) the largest IoU of each label with an object."""
    shared = np.zeros((int(labels.max()) + 1, int(truth.max()) + 1))
    np.add.at(shared, (labels.ravel(), truth.ravel()), 1)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0) - shared
    overlap: FloatArray = (shared / np.maximum(union, 1))[:, 1:].max(axis=1, initial=0)
    return overlap


def teach(teacher: Teacher, files: Sequence[Path], out: Path) -> None:
    """Train the three networks, each by what those before it see.

    Wholes are learned where pairs are as unsure as in use: of each half of the views, grouped by
    a network of pairs that learned from the other half.
    """
    fit([teacher.patches(load(file)) for file in files], out / 'things.npz', THINGS)
    thing_network.cache_clear()
    pairs = [teacher.pairs(load(file)) for file in files]
    wholes: list[Examples] = []
    for half in range(2):
        fit(pairs[1 - half :: 2], out / 'pairs.npz', Recipe(members=1))
        fused_network.cache_clear()
        wholes += [teacher.wholes(load(file)) for file in files[half::2]]
    fit(pairs, out / 'pairs.npz', Recipe())
    fused_network.cache_clear()
    fit(wholes, out / 'wholes.npz', WHOLES)


def main() -> None:
    """Train all three on the same views."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--views', type=Path, required=True, help='folder of stored views')
    parser.add_argument('--out', type=Path, default=Path(mini.__file__).parent)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    teacher = Teacher(Network.registered(), SegmentationConfig())
    teach(teacher, view_files(arguments.views), arguments.out)


if __name__ == '__main__':
    main()
