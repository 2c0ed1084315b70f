# SPDX-License-Identifier: Apache-2.0
"""Train the network that joins patches by geometry and the segmentation network together.

``python -m sam3d_ros.training.mini.pairs --objects DIR --frames CACHE`` needs the exported
network; it learns from the worlds of ``sam3d_ros.training.borders``, none of which the
segmentation network has seen, and writes ``segmentation/mini/pairs.npz``. Minutes on a CPU.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sam3d_ros.core.types import Float32Array, Frame
from sam3d_ros.segmentation import mini
from sam3d_ros.segmentation.mini.fusion import fused_features
from sam3d_ros.segmentation.mini.network import Network
from sam3d_ros.segmentation.partition import PairedPatches, Surfaces
from sam3d_ros.training.borders import arguments_of, learn


def main() -> None:
    """Train on the features of both."""
    arguments = arguments_of(__doc__, Path(mini.__file__).parent / 'pairs.npz')
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    network = Network.registered()

    def describe(frame: Frame, found: PairedPatches) -> Float32Array:
        encoded = network.see(frame, Surfaces(found.grid, found.local, found.structure))
        return fused_features(found, encoded.dense)

    learn(arguments.objects, arguments.frames, arguments.out, describe)


if __name__ == '__main__':
    main()
