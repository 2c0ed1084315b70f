# SPDX-License-Identifier: Apache-2.0
"""A completion of one's own: everything is a box. In the package's pyproject.toml:

[project.entry-points."sam3d_ros.reconstruction"]
boxes = "own_completion:BoxCompletion"
"""

from dataclasses import dataclass

import numpy as np

from sam3d_ros import Completion, option


@dataclass(frozen=True)
class BoxOptions:
    """How far a box may grow: parameters ``reconstruction.boxes.*``."""

    margin_m: float = option(0.002, 'added on every side, m', minimum=0.0, maximum=0.1)


class BoxCompletion:
    Options = BoxOptions

    def __init__(self, config, options):
        self.margin_m = options.margin_m

    def complete(self, evidence):
        return [self.box(item) for item in evidence]

    def box(self, item):
        points = item.points.points_m
        low, high = np.percentile(points, [1, 99], axis=0)
        beyond = np.abs(item.grid.centres_m() - (low + high) / 2) - (high - low) / 2
        beyond -= self.margin_m
        outside = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
        distance = (outside + np.minimum(beyond.max(axis=-1), 0)).astype(np.float32)
        probability = 1 / (1 + np.exp(distance / item.grid.voxel_m))
        return Completion(distance, probability.astype(np.float32), 'boxes')
