# SPDX-License-Identifier: Apache-2.0
"""Cross-view self-prompting: what a promptable model is asked in a view, from the mask in 3D.

After SA3D (Cen et al., NeurIPS 2023), section 3.3: the surest pixel first; then, away from those
that are chosen, the surest once confidence has decayed with the distance in space from them.
"""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import Float32Array, Frame, MaskPrompt, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_box

SMOOTH_PX = 5
"""Confidence is a mean over so many pixels: a point well inside is surer than one at the rim."""
APART = 0.15
"""Half a side of the square without further points around each, over that of the mask's box."""


def self_prompts(values: Float32Array, frame: Frame, count: int) -> list[Prompt]:
    """Return up to ``count`` points as a prompt, then the mask as another; none without a mask.

    :param values: (H, W) rendered mask values, > 0 = the object, NaN = unknown.
    :param frame: the view that they are of.
    :param count: most points.
    """
    mask = values > 0
    box = mask_box(mask)
    if box is None:
        return []
    window = (SMOOTH_PX, SMOOTH_PX)
    sure = np.where(mask, cv2.blur(np.nan_to_num(values), window), np.float32(0))
    half = max(1, round(APART * np.sqrt((box[2] - box[0]) * (box[3] - box[1]))))
    free = sure.copy()
    decay = np.full(sure.shape, np.inf, np.float32)
    chosen: list[tuple[float, float]] = []
    for _ in range(count):
        score = free - (decay if chosen else np.float32(0))
        row, column = np.unravel_index(
            int(np.where(free > 0, score, -np.inf).argmax()), sure.shape
        )
        if not (free[row, column] > 0 and score[row, column] > 0):
            break
        chosen.append((float(column), float(row)))
        distance = np.linalg.norm(frame.pointmap - frame.pointmap[row, column], axis=-1)
        farthest = max(float(distance[mask].max()), 1e-6)
        decay = np.fmin(decay, sure[row, column] * distance / np.float32(farthest))
        free[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 0
    points = [PointPrompt(tuple(chosen), (1,) * len(chosen))] if chosen else []
    return [*points, MaskPrompt(mask)]
