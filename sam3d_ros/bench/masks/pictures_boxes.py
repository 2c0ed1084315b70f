# SPDX-License-Identifier: Apache-2.0
"""A picture of a real frame: labelled boxes by what became of them, masks by what they are."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.bench.harness import Picture
from sam3d_ros.bench.masks.real_frames import BoxFrame
from sam3d_ros.bench.metrics.metrics_boxes import Box, BoxVerdict, Role, masks_of
from sam3d_ros.core.types import ByteArray, IndexArray

WIDTH_PX = 900
FOUND, MISSED, TRANSPARENT, IGNORED = (0, 220, 0), (255, 0, 0), (40, 110, 255), (150, 150, 150)
"""Colours (RGB) of boxes: found, missed, transparent, and where it is unclear what counts."""
HATCH_PX = 12
TINT = 0.5


def box_picture(item: BoxFrame, labels: IndexArray, verdict: BoxVerdict, time_s: float) -> Picture:
    """Return colour with tinted masks, those that are wrong rimmed red, under labelled boxes.

    Boxes are green = found, red = missed, blue = transparent (thick = found), grey hatched =
    unclear what counts.

    :param item: the frame with its labels.
    :param labels: (H, W) integer image of the predictions, 0 = no object.
    :param verdict: what is right and wrong about them.
    :param time_s: what they cost.
    """
    scale = min(1.0, WIDTH_PX / item.frame.camera.width)
    size = round(item.frame.camera.width * scale), round(item.frame.camera.height * scale)
    image = np.asarray(cv2.resize(item.frame.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    for box in item.labels.ignore:
        _hatch(image, _scaled(box, scale))
    palette = np.random.default_rng(5).integers(60, 256, (len(verdict.roles), 3))
    for mask, role, color in zip(masks_of(labels), verdict.roles, palette, strict=True):
        small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        image[small] = (image[small] * (1 - TINT) + color * TINT).astype(np.uint8)
        if role in (Role.WRONG, Role.FALSE):
            outlines, _ = cv2.findContours(
                small.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            cv2.drawContours(image, outlines, -1, MISSED, 2)
    for shown, finder in zip(item.labels.objects, verdict.finder, strict=True):
        found = finder is not None
        color = TRANSPARENT if shown.transparent else FOUND if found else MISSED
        left, top, right, bottom = _scaled(shown.box_px, scale)
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), color, 3 if found else 2)
        # Its name, white on black, in the upper left corner.
        font = cv2.FONT_HERSHEY_SIMPLEX, 0.42
        (width, height), below = cv2.getTextSize(shown.name, *font, 1)
        cv2.rectangle(
            image, (left, top), (left + width, top + height + below), (0, 0, 0), cv2.FILLED
        )
        cv2.putText(
            image, shown.name, (left, top + height), *font, (255, 255, 255), 1, cv2.LINE_AA
        )
    return Picture(_caption(item, verdict, time_s), image)


def _caption(item: BoxFrame, verdict: BoxVerdict, time_s: float) -> str:
    counts = verdict.counts
    parts = [
        f'found {counts.right} of {counts.opaque}',
        f'right {counts.right} of {counts.counted} predictions',
        f'{counts.false_objects} false',
        f'over {counts.over}, under {counts.under}',
    ]
    if counts.transparent:
        parts.append(f'transparent found {counts.transparent_found} of {counts.transparent}')
    return f'{item.name} ({item.sensor}): {", ".join(parts)}; {time_s * 1e3:.0f} ms'


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(side * scale) for side in box)
    return left, top, right, bottom


def _hatch(image: ByteArray, box: Box) -> None:
    left, top, right, bottom = box
    part = image[top:bottom, left:right]
    rows, columns = np.indices(part.shape[:2])
    part[(rows + columns) % HATCH_PX == 0] = IGNORED
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), IGNORED, 1)
