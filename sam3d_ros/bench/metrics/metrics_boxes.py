# SPDX-License-Identifier: Apache-2.0
"""Scores of masks against boxes and points of objects, for real frames without true masks.

A prediction finds an object when their boxes' IoU is at least 0.5, as in Everingham et al., "The
PASCAL Visual Object Classes (VOC) Challenge" (IJCV 2010), section 4.2, and the object's point lies
in the mask. Regions where it is unclear what counts are left out of precision, as ``iscrowd`` of
Lin et al., "Microsoft COCO" (ECCV 2014). Transparent objects may be found, but need not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Self

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.geometry.masks import mask_box

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, px, right and bottom exclusive."""

MATCH_IOU = 0.5
GROWN_BY = 4 / 640
"""How far a mask's rim may be off, of the image's width."""
IGNORED_SHARE = 0.5
OFF_SHARE = 0.5
PART_INSIDE, PART_AREA = 0.8, 0.05
"""A part of an object: so much of it lies in the object's box, and is so much of the box."""


@dataclass(frozen=True, slots=True)
class BoxObject:
    """One labelled object.

    :param box_px: of its visible part.
    :param point_px: u, v of a pixel on it.
    :param occluded: ``no``, ``partly`` or ``mostly``.
    """

    name: str
    box_px: Box
    point_px: tuple[int, int]
    transparent: bool
    occluded: str


@dataclass(frozen=True, slots=True)
class BoxLabels:
    """The labels of one frame; ``ignore``: boxes where it is unclear what counts."""

    objects: tuple[BoxObject, ...]
    ignore: tuple[Box, ...] = ()


