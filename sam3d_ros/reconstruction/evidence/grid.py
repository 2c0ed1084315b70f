# SPDX-License-Identifier: Apache-2.0
"""The cubic volume around one object: z up, x away from the camera, y = z cross x (left)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Float32Array, FloatArray, Plane
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.views import View

QUANTILE = 0.005
LOOKING_DOWN = 0.1
SUPPORT_REACH = 3.0
LEAST_RETURNS = 0.5
"""Share of a mask's pixels with a return below which its silhouette gives the size too."""
FARTHEST_SHARE = 1.5
"""Blind pixels are no farther than this share of the depth of those seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """size^3 cubic voxels; the frame's origin is the volume's centre.

    Voxel [i, j, k] has its centre at ``((i, j, k) + 0.5 - size / 2) * voxel_m`` in the grid
    frame; arrays over the grid are indexed [x, y, z].

    :param size: voxels along each side.
    :param voxel_m: side of a voxel, metres.
    :param T_ref_grid: (4, 4) float64, grid frame to the views' ref frame.
    """

    size: int
    voxel_m: float
    T_ref_grid: FloatArray

    @property
    def axis_m(self) -> FloatArray:
        """(size,) float64 coordinates of the voxel centres along any axis, metres."""
        return np.asarray((np.arange(self.size) + 0.5 - self.size / 2) * self.voxel_m, np.float64)

    def centres_m(self) -> Float32Array:
        """(size, size, size, 3) float32 voxel centres, grid frame, metres."""
        a = self.axis_m.astype(np.float32)
        return np.stack(np.meshgrid(a, a, a, indexing='ij'), axis=-1)

    def heights_m(self, plane: FloatArray) -> Float32Array:
        """(size, size, size) float32 heights of the voxel centres over a plane (nx, ny, nz, d)."""
        x, y, z = (plane[i] * self.axis_m for i in range(3))
        heights = x[:, None, None] + y[None, :, None] + (z + plane[3])[None, None, :]
        return np.asarray(heights, np.float32)

    def coordinates(self, points_m: FloatArray) -> FloatArray:
        """Return (..., 3) fractional voxel indices of points in the grid frame."""
        return np.asarray(points_m) / self.voxel_m + (self.size / 2 - 0.5)


def fit_grid(views: Sequence[View], config: EvidenceConfig) -> Grid:
    """Return the volume for an object from its views; the first view gives the axes.

    The side is ``config.margin`` times the largest extent of the points seen, where the depth
    away from the camera counts at least ``config.hidden_depth`` of the smaller of width and
    height (the hidden side), and the height starts at the support. Where most of a mask has no
    return, as on glass, its silhouette counts too.

    :raises InputError: when no view has an own pixel with a return.
    """
    R_ref_grid = _axes(views[0])
    points = np.concatenate([apply(view.T_ref_cam, _shown_points(view)) for view in views])
    if len(points) == 0:
        raise InputError(
            'an object without a single valid depth', wanted='at least one own pixel with depth'
        )
    points = points @ R_ref_grid
    low = np.quantile(points, QUANTILE, axis=0)
    high = np.quantile(points, 1.0 - QUANTILE, axis=0)
    axes = Grid(config.grid, 1.0, transform(R_ref_grid, np.zeros(3)))
    plane = support_plane(views, axes)
    if plane is not None:
        bottom = -(plane[3] + plane[:2] @ (0.5 * (low + high))[:2]) / plane[2]
        if 0 < low[2] - bottom < SUPPORT_REACH * (high[2] - low[2]):
            low[2] = bottom
    extent = high - low
    extent[0] = max(extent[0], config.hidden_depth * min(extent[1], extent[2]))
    centre = low + 0.5 * extent
    voxel = max(float(extent.max()) * config.margin / config.grid, 1e-4)
    return Grid(config.grid, voxel, transform(R_ref_grid, R_ref_grid @ centre))


def _shown_points(view: View) -> FloatArray:
    """(P, 3) own points of a view, optical frame; of a mask that has few returns its blind pixels
    too, where their rays meet the upright plane through the middle of those seen, facing the
    camera.
    """
    own = view.own
    points = view.pointmap[own].astype(np.float64)
    if len(points) == 0 or len(points) >= LEAST_RETURNS * view.mask.sum():
        return points
    middle = np.median(points, axis=0)
    up = view.up_cam / np.linalg.norm(view.up_cam)
    across = middle - up * (up @ middle)
    rows, columns = np.nonzero(view.mask & ~own)
    K = view.camera
    directions = np.stack(
        [(columns - K.cx) / K.fx, (rows - K.cy) / K.fy, np.ones(len(rows))], axis=1
    )
    towards = directions @ across
    ahead = towards > 0.1 * np.linalg.norm(across) * np.linalg.norm(directions, axis=1)
    reach = (middle @ across) / np.where(ahead, towards, 1.0)
    ahead &= reach < FARTHEST_SHARE * middle[2]
    return np.concatenate([points, reach[ahead, None] * directions[ahead]])


def _axes(view: View) -> FloatArray:
    """(3, 3) grid axes in ref: z = up, x = optical axis (or image up, looking down) levelled."""
    up = view.up_cam / np.linalg.norm(view.up_cam)
    forward = np.array([0.0, 0.0, 1.0])
    forward = forward - up * (up @ forward)
    if np.linalg.norm(forward) < LOOKING_DOWN:
        forward = np.array([0.0, -1.0, 0.0]) + up * up[1]
    x = forward / np.linalg.norm(forward)
    axes_cam = np.stack([x, np.cross(up, x), up], axis=1)
    R_ref_grid: FloatArray = view.T_ref_cam[:3, :3] @ axes_cam
    return R_ref_grid


def support_plane(views: Sequence[View], grid: Grid) -> FloatArray | None:
    """Return the first known support as (nx, ny, nz, d) in the grid frame, or None.

    :param views: of the object, all with the same ref.
    """
    for view in views:
        if view.support is not None:
            return _plane(view.support, T_cam_grid(view, grid))
    return None


def _plane(plane: Plane, T_cam_new: FloatArray) -> FloatArray:
    """Express a plane of the optical frame in the frame that ``T_cam_new`` maps from."""
    normal = T_cam_new[:3, :3].T @ plane.normal
    return np.append(normal, plane.offset_m + float(plane.normal @ T_cam_new[:3, 3]))


def T_cam_grid(view: View, grid: Grid) -> FloatArray:
    """Return the (4, 4) transform from the grid frame to a view's optical frame."""
    return inverse(view.T_ref_cam) @ grid.T_ref_grid
