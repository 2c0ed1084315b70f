# SPDX-License-Identifier: Apache-2.0
"""People by depth alone: upright bodies that no support explains, as capsules.

What stands in a frame beside levels and flat things is gathered from above: cells of ground that
touch are one thing. A thing is tall when it reaches high enough, is as broad as a body, and goes
down to the floor, or to the rim of the image, or behind something nearer; a thing on a table is
explained by the table. It works in the dark and from behind. It cannot tell a person from a
mannequin, a column or a coat stand: hence ``tall_mover``, the name of what nobody has looked at.
What goes on at the same range beside its outline, as a shelf of a bookcase does, is a part of
something larger: it does not stand free, and nobody new.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.people.scenery import Scenery

PLAN_CELL_M = 0.05
BREADTH_M = (0.1, 1.35)
"""How broad a body is seen from any side, with its arms."""
AREA_M2 = 0.05
"""Less of a body in sight is not enough."""
RISE_M = 0.4
"""Less height of a body in sight is not enough."""
BODY_M = 0.6
"""Two heads are farther apart than half of this."""
LOW_M = 0.4
"""A body's lowest part in sight is no higher over the floor, unless something hides the rest."""
WHOLE = 0.5
"""A body is in one piece, by this share of what is in sight; things that hide it cut it."""
FREE = 0.85
"""Of the outline of what stands free, more has something farther away beside it."""
BESIDE = 3
"""Cells from the outline to what is beside it: mixed pixels lie between."""
BESIDE_M = 0.1
DEEP_M = 0.09
"""The middle of a body lies so far behind its surface."""


@dataclass(frozen=True, slots=True, eq=False)
class Tall:
    """One upright body in one frame.

    :param cells: (h, w) bool on the scenery's grid.
    :param middle_m: (3,) float64 middle of its ground, at the height of its middle; right,
        forward, up from the camera.
    :param bottom_m: height over the camera where it begins: the floor's when that is known.
    :param top_m: height over the camera where it ends in sight.
    :param radius_m: of an upright capsule about it.
    :param sigma_m: one-sigma error of its place on the ground.
    :param is_free: whether it stands before what is beside it, and is not a part of that.
    """

    cells: BoolArray
    middle_m: FloatArray
    bottom_m: float
    top_m: float
    radius_m: float
    sigma_m: float
    is_free: bool


def find_tall(scenery: Scenery, tall_m: float) -> list[Tall]:
    """Return the upright bodies of a frame, the nearest first.

    :param tall_m: least height over the floor that they reach.
    """
    found = []
    for cells in _things(scenery):
        for part in _heads_apart(scenery, cells):
            tall = _measured(scenery, part, tall_m)
            if tall is not None:
                found.append(tall)
    return sorted(found, key=lambda item: float(np.linalg.norm(item.middle_m[:2])))


def _things(scenery: Scenery) -> list[BoolArray]:
    """Return the cells of every thing whose cells of ground touch."""
    standing = scenery.standing
    ground = scenery.points[..., :2][standing]
    if not len(ground):
        return []
    low = ground.min(axis=0)
    index = np.floor((ground - low) / np.float32(PLAN_CELL_M)).astype(np.int32)
    size = index.max(axis=0) + 1
    plan = np.zeros((int(size[1]), int(size[0])), np.float32)
    np.add.at(plan, (index[:, 1], index[:, 0]), scenery.area_m2[standing])
    # A lone return is noise; a column of a body has more to show.
    solid = (cv2.blur(plan, (3, 3)) * 9 > 0.004).astype(np.uint8)
    count, labels = cv2.connectedComponents(solid, connectivity=8)
    of_cell = np.zeros(standing.shape, np.int32)
    of_cell[standing] = labels[index[:, 1], index[:, 0]]
    areas = np.bincount(of_cell.ravel(), scenery.area_m2.ravel(), count)
    return [of_cell == k for k in range(1, count) if areas[k] > AREA_M2]


def _heads_apart(scenery: Scenery, cells: BoolArray) -> list[BoolArray]:
    """Return a thing in parts, one for each head that stands apart seen from above."""
    points = scenery.points[cells]
    if np.ptp(points[:, :2], axis=0).max() < BODY_M:
        return [cells]
    top = np.quantile(points[:, 2], 0.99)
    low = points[:, :2].min(axis=0)
    index = np.floor((points[:, :2] - low) / np.float32(PLAN_CELL_M)).astype(np.int32)
    size = index.max(axis=0) + 1
    highest = np.full((int(size[1]), int(size[0])), -10.0, np.float32)
    np.maximum.at(highest, (index[:, 1], index[:, 0]), points[:, 2])
    radius = round(BODY_M / 2 / PLAN_CELL_M)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    is_peak = (highest >= cv2.dilate(highest, disc)) & (highest > top - 0.7)
    peaks = np.argwhere(is_peak)[:, ::-1]
    kept: list[IndexArray] = []
    for peak in sorted(peaks, key=lambda at: -highest[at[1], at[0]]):
        if all(np.linalg.norm(peak - other) >= radius for other in kept):
            kept.append(peak)
    if len(kept) < 2:
        return [cells]
    nearest = np.argmin(np.linalg.norm(index[:, None] - np.array(kept)[None], axis=-1), axis=1)
    parts = []
    for k in range(len(kept)):
        part = cells.copy()
        part[cells] = nearest == k
        parts.append(part)
    areas = [float(scenery.area_m2[part].sum()) for part in parts]
    return parts if min(areas) > AREA_M2 else [cells]


