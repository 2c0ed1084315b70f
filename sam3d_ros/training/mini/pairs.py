# SPDX-License-Identifier: Apache-2.0
"""Train the networks that judge patches, and pairs of them, by geometry and network together.

``python -m sam3d_ros.training.mini.pairs --views DIR`` needs the exported network; it learns from
views that the network has not seen and writes ``things.npz`` and ``pairs.npz`` beside the backend.
Minutes on a CPU.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from sam3d_ros.segmentation import mini
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.fusion import fused_features
from sam3d_ros.segmentation.mini.network import Network
from sam3d_ros.segmentation.mini.sight import Sight, look
from sam3d_ros.segmentation.mini.things import thing_network
from sam3d_ros.segmentation.partition import find_surfaces, pair_patches
from sam3d_ros.training.borders import learn, owners, pair_examples, view_files
from sam3d_ros.training.perceptrons import Examples, Recipe
from sam3d_ros.training.views import View

THING_RECIPE = Recipe(hidden=(32, 24), epochs=40)


def main() -> None:
    """Train both on the same views."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--views', type=Path, required=True, help='folder of stored views')
    parser.add_argument('--out', type=Path, default=Path(mini.__file__).parent)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    network, config = Network.registered(), SegmentationConfig()

    def sight_of(view: View) -> Sight:
        return look(network, view.frame, find_surfaces(view.frame, config), config)

    def patches(view: View) -> Examples:
        sight = sight_of(view)
        owner, pure = owners(sight.cut.patches, view.instances)
        weight = np.sqrt(np.bincount(sight.cut.patches.ravel(), minlength=len(owner))) / 10
        features = sight.features(sight.cut.patches)
        return Examples(features[pure], owner[pure] > 0, weight[pure].astype(np.float32))

    def pairs(view: View) -> Examples:
        sight = sight_of(view)
        found = pair_patches(sight.things_only(0.0), view.frame)
        return pair_examples(found, fused_features(found, sight.encoded), view.instances)

    files = view_files(arguments.views)
    learn(files, arguments.out / 'things.npz', patches, THING_RECIPE)
    thing_network.cache_clear()
    learn(files, arguments.out / 'pairs.npz', pairs, Recipe())


if __name__ == '__main__':
    main()
