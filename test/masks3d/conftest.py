# SPDX-License-Identifier: Apache-2.0
"""Two touching boxes seen from around, and a segmenter that knows the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from sam3d_ros.core.types import Frame, Instance, Instances, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_box

BOXES = [
    ((0.0, 0.0, 0.05), (0.1, 0.12, 0.1), (200, 40, 40)),
    ((0.1, 0.0, 0.04), (0.1, 0.12, 0.08), (40, 200, 40)),
]


@dataclass
class Oracle:
    """Answers every prompt in a view by the true mask of ``box``, but for some views.

    :param truth: (H, W) index images by stamp.
    :param wrong: by stamp, the mask that is answered instead.
    """

    truth: dict[int, np.ndarray]
    box: int = 0
    wrong: dict[int, np.ndarray] = field(default_factory=dict)
    asked: list[tuple[int, Prompt]] = field(default_factory=list)

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        self.asked += [(frame.stamp_ns, prompt) for prompt in prompts]
        mask = self.wrong.get(frame.stamp_ns, self.truth[frame.stamp_ns] == self.box)
        item = Instance(mask, 1.0, mask_box(mask) or (0, 0, 0, 0), 'oracle')
        return Instances(frame.stamp_ns, (item,) * len(prompts) if mask.any() else ())


@pytest.fixture(scope='module')
def views(boxes_world):
    """Return six (frame, index image) pairs, a third of the way around two boxes."""
    angles = np.radians(np.arange(-60, 60, 20))
    eyes = [(0.05 + 0.6 * np.sin(a), -0.6 * np.cos(a), 0.45) for a in angles]
    return [
        boxes_world(eye, BOXES, k + 1, target=(0.05, 0, 0.04), size=(240, 180))
        for k, eye in enumerate(eyes)
    ]


@pytest.fixture
def oracle(views):
    return Oracle({frame.stamp_ns: index for frame, index in views})


@pytest.fixture
def click(views) -> PointPrompt:
    """Return a click on the middle of the first box in the first view."""
    rows, columns = np.nonzero(views[0][1] == 0)
    middle = np.argmin(np.hypot(rows - rows.mean(), columns - columns.mean()))
    return PointPrompt(((float(columns[middle]), float(rows[middle])),), (1,))