def _measured(scenery: Scenery, cells: BoolArray, tall_m: float) -> Tall | None:
    """Return a thing as a body, or None when it is none."""
    points, area = scenery.points[cells], scenery.area_m2[cells]
    heights = points[:, 2]
    bottom, top = (float(value) for value in np.quantile(heights, [0.02, 0.99]))
    middle = np.median(points[:, :2], axis=0).astype(np.float64)
    off = points[:, :2] - middle.astype(np.float32)
    axes = np.linalg.eigh(off.T @ off)[1]
    spread = np.quantile(off @ axes, [0.05, 0.95], axis=0)
    breadth = float(np.ptp(spread, axis=0).max())
    if area.sum() < AREA_M2 or top - bottom < RISE_M:
        return None
    if not BREADTH_M[0] < breadth < BREADTH_M[1]:
        return None
    floor = scenery.floor_m
    # Where no floor is in sight, what is seen must be tall itself: a shelf close by is not.
    if top - (bottom if floor is None else floor) < tall_m:
        return None
    reaches_down = floor is not None and bottom < floor + LOW_M
    if not reaches_down and not _hidden_below(scenery, cells):
        return None
    if _scattered(scenery, cells):
        return None
    distance = float(np.linalg.norm(middle))
    middle = middle * (1 + DEEP_M / max(distance, 0.3))
    radius = float(np.clip(breadth / 2, 0.15, 0.45))
    start = floor if floor is not None else min(bottom, top - 1.0)
    sigma = float(np.median(scenery.sigma_m[cells])) + 0.03
    place = np.array([middle[0], middle[1], (start + top) / 2])
    return Tall(cells, place, start, top, radius, sigma, _stands_free(scenery, cells))


def _scattered(scenery: Scenery, cells: BoolArray) -> bool:
    """Return whether a thing is in pieces all over the image, as the noise of a wall is."""
    joined = cv2.morphologyEx(cells.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    areas = np.bincount(labels.ravel(), np.where(cells, scenery.area_m2, 0).ravel(), count)[1:]
    filled = cells.sum() / max(1, int(joined.sum()))
    return bool(areas.max() < WHOLE * areas.sum() or filled < WHOLE)


def _hidden_below(scenery: Scenery, cells: BoolArray) -> bool:
    """Return whether a thing's lower end is cut by the image or hidden by something nearer."""
    rows, columns = np.nonzero(cells)
    heights = scenery.points[..., 2]
    lowest = float(np.quantile(heights[cells], 0.02))
    last = cells.shape[0] - 1
    distance = np.linalg.norm(scenery.points[..., :2], axis=-1)
    hidden = resting = 0
    for column in np.unique(columns):
        row = int(rows[columns == column].max())
        if heights[row, column] > lowest + 0.15:
            continue  # the lower end of an arm
        below = distance[row + 1 : row + 9, column]
        nearer = distance[row, column] - 0.1 - 2 * scenery.sigma_m[row, column]
        is_cut = row >= last - 1 or (last - row < 4 and np.isnan(below).all())
        if is_cut or (below < nearer).any():
            hidden += 1
        else:
            resting += 1
    return hidden > resting


def _stands_free(scenery: Scenery, cells: BoolArray) -> bool:
    """Return whether there is something farther away beside most of a thing's outline.

    The ground under it, what hides it, and where nothing came back tell nothing.
    """
    distance = np.linalg.norm(scenery.points[..., :2], axis=-1)
    rows, columns = np.nonzero(cells)
    farther = same = 0
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        next_to = rows + BESIDE * down, columns + BESIDE * right
        inside = (next_to[0] >= 0) & (next_to[0] < cells.shape[0])
        inside &= (next_to[1] >= 0) & (next_to[1] < cells.shape[1])
        at, beside = (rows[inside], columns[inside]), (next_to[0][inside], next_to[1][inside])
        told = ~cells[at[0] + down, at[1] + right] & ~cells[beside] & ~scenery.level[beside]
        step = (distance[beside] - distance[at])[told]
        reach = (BESIDE_M + 2 * scenery.sigma_m[at])[told]
        farther += int((step > reach).sum())
        same += int((np.abs(step) <= reach).sum())
    return farther > FREE * (farther + same)
