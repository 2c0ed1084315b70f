# SPDX-License-Identifier: Apache-2.0
"""Train the networks that judge patches, pairs of them and wholes, by geometry and network.

``python -m sam3d_ros.training.mini.pairs --views DIR`` needs the exported network; it learns from
views that the network has not seen and writes ``things.npz``, ``pairs.npz`` and ``wholes.npz``
beside the backend. Minutes on a CPU.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.segmentation import mini
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.fusion import fused_features, fused_network, pair_log_odds
from sam3d_ros.segmentation.mini.network import Network
from sam3d_ros.segmentation.mini.sight import Sight, look
from sam3d_ros.segmentation.mini.things import thing_network
from sam3d_ros.segmentation.mini.wholes import whole_features
from sam3d_ros.segmentation.partition import find_surfaces, grouped, pair_patches
from sam3d_ros.training.borders import HELD_BACK, learn, owners, pair_examples, view_files
from sam3d_ros.training.perceptrons import Examples, Recipe
from sam3d_ros.training.views import View

THINGS = Recipe(hidden=(32, 24), epochs=40)
WHOLES = Recipe(hidden=(24, 12), epochs=60, batch=128, decay=2e-3)
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
        features = sight.features(labels)
        return Examples(features[pure], owner[pure] > 0, weight[pure].astype(np.float32))

    def pairs(self, view: View) -> Examples:
        """Return pairs of patches, of one object or not."""
        sight = self.sight(view)
        found = pair_patches(sight.things_only(), view.frame)
        return pair_examples(found, fused_features(found, sight.encoded), view.instances)

    def wholes(self, view: View) -> Examples:
        """Return things as they are found, one whole object or not."""
        sight = self.sight(view)
        found = pair_patches(sight.things_only(), view.frame)
        bias = np.float32(self.config.geometric.join_bias)
        log_odds = pair_log_odds(found, sight.encoded) + bias
        things = grouped(found, log_odds, view.frame.sensor, self.config)
        labels = things.thing_of[found.patches]
        shared = np.zeros((len(things.keep), int(view.instances.max()) + 1))
        np.add.at(shared, (labels.ravel(), view.instances.ravel()), 1)
        union = shared.sum(axis=1)[:, None] + shared.sum(axis=0) - shared
        is_whole = (shared / np.maximum(union, 1))[:, 1:].max(axis=1, initial=0) > WHOLE_IOU
        features = whole_features(sight, found, log_odds, things)
        kept = things.keep
        return Examples(features[kept], is_whole[kept], np.ones(int(kept.sum()), np.float32))


def teach(teacher: Teacher, files: list[Path], out: Path) -> None:
    """Train the three networks, each by what those before it see.

    Wholes are learned from the views that pairs were not, where pairs are as unsure as in use.
    """
    learn(files, out / 'things.npz', teacher.patches, THINGS)
    thing_network.cache_clear()
    learn(files, out / 'pairs.npz', teacher.pairs, Recipe())
    fused_network.cache_clear()
    learn(files[::HELD_BACK], out / 'wholes.npz', teacher.wholes, WHOLES)


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
