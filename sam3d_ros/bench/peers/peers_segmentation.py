# SPDX-License-Identifier: Apache-2.0
"""What the Open3D tutorial does to find objects on a table, run beside ours on the same frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sam3d_ros.core.types import Frame, IndexArray

SegmentFrame = Callable[[Frame], IndexArray]
"""A way to segment: a frame to (H, W) int32 labels, 0 = no object."""

VOXEL_M = 0.004
PLANE_DISTANCE_M = 0.01
PLANE_ITERATIONS = 1000
CLUSTER_EPS_M = 0.02
CLUSTER_MIN_POINTS = 10


def open3d_tutorial(frame: Frame) -> IndexArray:
    """Return (H, W) int32 labels: voxel grid, one plane by RANSAC, DBSCAN of the rest.

    Follows the tutorials "Point cloud" (voxel downsampling, plane segmentation, DBSCAN
    clustering); every pixel takes the label of its voxel.
    """
    import open3d as o3d

    o3d.utility.random.seed(0)
    valid = frame.depth_m > 0
    points = frame.pointmap[valid].astype(np.float64)
    labels = np.zeros(valid.shape, np.int32)
    if len(points) < CLUSTER_MIN_POINTS:
        return labels
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud = cloud.voxel_down_sample(VOXEL_M)
    _, on_plane = cloud.segment_plane(PLANE_DISTANCE_M, 3, PLANE_ITERATIONS)
    rest = cloud.select_by_index(on_plane, invert=True)
    clusters = np.asarray(rest.cluster_dbscan(CLUSTER_EPS_M, CLUSTER_MIN_POINTS), np.int32)
    labels[valid] = _looked_up(np.asarray(rest.points), clusters + 1, points)
    return labels


def _looked_up(centers: np.ndarray, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return for each of (N, 3) points the value of the voxel it lies in, 0 where none is."""
    found = np.zeros(len(points), np.int32)
    if len(centers) == 0:
        return found
    origin = points.min(axis=0) - VOXEL_M / 2  # where Open3D's voxels begin
    shape = tuple(((points.max(axis=0) - origin) / VOXEL_M).astype(int) + 2)
    known, wanted = _voxel(centers, origin, shape), _voxel(points, origin, shape)
    order = np.argsort(known)
    place = np.searchsorted(known[order], wanted).clip(max=len(known) - 1)
    hit = known[order][place] == wanted
    found[hit] = values[order][place[hit]]
    return found


def _voxel(points: np.ndarray, origin: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    cells = np.floor((points - origin) / VOXEL_M).astype(np.int64)
    return np.ravel_multi_index(tuple(cells.T), shape)
