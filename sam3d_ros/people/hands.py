# SPDX-License-Identifier: Apache-2.0
"""The hands of a person whose wrists are known: 21 joints each, in a window about the wrist."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.people import INDEX, Hand, Skeleton
from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.blazepose.detector import Square
from sam3d_ros.people.blazepose.landmarks import HandNetworks
from sam3d_ros.people.lifting import SHOWN

WINDOW_M = 0.45
"""Side of the window about a hand."""
NEAR_M = 0.12
"""A hand whose wrist is farther from this one's is somebody else's."""
SIGMA_M = 0.015
"""One-sigma error of a hand's joints against its wrist."""


def find_hands(
    networks: HandNetworks, frame: Frame, skeleton: Skeleton, size: float
) -> tuple[Hand, ...]:
    """Return the hands of a person that are in view.

    :param networks: of palms and hands.
    :param frame: the frame that the joints are of.
    :param skeleton: the person's joints, fixed frame.
    :param size: of the person over the usual.
    """
    found = []
    T_cam_fixed = inverse(frame.T_fixed_cam)
    for side in ('left', 'right'):
        wrist = INDEX[f'{side}_wrist']
        if skeleton.visibility[wrist] < SHOWN:
            continue
        wrist_cam = apply(T_cam_fixed, skeleton.points_m[wrist])
        middle = (wrist_cam + apply(T_cam_fixed, skeleton.points_m[INDEX[f'{side}_index']])) / 2
        if wrist_cam[2] < 0.1:
            continue
        at, wrist_px = project(np.stack([middle, wrist_cam]), frame.camera)
        metre_px = frame.camera.fx / float(wrist_cam[2])
        window = Square((float(at[0]), float(at[1])), WINDOW_M * metre_px, 0.0)
        for hand in networks.hands(frame.rgb, window):
            if np.linalg.norm(hand.points_px[0] - wrist_px) < NEAR_M * metre_px:
                points = _lifted(frame, hand.points_px, hand.relative_m, float(wrist_cam[2]), size)
                covariance = skeleton.covariance[wrist] + SIGMA_M**2 * np.eye(3)
                measured = bool(skeleton.measured[wrist])
                found.append(Hand(side == 'right', points, covariance, measured))
                break
    return tuple(found)


def _lifted(
    frame: Frame, points_px: FloatArray, relative_m: FloatArray, wrist_z_m: float, size: float
) -> FloatArray:
    """Return (21, 3) joints, fixed frame: the network's depths from the wrist's on."""
    camera = frame.camera
    middle, focal = np.array([camera.cx, camera.cy]), np.array([camera.fx, camera.fy])
    depth = wrist_z_m + size * (relative_m[:, 2] - relative_m[0, 2])
    across = (points_px - middle) / focal * depth[:, None]
    return apply(frame.T_fixed_cam, np.column_stack([across, depth]))
