# SPDX-License-Identifier: Apache-2.0
"""A frame as geometry and network see it together: cut into patches, each a thing or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import Frame
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.inputs import Observation, observe
from sam3d_ros.segmentation.mini.network import Encoded, Network
from sam3d_ros.segmentation.mini.things import part_features, thing_network
from sam3d_ros.segmentation.partition.cues import Cues, on_cells
from sam3d_ros.segmentation.partition.partition import (
    Cut,
    Surfaces,
    cut_patches,
    find_inside,
)
from sam3d_ros.segmentation.partition.patches import compact

LEAST_ODDS = -3.0
"""Log-odds of being part of a thing from which a patch is kept: wholes are judged once more."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A frame cut into patches, and all that was seen on the way.

    :param cut: all patches that may be parts of things.
    :param sensor: errors of the frame's ranges.
    """

    encoded: Encoded
    seen: Observation
    cues: Cues
    cut: Cut
    sensor: SensorModel

    def things_only(self) -> Cut:
        """Return the cut without patches that are surely no part of a thing."""
        features = part_features(self.cut, self.cut.patches, self.seen, self.cues, self.sensor)
        is_thing = thing_network().log_odds(features) > LEAST_ODDS
        patches = np.where(is_thing[self.cut.patches], self.cut.patches, np.int32(0))
        return replace(self.cut, patches=compact(patches))


def look(network: Network, frame: Frame, surfaces: Surfaces, config: SegmentationConfig) -> Sight:
    """Return what a frame, whose large planes are known, looks like."""
    seen = observe(frame, surfaces.grid, surfaces.local, surfaces.structure)
    with ThreadPoolExecutor(1) as beside:
        encoding = beside.submit(network.see, seen)
        inside = find_inside(surfaces, frame, config)
        encoded = encoding.result()
    cues = on_cells(encoded.thing, encoded.joined, surfaces.grid.valid.shape)
    return Sight(encoded, seen, cues, cut_patches(surfaces, inside, cues), frame.sensor)
