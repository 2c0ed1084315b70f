# SPDX-License-Identifier: Apache-2.0
"""What is known to be in view and is in no mask of a frame is asked for, by its mask in 3D.

Cross-view self-prompting as in SA3D (Cen et al., NeurIPS 2023), where a frame and the tracks
disagree and nowhere else: the 3D mask is rendered into the frame, up to three points of it prompt
the segmenter, and an answer whose IoU with the render is below tau does not count. A mask is no
prompt here: it would be answered by what it is, right or wrong.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import cv2
import numpy as np

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.interfaces import Ask
from sam3d_ros.core.types import Frame, Instance, Instances, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.masks3d.rendering import Known
from sam3d_ros.masks3d.selfprompts import self_prompts

POINTS, LEAST_AGREEMENT = 3, 0.5
"""SA3D's number of points, and its tau."""
LEAST_HITS = 2
"""What fewer frames have shown is not asked for: it may have been a mistake of theirs."""
PATIENCE = 3
"""Frames that a confirmed track does without masks before it is asked for: it lives on."""
LEAST_PX = 200
LEFT_OUT = 0.7
"""Share of an object's visible surface that is in no mask, from which it is asked for."""


def is_due(hits: int, missed: int, is_confirmed: bool) -> bool:
    """Return whether a track is asked for: after 0, 1, 3, 7, ... frames without an answer.

    :param hits: frames that have shown it.
    :param missed: frames since the last of them that could have.
    :param is_confirmed: it lives on without answers.
    """
    waited = missed >= PATIENCE or not is_confirmed
    return hits >= LEAST_HITS and waited and missed & (missed + 1) == 0


def with_missing(
    frame: Frame, instances: Instances, known: Known, trusted: Set[int], ask: Ask
) -> Instances:
    """Return a frame's instances with known objects that they leave out.

    :param frame: one observation.
    :param instances: what was found in it unasked.
    :param known: whose surface it shows.
    :param trusted: ids that are worth asking for.
    :param ask: asks the frame's segmenter; what it cannot answer stays left out.
    """
    step, taken = known.step_px, np.zeros(frame.depth_m.shape, bool)
    for item in instances.items:
        taken |= item.mask
    free = known.owner[~taken[::step, ::step]]
    due = [
        track_id
        for track_id in sorted(trusted & set(free.tolist()))
        if np.count_nonzero(free == track_id)
        >= max(LEAST_PX / step**2, LEFT_OUT * np.count_nonzero(known.owner == track_id))
    ]
    if not due:
        return instances
    whole, measured = known.over(frame), np.isfinite(frame.depth_m)
    renders = [(whole.owner == track_id) & ~taken for track_id in due]
    prompts: list[Prompt] = []
    for render in renders:
        # Cells reach over the outline: points are chosen where all around is the object's.
        inner = cv2.erode(render.astype(np.uint8), np.ones((2 * step + 1,) * 2, np.uint8)) > 0
        values = np.where(inner if inner.any() else render, whole.confidence, np.float32(0))
        asked = self_prompts(values, frame, POINTS)
        prompts += [prompt for prompt in asked if isinstance(prompt, PointPrompt)]
    try:
        answers = ask(prompts).items if prompts else ()
    except PromptError:
        answers = ()
    found: list[Instance] = []
    for render in renders:
        masks = [item.mask & ~taken for item in answers]
        agreement = [mask_iou(mask & measured, render) for mask in masks]
        best = int(np.argmax([*agreement, 0.0]))
        if best < len(masks) and agreement[best] >= LEAST_AGREEMENT:
            box = mask_box(masks[best])
            found += [] if box is None else [replace(answers[best], mask=masks[best], box_px=box)]
            taken |= masks[best]
    return replace(instances, items=(*instances.items, *found))
