# SPDX-License-Identifier: Apache-2.0
"""Things that return no range, as glass, chrome and black plastic do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Frame, Instances
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.world.truth import FrameTruth

GRAIN_PX = 8.0
"""Size of the spots in which returns are lost or kept together."""
SEEN_THROUGH = 0.4
"""Share of the things through which the support is seen, instead of nothing."""
MOST_BEHIND, MOST_OWN = 0.45, 0.28
"""Largest share of their pixels with a return of the support, and of their own: with more of its
own, a thing has a depth."""


def without_returns(
    frame: Frame,
    truth: FrameTruth,
    instances: Instances,
    lost: Sequence[int],
    rng: np.random.Generator,
) -> Frame:
    """Return a frame in which some objects have hardly a return of their own.

    :param frame: with returns of all.
    :param truth: says which pixels are whose.
    :param instances: its masks, one for each object, with what they stand on.
    :param lost: indices of the objects that lose theirs.
    :param rng: draws how many are left, and where.
    """
    pointmap = frame.pointmap.copy()
    for index in lost:
        own = truth.instances == index + 1
        support = instances.items[index].support
        seen_through = support >= 0 and rng.random() < SEEN_THROUGH
        kept = _spots(own, rng.uniform(0.0, MOST_OWN) if rng.random() < 0.5 else 0.0, rng)
        behind = _spots(own, rng.uniform(0.0, MOST_BEHIND), rng) & ~kept
        pointmap[own & ~kept] = np.nan
        if seen_through:
            plane = instances.supports[support]
            through = rays(frame.camera)[behind].astype(np.float64)
            falls = -(through @ plane.normal)
            depth_m = np.where(falls > 1e-3, plane.offset_m / np.maximum(falls, 1e-3), np.nan)
            depth_m += frame.sensor.axial_sigma(depth_m) * rng.standard_normal(len(depth_m))
            pointmap[behind] = through * depth_m[:, None]
    return replace(frame, pointmap=pointmap)


def _spots(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """(H, W) bool: about so large a share of a mask, in spots."""
    spots = np.zeros_like(mask)
    rows, columns = np.nonzero(mask)
    if share == 0.0 or not len(rows):
        return spots
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    field = cv2.GaussianBlur(
        rng.standard_normal(mask[box].shape, np.float32), (0, 0), GRAIN_PX / 2
    )
    inside = mask[box]
    spots[box] = inside & (field >= np.quantile(field[inside], 1.0 - share))
    return spots
