# SPDX-License-Identifier: Apache-2.0
"""A segmenter of one's own: things of one colour. In the package's pyproject.toml:

[project.entry-points."sam3d_ros.segmentation"]
colored = "own_segmenter:ColoredSegmenter"
"""

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros import Instance, Instances, option


@dataclass(frozen=True)
class ColoredOptions:
    """Which colour: parameters ``segmentation.colored.*``."""

    red: int = option(200, 'red of the things', minimum=0, maximum=255)
    green: int = option(40, 'green of the things', minimum=0, maximum=255)
    blue: int = option(40, 'blue of the things', minimum=0, maximum=255)
    tolerance: int = option(40, 'largest difference in a channel', minimum=0, maximum=255)


class ColoredSegmenter:
    Options = ColoredOptions

    def __init__(self, config, options):
        self.color = np.array([options.red, options.green, options.blue])
        self.tolerance = options.tolerance

    def segment(self, frame, prompts=()):
        alike = np.abs(frame.rgb.astype(int) - self.color).max(axis=2) <= self.tolerance
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(alike.astype(np.uint8))
        items = []
        for k in range(1, count):
            x, y, w, h = (int(value) for value in boxes[k, :4])
            items.append(Instance(labels == k, 1.0, (x, y, x + w, y + h), 'colored:all'))
        return Instances(frame.stamp_ns, tuple(items))
