# SPDX-License-Identifier: Apache-2.0
"""What is remembered of one track: its best views, its shape, and where it is.

Views and shape live in the anchor, a frame that is glued to the object: it equals the fixed frame
at the track's birth and moves with the object from then on. A static object's pose is a filtered
constant; a pose that is off by many sigmas means that the object was moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import Float32Array, FloatArray, Mesh
from sam3d_ros.geometry.transforms import adjoint_rotation, apply, inverse, moved_by
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.pose.layout import POOR_SCORE, Placed, PoseUpdate, pose_covariance
from sam3d_ros.reconstruction.pose.objectframe import object_frame, seen_points, standing
from sam3d_ros.reconstruction.pose.pose_filter import PoseFilter
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View, best_view

LEAP_SCORE, LEAP_SHARE = 0.1, 0.5
"""Where a view agrees less than this with a pose, and shows the object farther off than this share
of its extent, it is not there at all."""
ENOUGH_POINTS = 500
"""Points that say as well as all where the middle of a view is."""


NO_POINTS = Mesh(
    vertices_m=np.zeros((0, 3), np.float32),
    faces=np.zeros((0, 3), np.int32),
    colors=np.zeros((0, 3), np.uint8),
    face_labels=np.zeros(0, np.uint8),
    face_confidence=np.zeros(0, np.float32),
)


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A kept view, and what is asked of it in every frame.

    :param view: its ref is the anchor.
    :param direction: (3,) unit vector from the camera to the middle of what it shows, anchor.
    :param pixels: own pixels with a return.
    """

    view: View
    direction: FloatArray
    pixels: int

    @classmethod
    def of(cls, view: View) -> Keyframe:
        """Return a view as a keyframe.

        :param view: with the anchor as ref and at least one own pixel with a return.
        """
        points = view.pointmap[view.own]
        some = points[:: max(len(points) // ENOUGH_POINTS, 1)]
        direction = view.T_ref_cam[:3, :3] @ np.median(some, axis=0).astype(np.float64)
        return cls(view, direction / np.linalg.norm(direction), len(points))


@dataclass(slots=True, eq=False)
class TrackMemory:
    """The memory of one track; written by the reconstructor alone.

    :param T_fixed_anchor: where the anchor is now.
    :param keyframes: kept views; the first one gave the volume its axes.
    :param points: the points they show, in the object frame, without faces.
    :param shape: in the object frame, None before the first completion.
    :param T_anchor_obj: the object frame, which is final once ``frame_final``.
    :param pose: how sure the pose of the object frame in the fixed frame is.
    :param moved_ns: stamp of the frame that last showed it elsewhere than before; 0 = it
        rests.
    :param poor_since_ns: stamp since when it fits no view where it is thought to be; -1 = it does.
    :param is_lost: it has been so for long, or nothing of it is where it was thought to be.
    :param refined: whether the last frame changed the pose.
    :param backends: names of the backends tried for the shape.
    :param is_asked: somebody is to complete it.
    :param failures: jobs that failed since the last view was kept.
    :param is_locked: its shape is to stay as it is.
    """

    T_fixed_anchor: FloatArray = field(default_factory=lambda: np.eye(4))
    keyframes: list[Keyframe] = field(default_factory=list)
    points: Mesh = NO_POINTS
    shape: Shape | None = None
    T_anchor_obj: FloatArray = field(default_factory=lambda: np.eye(4))
    frame_final: bool = False
    pose: PoseFilter = field(default_factory=PoseFilter)
    moved_ns: int = 0
    poor_since_ns: int = -1
    is_lost: bool = False
    refined: bool = False
    backends: tuple[str, ...] = ()
    is_asked: bool = False
    failures: int = 0
    is_locked: bool = False

    @property
    def views(self) -> tuple[View, ...]:
        """The kept views, all with the anchor as ref."""
        return tuple(keyframe.view for keyframe in self.keyframes)

    @property
    def is_poor(self) -> bool:
        """Whether the last view disagreed with where it is thought to be."""
        return self.poor_since_ns >= 0

    @property
    def T_fixed_obj(self) -> FloatArray:
        """(4, 4) pose of the object frame in the fixed frame."""
        pose: FloatArray = self.T_fixed_anchor @ self.T_anchor_obj
        return pose

    def anchored(self, view: View) -> View:
        """Return a view whose ref is the fixed frame with the anchor as ref."""
        return replace(view, T_ref_cam=inverse(self.T_fixed_anchor) @ view.T_ref_cam)

    def follow(
        self,
        update: PoseUpdate,
        R_fixed_cam: FloatArray,
        stamp_ns: int,
        config: ReconstructionConfig,
    ) -> None:
        """Update the pose by what a view of the current frame says about it.

        :param update: of the pose as it was, in the view's optical axes.
        :param R_fixed_cam: (3, 3) from these to the fixed frame.
        :param stamp_ns: of the frame.
        :param config: of the stage.
        """
        R = R_fixed_cam
        measured = np.concatenate([R @ update.twist[:3], R @ update.twist[3:]])
        if self.shape is not None:
            measured = self._without_spin(measured, self.shape.mesh.symmetry)
        gain = update.score_after - update.score_before
        sure, sigmas = adjoint_rotation(update.covariance, R), config.layout.moved_sigmas
        correction = self.pose.correct(measured, sure, gain, sigmas, update.alike)
        if update.score_after >= POOR_SCORE:
            self.poor_since_ns = -1
        elif self.poor_since_ns < 0:
            self.poor_since_ns = stamp_ns
        is_long = self.is_poor and stamp_ns - self.poor_since_ns >= config.layout.lost_s * 1e9
        self.is_lost = is_long or (
            update.score_before < LEAP_SCORE
            and bool(np.linalg.norm(measured[:3]) > LEAP_SHARE * self._extent_m())
        )
        if correction is None:
            return
        if correction.is_move:
            self.moved_ns = stamp_ns
        self._place(moved_by(self.T_fixed_obj, correction.twist))
        self.refined = True

    def put(self, T_fixed_obj: FloatArray, sure: FloatArray, stamp_ns: int) -> None:
        """Take over where a frame has found the object again.

        :param T_fixed_obj: (4, 4) pose of the object frame.
        :param sure: (6, 6) its covariance, fixed frame.
        :param stamp_ns: of the frame.
        """
        self.pose.place(sure)
        self._place(T_fixed_obj)
        self.moved_ns, self.poor_since_ns = stamp_ns, -1
        self.refined, self.is_lost = True, False

    def move(self, T_new_old: FloatArray) -> None:
        """Go along with the map, (4, 4) in the fixed frame: the object itself has not moved."""
        self.T_fixed_anchor = T_new_old @ self.T_fixed_anchor
        self.pose.turn(T_new_old[:3, :3])

    def offer(self, view: View, config: ReconstructionConfig) -> bool:
        """Keep an anchored view if it shows something new; return whether it was kept.

        New is a view from the side of all kept ones, or one with many more pixels than the kept
        view next to it, which it replaces. Until the object frame is final, it fits what is kept.

        :param view: with the anchor as ref and at least one own pixel with a return.
        :param config: of the stage.
        """
        keyframe = Keyframe.of(view)
        if not self._keep(keyframe, config):
            return False
        self.failures = 0
        best = best_view(self.views)
        for number, kept in enumerate(self.keyframes):
            if kept.view.frame is not None and kept.view is not best:
                # A backend looks at one whole frame: others need not travel and be saved.
                self.keyframes[number] = replace(kept, view=replace(kept.view, frame=None))
        seen = seen_points(self.views)
        if not self.frame_final:
            self._fit_frame(seen.vertices_m)
        points = apply(inverse(self.T_anchor_obj), seen.vertices_m)
        self.points = replace(seen, vertices_m=points)
        return True

    def _keep(self, keyframe: Keyframe, config: ReconstructionConfig) -> bool:
        if not self.keyframes:
            self.keyframes.append(keyframe)
            return True
        cosines = [float(kept.direction @ keyframe.direction) for kept in self.keyframes]
        nearest = int(np.argmax(cosines))
        if np.arccos(np.clip(cosines[nearest], -1.0, 1.0)) >= config.keyframe_angle_rad:
            if len(self.keyframes) >= config.max_keyframes:
                return False
            self.keyframes.append(keyframe)
            return True
        if keyframe.pixels >= config.keyframe_growth * self.keyframes[nearest].pixels:
            self.keyframes[nearest] = keyframe
            return True
        return False

    def _fit_frame(self, seen: Float32Array) -> None:
        """Fit the object frame to what the kept views show, not to a mesh that comes later."""
        views = self.views
        R = views[0].T_ref_cam[:3, :3]
        up, forward = R @ views[0].up_cam, R @ np.array([0.0, 0.0, 1.0])
        before = self.T_anchor_obj
        self.T_anchor_obj = object_frame(standing(seen, views, up), up, forward)
        if self.shape is not None:
            self.shape = self.shape.moved(inverse(self.T_anchor_obj) @ before)

    def adopt(self, shape_anchor: Shape, config: ReconstructionConfig) -> None:
        """Take over a new shape.

        :param shape_anchor: in the anchor frame.
        :param config: of the stage.
        """
        was_unknown = self.shape is None
        self.shape = shape_anchor.moved(inverse(self.T_anchor_obj))
        if was_unknown or not self.frame_final:
            self.pose.covariance = self._shape_covariance(self.shape, config)

    def _shape_covariance(self, shape: Shape, config: ReconstructionConfig) -> FloatArray:
        """Return the covariance of a new shape's pose, by the kept view that shows most of it."""
        view = max(self.keyframes, key=lambda kept: kept.pixels).view
        T_cam_obj = inverse(view.T_ref_cam) @ self.T_anchor_obj
        # Bodies that are inferred from several views are wrong alike.
        looks = len(self.keyframes) if 2 * view.returned.sum() >= view.own.sum() else 1
        covariance = pose_covariance(Placed(shape, view, T_cam_obj), config.layout, looks)
        return adjoint_rotation(covariance, (self.T_fixed_anchor @ view.T_ref_cam)[:3, :3])

    def _without_spin(self, twist: FloatArray, symmetry: Symmetry | None) -> FloatArray:
        """Return a (6,) twist in fixed axes less its turn about an axis of revolution.

        No surface tells of such a turn, so what registration finds of it is noise.
        """
        if symmetry is None or symmetry.kind != 'revolution':
            return twist
        T = self.T_fixed_obj
        axis = T[:3, :3] @ symmetry.axis
        spin = axis * (axis @ twist[3:])
        # The twist turns about the frame's origin, which need not lie on the axis.
        shift = np.cross(spin, -T[:3, :3] @ symmetry.origin_m)
        return np.concatenate([twist[:3] - shift, twist[3:] - spin])

    def _extent_m(self) -> float:
        vertices = self.points.vertices_m if self.shape is None else self.shape.mesh.vertices_m
        return float(np.linalg.norm(np.ptp(vertices, axis=0)))

    def _place(self, T_fixed_obj: FloatArray) -> None:
        self.T_fixed_anchor = T_fixed_obj @ inverse(self.T_anchor_obj)
