# SPDX-License-Identifier: Apache-2.0
"""The mask values of surfels as an image: what a mask in 3D looks like in a view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import Float32Array, FloatArray, Frame, IndexArray
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import DepthVerdict

NEIGHBOURS = 4
"""Surfels that a pixel's value is a mean of."""
REACH = 3.0
"""How far they may be from its point, in spacings of the surfels."""
MARGIN_PX = 8
OPPOSITE = (
    (np.s_[1:-1, :-2], np.s_[1:-1, 2:]),
    (np.s_[:-2, 1:-1], np.s_[2:, 1:-1]),
    (np.s_[:-2, :-2], np.s_[2:, 2:]),
    (np.s_[:-2, 2:], np.s_[2:, :-2]),
)
"""Cells on two sides of each cell of a padded grid."""


def render(tree: cKDTree, values: FloatArray, frame: Frame, spacing_m: float) -> Float32Array:
    """Return the (H, W) float32 mask values of a frame's pixels, NaN where nothing is known.

    The frame has measured where each pixel's surface is, so that no z-buffer is needed: a pixel
    has the value of the surfels around its point. Only pixels around the object are looked up.

    :param tree: of the (N, 3) surfels, fixed frame, metres.
    :param values: (N,) mask value of each, > 0 = the object.
    :param frame: the view.
    :param spacing_m: distance of neighbouring surfels.
    """
    image = np.full(frame.depth_m.shape, np.nan, np.float32)
    owned = project(apply(inverse(frame.T_fixed_cam), tree.data[values > 0]), frame.camera)
    owned = owned[np.isfinite(owned).all(axis=1)]
    if not len(owned):
        return image
    height, width = frame.depth_m.shape
    low = np.maximum(owned.min(axis=0) - MARGIN_PX, 0).astype(int)
    high = np.minimum(owned.max(axis=0) + MARGIN_PX + 1, (width, height)).astype(int)
    part = (slice(low[1], max(0, high[1])), slice(low[0], max(0, high[0])))
    measured = np.isfinite(frame.depth_m[part])
    points = apply(frame.T_fixed_cam, frame.pointmap[part][measured].astype(np.float64))
    distance, index = tree.query(
        points, k=NEIGHBOURS, distance_upper_bound=REACH * spacing_m, eps=0.2
    )
    near = np.isfinite(distance)
    weight = np.where(near, 1.0 / np.square(distance + 0.3 * spacing_m), 0.0)
    value = np.append(values, 0.0)[index]
    total = weight.sum(axis=1)
    looked_up = np.full(measured.shape, np.nan, np.float32)
    looked_up[measured] = np.where(
        total > 0, (weight * value).sum(axis=1) / np.where(total > 0, total, 1.0), np.nan
    )
    image[part] = looked_up
    return image


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Whose surface a frame shows, at every few pixels, by what earlier frames have shown.

    :param owner: (h, w) int32 track id, -1 = nobody's.
    :param confidence: (h, w) float32 that it is, > 0; 0 = nobody's.
    :param step_px: distance of the cells' pixels.
    """

    owner: IndexArray
    confidence: Float32Array
    step_px: int

    def over(self, frame: Frame) -> Known:
        """Return the cells repeated for every pixel of the frame that has measured a surface."""
        height, width = frame.depth_m.shape
        owner, confidence = (
            cells.repeat(self.step_px, axis=0).repeat(self.step_px, axis=1)[:height, :width]
            for cells in (self.owner, self.confidence)
        )
        measured = np.isfinite(frame.depth_m)
        return Known(
            np.where(measured, owner, np.int32(-1)),
            np.where(measured, confidence, np.float32(0)),
            1,
        )


def draw(
    surfaces: Iterable[tuple[int, DepthVerdict, FloatArray]], shape: tuple[int, ...], step_px: int
) -> Known:
    """Return whose surface a frame shows: the object's that is the surest of a cell.

    No z-buffer is needed, since the range of a pixel says which points it shows. Single cells
    between points of one object are its own.

    :param surfaces: id of each object, what the frame says of its points, and their confidence.
    :param shape: rows and columns of the frame.
    :param step_px: side of a cell, about the distance of the points.
    """
    rows, columns = (-(-size // step_px) for size in shape[:2])
    owner = np.full((rows, columns), -1, np.int32)
    confidence = np.zeros((rows, columns), np.float32)
    for object_id, verdict, values in surfaces:
        seen = verdict.confirmed
        most = np.zeros((rows, columns), np.float32)
        cells = (verdict.rows[seen] // step_px, verdict.columns[seen] // step_px)
        np.maximum.at(most, cells, values[seen].astype(np.float32))
        surer = most > confidence
        owner[surer], confidence[surer] = object_id, most[surer]
    wide, sure = np.pad(owner, 1, constant_values=-1), np.pad(confidence, 1)
    for near, far in OPPOSITE:
        between = (owner < 0) & (wide[near] == wide[far]) & (wide[near] >= 0)
        owner[between] = wide[near][between]
        confidence[between] = np.minimum(sure[near], sure[far])[between]
    return Known(owner, confidence, step_px)


def owners(
    tree: cKDTree, owner: IndexArray, frame: Frame, reach_m: float, step_px: int
) -> IndexArray:
    """Return the (h, w) int32 owner of the surface that every few pixels show, -1 = nobody's.

    :param tree: of N surface points, fixed frame, metres.
    :param owner: (N,) int32 whose each of them is, 0 or more.
    :param frame: the view.
    :param reach_m: how far a pixel's point may be from the nearest of them.
    :param step_px: distance of the pixels that are looked up, down and across.
    """
    points = frame.pointmap[::step_px, ::step_px]
    measured = np.isfinite(points[..., 2])
    found = np.full(measured.shape, -1, np.int32)
    points_fixed = apply(frame.T_fixed_cam, points[measured].astype(np.float64))
    distance, nearest = tree.query(points_fixed, distance_upper_bound=reach_m)
    near = np.isfinite(distance)
    found[measured] = np.where(near, owner[np.where(near, nearest, 0)], -1)
    return found
