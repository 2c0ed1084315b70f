# SPDX-License-Identifier: Apache-2.0
"""Where a known shape is when it is not where it was thought to be: registered from all sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import moved_by, transform
from sam3d_ros.reconstruction.config import LayoutConfig
from sam3d_ros.reconstruction.pose.layout import POOR_SCORE, Placed, measure_poses

TURNS = 8
"""Turns about the vertical that registration starts from."""


def relocated(item: Placed, config: LayoutConfig) -> tuple[FloatArray, FloatArray] | None:
    """Return the pose at which a shape fits a view best, and its (6, 6) covariance, optical axes.

    The shape starts from the middle of what the view shows, upright, turned all round.

    :param item: the shape, the view that shows it, and where it was thought to be.
    :param config: of the layout.
    :return: None when it fits nowhere.
    """
    vertices = item.shape.mesh.vertices_m.astype(np.float64)
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    seen = np.median(item.view.pointmap[item.view.own], axis=0).astype(np.float64)
    starts = []
    for angle in np.linspace(0.0, 2 * np.pi, TURNS, endpoint=False):
        turn = Rotation.from_rotvec([0.0, 0.0, angle]).as_matrix()
        T = item.T_cam_shape @ transform(turn, middle - turn @ middle)
        T[:3, 3] += seen - (T[:3, :3] @ middle + T[:3, 3])
        starts.append(replace(item, T_cam_shape=T))
    updates = measure_poses(starts, config)
    best = int(np.argmax([update.score_after for update in updates]))
    if updates[best].score_after < POOR_SCORE:
        return None
    return moved_by(starts[best].T_cam_shape, updates[best].twist), updates[best].covariance