class Role(Enum):
    """What a prediction turned out to be."""

    RIGHT = 'right'
    TRANSPARENT = 'found a transparent object'
    IGNORED = 'where it is unclear what counts'
    WRONG = 'wrong, on an object'
    FALSE = 'wrong, off any object'


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """Counts of one frame, or their sum over frames.

    :param opaque: objects that are not transparent; the transparent ones are counted apart.
    :param clear: opaque objects that nothing occludes.
    :param counted: predictions less those that found a transparent object or are to be ignored.
    :param right: predictions that found an opaque object.
    :param false_objects: counted ones that found nothing and lie mostly off any object's box.
    :param over: objects with two or more predictions inside their box.
    :param under: predictions that hold the points of two or more objects.
    """

    frames: int
    opaque: int
    clear: int
    clear_found: int
    transparent: int
    transparent_found: int
    counted: int
    right: int
    false_objects: int
    over: int
    under: int

    @property
    def recall(self) -> float:
        """Share of opaque objects that were found; NaN when there are none."""
        return _share(self.right, self.opaque)

    @property
    def precision(self) -> float:
        """Share of counted predictions that found an opaque object; NaN when there are none."""
        return _share(self.right, self.counted)

    @property
    def clear_recall(self) -> float:
        """Share of opaque objects that nothing occludes that were found; NaN without any."""
        return _share(self.clear_found, self.clear)

    @property
    def f_measure(self) -> float:
        """Harmonic mean of recall and precision; 1 when nothing was there and nothing found."""
        total = self.opaque + self.counted
        return 2 * self.right / total if total else 1.0

    @classmethod
    def total(cls, counts: Iterable[Self]) -> Self:
        """Return the sum, field by field."""
        kept = list(counts)
        return cls(*(sum(getattr(item, field.name) for item in kept) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class BoxVerdict:
    """What became of one frame's objects and predictions.

    :param finder: for each object the index of the prediction that found it, or None.
    :param roles: of the predictions, in their order.
    """

    finder: tuple[int | None, ...]
    roles: tuple[Role, ...]
    counts: BoxCounts


def masks_of(labels: IndexArray) -> list[BoolArray]:
    """Return the (H, W) bool mask of every value above 0 of an (H, W) image, in rising order."""
    return [labels == value for value in np.unique(labels[labels > 0])]


def judge_boxes(predicted: IndexArray | Sequence[BoolArray], labels: BoxLabels) -> BoxVerdict:
    """Match predictions with objects greedily by IoU of boxes, and say what each one is.

    :param predicted: (H, W) integer image, 0 = no object, or (H, W) bool masks, none empty.
    :param labels: the true boxes.
    """
    masks = masks_of(predicted) if isinstance(predicted, np.ndarray) else list(predicted)
    objects = labels.objects
    holds = np.array([holds_points(mask, objects) for mask in masks], bool)
    holds = holds.reshape(len(masks), len(objects))
    finder = _matched(box_ious(masks, objects), holds)
    found = {index: item for index, item in zip(finder, objects, strict=True) if index is not None}
    roles = tuple(_role(mask, found.get(k), labels) for k, mask in enumerate(masks))
    opaque = [not item.transparent for item in objects]
    clear = [not item.transparent and item.occluded == 'no' for item in objects]
    parts = np.array([[is_part(mask, item.box_px) for mask in masks] for item in objects], bool)
    counts = BoxCounts(
        frames=1,
        opaque=sum(opaque),
        clear=sum(clear),
        clear_found=sum(
            k is not None for k, is_clear in zip(finder, clear, strict=True) if is_clear
        ),
        transparent=len(objects) - sum(opaque),
        transparent_found=roles.count(Role.TRANSPARENT),
        counted=len(masks) - roles.count(Role.TRANSPARENT) - roles.count(Role.IGNORED),
        right=roles.count(Role.RIGHT),
        false_objects=roles.count(Role.FALSE),
        over=int((parts.reshape(len(objects), len(masks)).sum(axis=1) >= 2).sum()),
        under=int((holds.sum(axis=1) >= 2).sum()),
    )
    return BoxVerdict(finder, roles, counts)


def _matched(ious: FloatArray, holds: BoolArray) -> tuple[int | None, ...]:
    """Return for each object (column) the prediction (row) that found it, highest IoU first."""
    finder: list[int | None] = [None] * ious.shape[1]
    rows, columns = np.nonzero(holds & (ious >= MATCH_IOU))
    order = np.argsort(-ious[rows, columns], kind='stable')
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if finder[column] is None and row not in finder:
            finder[column] = row
    return tuple(finder)


def _role(mask: BoolArray, found: BoxObject | None, labels: BoxLabels) -> Role:
    if found is not None:
        return Role.TRANSPARENT if found.transparent else Role.RIGHT
    rows, columns = np.nonzero(mask)
    u, v = columns.mean(), rows.mean()
    if any(left <= u < right and top <= v < bottom for left, top, right, bottom in labels.ignore):
        return Role.IGNORED
    if _share_inside(mask, labels.ignore) > IGNORED_SHARE:
        return Role.IGNORED
    inside = _share_inside(mask, [item.box_px for item in labels.objects])
    return Role.FALSE if 1 - inside > OFF_SHARE else Role.WRONG


def holds_points(mask: BoolArray, objects: Sequence[BoxObject]) -> list[bool]:
    """Return which objects' points lie in an (H, W) mask, its holes filled, its rim grown."""
    radius = round(GROWN_BY * mask.shape[1])
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    grown = cv2.dilate(filled, disk)
    return [bool(grown[item.point_px[1], item.point_px[0]]) for item in objects]


def box_ious(masks: Sequence[BoolArray], objects: Sequence[BoxObject]) -> FloatArray:
    """Return (predictions, objects) IoU of the boxes of (H, W) masks with those of objects."""
    mine = np.array([mask_box(mask) for mask in masks], np.float64).reshape(-1, 1, 4)
    real = np.array([item.box_px for item in objects], np.float64).reshape(1, -1, 4)
    low, high = np.maximum(mine[..., :2], real[..., :2]), np.minimum(mine[..., 2:], real[..., 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=2) for box in (mine, real)]
    ious: FloatArray = common / (areas[0] + areas[1] - common)
    return ious


def is_part(mask: BoolArray, box: Box) -> bool:
    """Return whether an (H, W) mask is a piece of what a box holds, and no speck."""
    left, top, right, bottom = box
    big = mask.sum() >= PART_AREA * (right - left) * (bottom - top)
    return bool(big) and _share_inside(mask, [box]) >= PART_INSIDE


def _share_inside(mask: BoolArray, boxes: Iterable[Box]) -> float:
    """Return the share of a mask's pixels that lie in any of the boxes."""
    outside = mask.copy()
    for left, top, right, bottom in boxes:
        outside[top:bottom, left:right] = False
    return 1 - float(outside.sum()) / float(mask.sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')
