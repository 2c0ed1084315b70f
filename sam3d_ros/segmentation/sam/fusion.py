# SPDX-License-Identifier: Apache-2.0
"""What depth makes of masks that were found in colour alone.

Colour sees prints, shadows and the table; depth sees what stands apart. A mask keeps what lies on
things over the supports, is cut where depth leaves a gap, gives way to its parts when geometry
knows them as separate things, and swallows fragments that only texture sets off. Things that
colour missed are added as geometry sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, IndexArray, Instance
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.segmentation.partition.partition import Partition
from sam3d_ros.segmentation.sam.automatic import Candidate

ON_THINGS = 0.5
"""Least share of a mask on things over supports; below it the mask is table, wall or shadow."""

WHOLE_THING = 0.6
"""Least IoU of a mask and a geometric thing to be the same."""

SAME_PLACE = 0.85
"""Share of a mask inside another from which it is a part of it."""

ENCLOSED = 0.6
"""Share of a mask's outline next to another from which it is a print on it, not a neighbour."""

UNCOVERED = 0.6
"""Share of a geometric thing without a mask from which colour has missed it."""


MIN_FRAGMENT_PX = 30
"""Smaller pieces are noise of a mask's rim; larger ones may be prints that a neighbour absorbs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A mask under way: (H, W) bool, its score and its area."""

    mask: BoolArray
    score: float
    area: int


def fuse(
    candidates: Sequence[Candidate], found: Partition, min_area_px: int, name: str
) -> tuple[Instance, ...]:
    """Return instances that do not overlap, from masks of all levels and the frame's partition.

    :param name: backend name for ``Instance.source``.
    """
    things = found.things
    contact = np.where(things > 0, found.group_of[found.patches], 0)
    regions = [
        region for candidate in candidates for region in _cut_at_gaps(candidate, things, contact)
    ]
    chosen = _absorb_fragments(_one_level(regions, things), things)
    labels = _paint(chosen, things.shape)
    made = []
    for number, region in enumerate(chosen, 1):
        mask = labels == number
        box = mask_box(mask)
        if box is not None and mask.sum() >= min_area_px:
            support = support_of(mask, found)
            made.append(Instance(mask, region.score, box, f'{name}:all', support=support))
    # Things of the partition that no mask covers stand for themselves.
    total = np.bincount(things.ravel(), minlength=len(found.keep))
    bare = np.bincount(things[labels == 0], minlength=len(found.keep))
    source = f'{name}+geometric:all'
    for thing in np.flatnonzero(bare >= np.maximum(UNCOVERED * total, min_area_px)):
        mask = (things == thing) & (labels == 0)
        box = mask_box(mask)
        if thing > 0 and box is not None:
            score, support = float(found.certainty[thing]), int(found.support_of[thing])
            made.append(Instance(mask, score, box, source, support=support))
    return tuple(made)


def _cut_at_gaps(candidate: Candidate, things: IndexArray, contact: IndexArray) -> list[_Region]:
    """Return the parts of a mask on things, one for each set of things in contact."""
    on_things = candidate.mask & (things > 0)
    if on_things.sum() < ON_THINGS * candidate.mask.sum():
        return []
    areas = np.bincount(contact[on_things])
    return [
        _Region(on_things & (contact == group), candidate.score, int(areas[group]))
        for group in np.flatnonzero(areas >= MIN_FRAGMENT_PX)
    ]


def _one_level(regions: Sequence[_Region], things: IndexArray) -> list[_Region]:
    """Return wholes without their parts, except groups whose parts geometry knows as things."""
    ordered = sorted(regions, key=lambda region: -region.area)
    kept: list[_Region] = []
    for index, region in enumerate(ordered):
        if any(_inside(region, other) for other in kept):
            continue
        parts = [other for other in ordered[index + 1 :] if _inside(other, region)]
        if not _is_group(region, parts, things):
            kept.append(region)
    return kept


def _inside(region: _Region, other: _Region) -> bool:
    return int((region.mask & other.mask).sum()) >= SAME_PLACE * region.area


def _is_group(region: _Region, parts: Sequence[_Region], things: IndexArray) -> bool:
    """Return whether two or more parts of a region are each a thing of their own."""
    inside = np.bincount(things[region.mask])
    inside[0] = 0
    separate = {
        thing
        for thing in np.flatnonzero(inside >= 0.1 * region.area)
        if any(mask_iou(part.mask, things == thing) >= WHOLE_THING for part in parts)
    }
    return len(separate) >= 2


def _absorb_fragments(regions: Sequence[_Region], things: IndexArray) -> list[_Region]:
    """Join regions that another one of the same thing encloses: prints, labels, lids."""
    merged = list(regions)
    for index in range(len(merged) - 1, 0, -1):
        fragment = merged[index]
        ring = cv2.dilate(fragment.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        ring &= ~fragment.mask
        thing = np.bincount(things[fragment.mask]).argmax()
        for host in range(index):
            beside = int((ring & merged[host].mask).sum())
            same_thing = np.bincount(things[merged[host].mask]).argmax() == thing
            if same_thing and beside >= ENCLOSED * int(ring.sum()):
                whole = merged[host].mask | fragment.mask
                merged[host] = replace(merged[host], mask=whole, area=int(whole.sum()))
                del merged[index]
                break
    return merged


def _paint(regions: Sequence[_Region], shape: tuple[int, ...]) -> IndexArray:
    """Return (H, W) labels, 1-based; smaller regions lie over larger ones."""
    labels = np.zeros(shape, np.int32)
    for index in sorted(range(len(regions)), key=lambda i: -regions[i].area):
        labels[regions[index].mask] = index + 1
    return labels


def support_of(mask: BoolArray, found: Partition) -> int:
    """Return the support of the geometric thing that a mask shows most of, or -1."""
    counts = np.bincount(found.things[mask], minlength=len(found.keep))
    counts[0] = 0
    return int(found.support_of[counts.argmax()]) if counts.any() else -1
