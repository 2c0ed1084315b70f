# SPDX-License-Identifier: Apache-2.0
"""The default backend: things on supports, told apart by geometry alone. No weights, no GPU."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sam3d_ros.core.types import (
    BoolArray,
    BoxPrompt,
    ExemplarPrompt,
    Frame,
    Instance,
    Instances,
    MaskPrompt,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition import Partition, partition
from sam3d_ros.segmentation.prompts import Selection, select

PROMPT_WORDS = {
    PointPrompt: 'point',
    BoxPrompt: 'box',
    MaskPrompt: 'mask',
    TextPrompt: 'text',
    ExemplarPrompt: 'exemplar',
}


class GeometricSegmenter:
    """Segments by support planes, depth steps and inward creases."""

    def __init__(self, config: SegmentationConfig) -> None:
        self._config = config

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the things that ``prompts`` ask for; without prompts, all on the supports.

        A single point is answered with up to three overlapping masks (part, thing, things in
        contact), best first; every other prompt with at most one mask.

        :raises PromptError: when a prompt is malformed, or is a phrase or an exemplar.
        """
        found = partition(frame, self._config)
        items: list[Instance] = []
        if prompts:
            for prompt in prompts:
                source = f'geometric:{PROMPT_WORDS[type(prompt)]}'
                items += [_instance(answer, source) for answer in select(found, prompt)]
        else:
            items = _everything(found)
        supports = tuple(support.plane for support in found.structure.supports)
        return Instances(frame.stamp_ns, tuple(items), supports)


def _everything(found: Partition) -> list[Instance]:
    things = found.things
    present = np.bincount(things.ravel(), minlength=len(found.keep)) > 0
    return [
        _instance(
            Selection(things == k, float(found.certainty[k]), int(found.support_of[k])),
            'geometric:all',
        )
        for k in np.nonzero(present)[0]
        if k > 0
    ]


def _instance(answer: Selection, source: str) -> Instance:
    return Instance(answer.mask, answer.score, _box(answer.mask), source, support=answer.support)


def _box(mask: BoolArray) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return left, top, left + width, top + height
