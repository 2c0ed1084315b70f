# SPDX-License-Identifier: Apache-2.0
"""The mask in 3D that a living track carries: each frame votes on each of its surface points.

SA3D's mask inverse rendering in closed form (see :mod:`sam3d_ros.masks3d.voting`), a frame at a
time: V += w (M - lambda (1 - M)). Being outside counts more where a point lies in another's mask,
as in the paper's second pass (Cen et al., IJCV 2025): no background is left between the two. It
counts less than there, where all masks are known to be good: an object that every other frame
shows in pieces must not lose its surface to them.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray, Frame, IndexArray
from sam3d_ros.geometry.visibility import DepthVerdict
from sam3d_ros.masks3d.voting import LEAST_COSINE

NEGATIVE, NEGATIVE_AGAIN = 0.15, 0.3
"""What counts against a point: to lie outside the mask (lambda), to lie in another's."""
MOST = 3.0
"""Confidence does not grow beyond: what was pushed or put down differently is believed in time."""
NORMAL_STEP_PX = 3


def voted(
    confidence: FloatArray,
    points_fixed: FloatArray,
    normals_fixed: FloatArray,
    frame: Frame,
    verdict: DepthVerdict,
    landed: IndexArray,
    own: int,
) -> FloatArray:
    """Return the (N,) confidence of surface points after a frame.

    A point weighs what the cosine of its angle of incidence is, little where no normal is known.

    :param confidence: (N,) float64 before it.
    :param points_fixed: (N, 3) metres.
    :param normals_fixed: (N, 3) unit normals, zero = unknown.
    :param frame: one observation.
    :param verdict: what its range says of the points.
    :param landed: (N,) int32 which mask each point's pixel is of, -1 = none.
    :param own: the mask that is the object's.
    """
    rays = frame.T_fixed_cam[:3, 3] - points_fixed
    cosine = (normals_fixed * rays).sum(axis=1) / np.maximum(np.linalg.norm(rays, axis=1), 1e-9)
    against = np.where(landed >= 0, -NEGATIVE_AGAIN, -NEGATIVE)
    votes = np.where(landed == own, 1.0, against) * np.maximum(cosine, LEAST_COSINE)
    after: FloatArray = np.minimum(confidence + np.where(verdict.confirmed, votes, 0.0), MOST)
    return after


def normals_at(pointmap: Float32Array, rows: IndexArray, columns: IndexArray) -> FloatArray:
    """Return (N, 3) float64 unit normals towards the camera, optical frame; zero = unknown.

    :param pointmap: (H, W, 3) metres, NaN = no return.
    :param rows: (N,) of the pixels that are asked for, and ``columns``.
    """
    height, width = pointmap.shape[:2]
    up, down = np.maximum(rows - NORMAL_STEP_PX, 0), np.minimum(rows + NORMAL_STEP_PX, height - 1)
    left = np.maximum(columns - NORMAL_STEP_PX, 0)
    right = np.minimum(columns + NORMAL_STEP_PX, width - 1)
    across = pointmap[rows, right] - pointmap[rows, left]
    along = pointmap[down, columns] - pointmap[up, columns]
    normals = np.cross(along, across).astype(np.float64)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    unit = np.where(length > 0, normals / np.where(length > 0, length, 1.0), 0.0)
    facing_camera = np.sign(-(unit * pointmap[rows, columns]).sum(axis=1, keepdims=True))
    return np.nan_to_num(unit * facing_camera)
