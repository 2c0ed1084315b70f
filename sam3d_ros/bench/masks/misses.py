# SPDX-License-Identifier: Apache-2.0
"""Why a labelled object was not found, in words, as far as masks and depth tell."""

from __future__ import annotations

import numpy as np

from sam3d_ros.bench.masks.real_frames import BoxFrame
from sam3d_ros.bench.metrics.metrics_boxes import (
    BoxVerdict,
    box_ious,
    holds_points,
    is_part,
    masks_of,
)
from sam3d_ros.core.types import IndexArray

FEW_RETURNS = 0.5
"""Share of an object's box with a return below which the missing depth is named."""


def misses(item: BoxFrame, labels: IndexArray, verdict: BoxVerdict) -> list[tuple[str, str]]:
    """Return name and reason of every opaque object that was not found, in the labels' order.

    :param item: the frame with its labels.
    :param labels: (H, W) integer image of the predictions, 0 = no object.
    :param verdict: of :func:`judge_boxes` on ``labels``.
    """
    objects, masks = item.labels.objects, masks_of(labels)
    ious = box_ious(masks, objects)
    holds = np.array([holds_points(mask, objects) for mask in masks], bool)
    holds = holds.reshape(len(masks), len(objects))
    found_by = {k: name.name for k, name in zip(verdict.finder, objects, strict=True)}
    said = []
    for k, thing in enumerate(objects):
        if thing.transparent or verdict.finder[k] is not None:
            continue
        parts = sum(is_part(mask, thing.box_px) for mask in masks)
        holding = np.flatnonzero(holds[:, k])
        if parts > 1:
            reason = f'in {parts} pieces'
        elif len(holding) == 0:
            reason = 'no mask on it'
        else:
            most = int(holding[np.argmax(ious[holding, k])])
            others = [other.name for j, other in enumerate(objects) if holds[most, j] and j != k]
            if others:
                reason = f'one with {", ".join(others)}'
            elif most in found_by:
                reason = f'part of what found {found_by[most]}'
            else:
                reason = f'a mask of another extent: boxes overlap by {ious[most, k]:.2f}'
        left, top, right, bottom = thing.box_px
        returns = float(np.isfinite(item.frame.depth_m[top:bottom, left:right]).mean())
        if returns < FEW_RETURNS:
            reason += f'; depth on {returns:.0%} of its box'
        said.append((thing.name, reason))
    return said
