# SPDX-License-Identifier: Apache-2.0
"""SA3D's mask inverse rendering in closed form: each view votes on the surfels that it sees.

The loss of the paper, -sum(M_view M) + lambda sum((1 - M_view) M), is linear in the mask values of
the surfels, so that a step of its gradient is a weighted vote. What volume rendering weighs there
is known here: a surfel counts as far as the measured range says that the view sees it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray, Frame, IndexArray
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.masks3d.surfels import Surfels

VISIBLE_SIGMAS = 3.0
"""A return this many sigmas off no longer shows a surfel."""
LEAST_COSINE = 0.1
"""Of the angle of incidence: grazing views count this much; normals are no better than that."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Surfels as one frame shows them.

    :param rows: (N,) int32 row of each surfel's pixel, 0 where it is out of view.
    :param columns: (N,) int32 column.
    :param weight: (N,) float64 0..1, how surely it is seen there; 0 = not at all.
    """

    rows: IndexArray
    columns: IndexArray
    weight: FloatArray

    def votes(self, mask: BoolArray, negative: float) -> FloatArray:
        """Return (N,) what a mask says of each surfel: w (M - negative (1 - M)).

        :param mask: (H, W) bool, in the frame's pixels.
        :param negative: how much being outside counts, SA3D's lambda.
        """
        inside = mask[self.rows, self.columns]
        votes: FloatArray = self.weight * np.where(inside, 1.0, -negative)
        return votes


def look(surfels: Surfels, frame: Frame) -> Seen:
    """Return how a frame shows some surfels.

    Seen is what the range confirms, the surer the smaller its error against a voxel, and the
    straighter it is looked at.

    :param surfels: in the frame's fixed frame.
    :param frame: one observation.
    """
    T_cam_fixed = inverse(frame.T_fixed_cam)
    points_cam = apply(T_cam_fixed, surfels.points_fixed)
    noise_m = frame.sensor.axial_sigma(points_cam[:, 2]).astype(np.float64)
    sigma_m = np.hypot(noise_m, surfels.spacing_m)
    verdict = judge(points_cam, frame.camera, frame.depth_m, VISIBLE_SIGMAS * sigma_m)
    behind_m = frame.depth_m[verdict.rows, verdict.columns] - points_cam[:, 2]
    normals_cam = surfels.normals_fixed @ T_cam_fixed[:3, :3].T
    cosine = -(normals_cam * points_cam).sum(axis=1) / np.linalg.norm(points_cam, axis=1)
    precise = np.square(surfels.spacing_m / sigma_m)
    near = np.exp(-0.5 * np.square(np.where(verdict.confirmed, behind_m, np.inf) / sigma_m))
    facing = np.where(cosine > -LEAST_COSINE, np.maximum(cosine, LEAST_COSINE), 0.0)
    weight = near * precise * facing
    return Seen(verdict.rows, verdict.columns, weight)
