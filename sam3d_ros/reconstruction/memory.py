# SPDX-License-Identifier: Apache-2.0
"""What is remembered of one track: its best views, its shape, and where it is.

Views and shape live in the anchor, a frame that is glued to the object: it equals the fixed frame
at the track's birth and moves with the object from then on. A static object's pose is a filtered
constant; a pose that is off by many sigmas means that the object was moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.transforms import adjoint_rotation, inverse
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.layout import measure_pose, moved_by, pose_covariance
from sam3d_ros.reconstruction.objectframe import object_frame
from sam3d_ros.reconstruction.pose_covariance import averaged
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View

BIRTH_SIGMA_M, BIRTH_SIGMA_RAD = 0.003, 0.02
DRIFT_M, DRIFT_RAD = 0.0002, 0.001
WANDER_M, WANDER_RAD = 0.001, 0.01
"""A measured pose wanders from view to view by this much more than its covariance says."""
MOVED_GAIN = 0.15
"""An object has moved only if its new place explains so much more of what is seen."""


def _diagonal(position_m: float, rotation_rad: float) -> FloatArray:
    return np.diag(np.square(np.repeat([position_m, rotation_rad], 3)))


@dataclass(slots=True, eq=False)
class TrackMemory:
    """The memory of one track; written by the reconstructor alone.

    :param T_fixed_anchor: where the anchor is now.
    :param views: kept views, ref = anchor; the first one gave the volume its axes.
    :param shape: in the object frame, None before the first completion.
    :param T_anchor_obj: the object frame, which is final once ``frame_final``.
    :param covariance: (6, 6) of the pose of the object frame in the fixed frame: how far the mesh
        may lie from the thing itself.
    :param unrest: (6, 6) covariance of how far the pose may have changed unseen, small while the
        object stands still; weighs the next view.
    :param refined: whether the last frame changed the pose.
    :param backends: names of the backends tried for the shape.
    """

    T_fixed_anchor: FloatArray = field(default_factory=lambda: np.eye(4))
    views: list[View] = field(default_factory=list)
    shape: Shape | None = None
    T_anchor_obj: FloatArray = field(default_factory=lambda: np.eye(4))
    frame_final: bool = False
    covariance: FloatArray = field(default_factory=lambda: np.eye(6))
    unrest: FloatArray = field(default_factory=lambda: _diagonal(BIRTH_SIGMA_M, BIRTH_SIGMA_RAD))
    refined: bool = False
    backends: tuple[str, ...] = ()

    @property
    def T_fixed_obj(self) -> FloatArray:
        """(4, 4) pose of the object frame in the fixed frame."""
        pose: FloatArray = self.T_fixed_anchor @ self.T_anchor_obj
        return pose

    def anchored(self, view: View) -> View:
        """Return a view whose ref is the fixed frame with the anchor as ref."""
        return replace(view, T_ref_cam=inverse(self.T_fixed_anchor) @ view.T_ref_cam)

    def follow(self, frame: Frame, view: View, config: ReconstructionConfig) -> None:
        """Update the pose from a view of the current frame.

        Nothing happens unless the evidence score rises; small corrections are filtered as those
        of a static object (Kalman), significant ones are taken over whole if the score rises much;
        if it does not, they are doubt.
        """
        self.refined = False
        if self.shape is None:
            return
        T_cam_fixed = inverse(frame.T_fixed_cam)
        update = measure_pose(self.shape, view, T_cam_fixed @ self.T_fixed_obj, config.layout)
        R = frame.T_fixed_cam[:3, :3]
        measured = np.concatenate([R @ update.twist[:3], R @ update.twist[3:]])
        sure = adjoint_rotation(update.covariance, R)
        noise = sure + _diagonal(WANDER_M, WANDER_RAD)
        self.unrest = self.unrest + _diagonal(DRIFT_M, DRIFT_RAD)
        joint = np.linalg.inv(self.unrest + noise)
        gain = self.unrest @ joint
        if update.score_after <= update.score_before:
            return
        if float(measured @ joint @ measured) > config.layout.moved_sigmas**2:
            if update.score_after - update.score_before < MOVED_GAIN:
                self.covariance = self.covariance + np.outer(measured, measured)
                return
            self._place(moved_by(self.T_fixed_obj, measured))
            self.covariance, self.unrest = sure, noise
        else:
            self._place(moved_by(self.T_fixed_obj, gain @ measured))
            self.covariance = averaged(self.covariance, sure, gain, measured)
            self.unrest = self.unrest - gain @ self.unrest
        self.refined = True

    def offer(self, view: View, config: ReconstructionConfig) -> bool:
        """Keep an anchored view if it shows something new; return whether it was kept.

        New is a view from the side of all kept ones, or one with many more pixels than the kept
        view next to it, which it replaces.
        """
        pixels = int(view.own.sum())
        if not self.views:
            self.views.append(view)
            return True
        angles = [_angle(view, kept) for kept in self.views]
        nearest = int(np.argmin(angles))
        if angles[nearest] >= config.keyframe_angle_rad:
            if len(self.views) >= config.max_keyframes:
                return False
            self.views.append(view)
            return True
        if pixels >= config.keyframe_growth * int(self.views[nearest].own.sum()):
            self.views[nearest] = view
            return True
        return False

    def adopt(self, shape_anchor: Shape, final: bool, config: ReconstructionConfig) -> None:
        """Take over a new shape in the anchor frame; fix the object frame when ``final``."""
        if not self.frame_final:
            view = self.views[0]
            R = view.T_ref_cam[:3, :3]
            self.T_anchor_obj = object_frame(
                shape_anchor.mesh.vertices_m, R @ view.up_cam, R @ np.array([0.0, 0.0, 1.0])
            )
        self.shape = shape_anchor.moved(inverse(self.T_anchor_obj))
        if not self.frame_final:
            self.covariance = self._shape_covariance(self.shape, config)
        self.frame_final |= final

    def _shape_covariance(self, shape: Shape, config: ReconstructionConfig) -> FloatArray:
        """Return the covariance of a new shape's pose, by the kept view that shows most of it."""
        view = max(self.views, key=lambda kept: int(np.count_nonzero(kept.own)))
        T_cam_obj = inverse(view.T_ref_cam) @ self.T_anchor_obj
        covariance = pose_covariance(shape, view, T_cam_obj, config.layout, len(self.views))
        return adjoint_rotation(covariance, (self.T_fixed_anchor @ view.T_ref_cam)[:3, :3])

    def _place(self, T_fixed_obj: FloatArray) -> None:
        self.T_fixed_anchor = T_fixed_obj @ inverse(self.T_anchor_obj)


def _angle(a: View, b: View) -> float:
    """Angle between the directions from which two views see the object, radians."""
    directions = []
    for view in (a, b):
        middle = np.median(view.pointmap[view.own], axis=0).astype(np.float64)
        direction = view.T_ref_cam[:3, :3] @ middle
        directions.append(direction / np.linalg.norm(direction))
    return float(np.arccos(np.clip(directions[0] @ directions[1], -1.0, 1.0)))
