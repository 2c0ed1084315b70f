# SPDX-License-Identifier: Apache-2.0
"""Backend ``geometric``: things on supports, told apart by geometry alone. No ONNX, no GPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sam3d_ros.core.types import (
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
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.latest import OfLatest
from sam3d_ros.segmentation.partition.partition import Partition, partition
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
        self._found: OfLatest[Frame, Partition] = OfLatest(lambda frame: partition(frame, config))

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the things that ``prompts`` ask for; without prompts, all on the supports.

        A single point is answered with up to three overlapping masks (part, thing, things in
        contact), best first; every other prompt with at most one mask.

        :raises PromptError: when a prompt is malformed, or is a phrase or an exemplar.
        """
        found = self._found(frame)
        items: list[Instance] = []
        if prompts:
            for prompt in prompts:
                source = f'geometric:{PROMPT_WORDS[type(prompt)]}'
                items += as_instances(select(found, prompt), source)
        else:
            items = everything(found, 'geometric')
        supports = tuple(support.plane for support in found.structure.supports)
        return Instances(frame.stamp_ns, tuple(items), supports)


def everything(found: Partition, backend: str) -> list[Instance]:
    """Return all things that are kept as instances."""
    things = found.things.astype(np.uint16)  # compared with every label: less memory to read
    answers = (
        Selection(things == k, float(found.certainty[k]), int(found.support_of[k]))
        for k in np.flatnonzero(found.keep)
    )
    return as_instances(answers, f'{backend}:all')


def as_instances(answers: Iterable[Selection], source: str) -> list[Instance]:
    """Return answers as instances; those without a pixel are left out."""
    boxed = [(answer, mask_box(answer.mask)) for answer in answers]
    return [
        Instance(answer.mask, answer.score, box, source, support=answer.support)
        for answer, box in boxed
        if box is not None
    ]
