# SPDX-License-Identifier: Apache-2.0
"""Motion of a LiDAR while it swept, undone: every point from where TF says it was measured."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transform_tree import ExtrapolationError, TransformTree
from sam3d_ros.geometry.transforms import apply, inverse, moved_by, twist_between
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.sources.ranges import transform_between

# TF is asked this often: at 90 deg/s, what a straight line between leaves is below 0.1 mm at 3 m.
_STEP_S = 0.005


def as_seen_at_once(color: ColorImage, cloud: PointCloud, tree: TransformTree) -> Float32Array:
    """Return (N, 3) float32 points of a cloud in the colour camera's frame, at the image's stamp.

    A cloud that does not say when its points were measured is moved as one body. Where TF ends
    within the sweep, the motion before is taken to have gone on.

    :param color: the image.
    :param cloud: what the LiDAR measured around its stamp.
    :param tree: all of TF that is known.
    :raises TransformError: when TF does not say where both were at their stamps.
    """
    points = cloud.points_m.reshape(-1, 3)
    T_color_stamp = transform_between(color, cloud, tree)
    times_s, root = cloud.times_s, tree.root(color.frame_id)
    if times_s is None or not len(times_s) or not _may_move(tree, root, cloud.frame_id):
        return apply(T_color_stamp, points)
    first, last = float(times_s.min()), float(times_s.max())
    knots_s = np.linspace(first, last, max(int(np.ceil((last - first) / _STEP_S)), 1) + 1)
    T = _poses(tree, root, cloud, knots_s)
    # The stamp's own pose is in T_color_stamp already.
    T = T_color_stamp @ inverse(tree.lookup(root, cloud.frame_id, cloud.stamp_ns)) @ T
    at = (times_s - first) / max(last - first, 1e-9) * (len(knots_s) - 1)
    before = np.minimum(at.astype(np.intp), len(knots_s) - 2)
    share = (at - before).astype(np.float32)[:, None]
    moved = np.empty((len(points), 3), np.float32)
    for k in range(len(knots_s) - 1):
        chosen = np.flatnonzero(before == k)
        start, end = (apply(T[i], points[chosen]) for i in (k, k + 1))
        moved[chosen] = start + share[chosen] * (end - start)
    return moved


def _may_move(tree: TransformTree, root: str, frame_id: str) -> bool:
    try:
        return tree.moves(root, frame_id)
    except TransformError:
        return False


def _poses(tree: TransformTree, root: str, cloud: PointCloud, times_s: FloatArray) -> FloatArray:
    """Return (K, 4, 4) poses of the LiDAR in the root; constant motion beyond what TF covers."""
    known: list[int] = []
    poses = np.empty((len(times_s), 4, 4))
    for k, time_s in enumerate(times_s):
        try:
            poses[k] = tree.lookup(root, cloud.frame_id, cloud.stamp_ns + round(time_s * 1e9))
        except ExtrapolationError:
            continue
        known.append(k)
    here = tree.lookup(root, cloud.frame_id, cloud.stamp_ns)
    for k in set(range(len(times_s))) - set(known):
        near = sorted(known, key=lambda other: abs(other - k))[:2]
        if len(near) < 2:
            poses[k] = poses[near[0]] if near else here
            continue
        end, inner = near
        steps = (times_s[k] - times_s[end]) / (times_s[end] - times_s[inner])
        poses[k] = moved_by(poses[end], steps * twist_between(poses[inner], poses[end]))
    return poses
