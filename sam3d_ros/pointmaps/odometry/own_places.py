# SPDX-License-Identifier: Apache-2.0
"""Frames of a camera that no TF follows are placed by odometry, in a fixed frame of its own."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.messages.transforms import StampedTransform
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.frames import is_housing
from sam3d_ros.pointmaps.odometry.odometry import LostError, Odometry

ODOM = 'odom'
"""Where odometry begins: the camera's mount, or without one x forward and z up of the camera."""
AT_WORK = 'own odometry follows it'
_T_BODY_OPTICAL = transform(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))


class OwnPlaces:
    """Follows one camera for as long as TF does not.

    :param config: options of the stage.
    :param notes: takes that odometry is at work, and when it began anew.
    """

    def __init__(self, config: PointmapConfig, notes: Notes) -> None:
        self._config = config
        self._notes = notes
        self._name = ''
        self.forget()

    @property
    def are_needed(self) -> bool:
        """Whether odometry is at work, which has to see every frame."""
        return self._odometry is not None

    def forget(self) -> None:
        """Decide anew with the next frame whether TF follows the camera."""
        self._odometry: Odometry | None = None
        self._is_decided = False
        self._stamp_ns = 0

    def placed(self, frame: Frame, tree: TransformTree) -> Frame:
        """Return a frame where odometry says it is; itself where TF does.

        :param frame: placed by TF, as far as that goes; frames come in stamp order.
        :param tree: all of TF that is known.
        :raises LostError: when odometry does not know where the camera is.
        """
        if frame.stamp_ns < self._stamp_ns:
            self.forget()
        self._stamp_ns = frame.stamp_ns
        if not self._is_decided:
            self._is_decided = True
            if follows(self._config, tree, frame.fixed_frame, frame.frame_id):
                self._name = self._name or (f'own_{ODOM}' if tree.knows(ODOM) else ODOM)
                self._odometry = Odometry(self._name, mount(tree, frame.frame_id, self._name)[1])
                self._notes.add(
                    f'no TF says how {frame.frame_id} moves: {AT_WORK}, and objects are kept in '
                    f'"{self._name}" (pointmaps.odometry)'
                )
        if self._odometry is None:
            return frame
        try:
            place = self._odometry.place(frame.stamp_ns, frame.rgb, frame.depth_m, frame.camera)
        except LostError as error:
            self._notes.add(f'frames are left out: {error}', about='odometry lost')
            raise
        if place.frame != self._name:
            self._notes.add(f'odometry was lost and has begun anew, in "{place.frame}"')
        if (times := self._odometry.rejoined) > 0:
            self._notes.add(
                f'odometry was lost and has found its way back into "{place.frame}"',
                about=f'odometry is back {times}',
            )
        up_cam = None if frame.up_cam is None else place.T_odom_cam[2, :3].copy()
        T_odom_fixed = place.T_odom_cam @ inverse(frame.T_fixed_cam)
        return replace(
            frame,
            fixed_frame=place.frame,
            T_fixed_cam=place.T_odom_cam,
            pose_covariance=place.covariance,
            up_cam=up_cam,
            grippers={name: T_odom_fixed @ T for name, T in frame.grippers.items()},
        )


def follows(config: PointmapConfig, tree: TransformTree, fixed_frame: str, frame_id: str) -> bool:
    """Return whether odometry is to say where a camera is.

    :param config: options of the stage.
    :param tree: all of TF that is known.
    :param fixed_frame: the topmost frame that TF knows above the camera, or the one named.
    :param frame_id: optical frame of the camera.
    """
    if config.odometry != 'auto':
        return config.odometry == 'on'
    if config.camera_id or config.fixed_frame:
        return False
    return fixed_frame == frame_id or is_housing(tree, fixed_frame, frame_id)


def mount(tree: TransformTree, frame_id: str, odom: str) -> tuple[str, FloatArray]:
    """Return the frame that moves with a camera and odometry places, and the camera in it.

    :param tree: all of TF that is known, odometry's own included.
    :param frame_id: optical frame of the camera.
    :param odom: the frame that odometry began in, at first or anew.
    :return: name, and (4, 4) optical frame to it; to body axes where it is the optical frame.
    """
    own = re.compile(re.escape(re.sub(r'_\d+$', '', odom)) + r'(_\d+)?')
    chain = [name for name in tree.ancestors(frame_id) if not own.fullmatch(name)]
    if len(chain) == 1:
        return frame_id, _T_BODY_OPTICAL
    return chain[-1], tree.lookup(chain[-1], frame_id)


def transform_to_send(frame: Frame, tree: TransformTree) -> StampedTransform | None:
    """Return the edge of TF from odometry's frame to what the camera hangs below.

    :param frame: placed by odometry.
    :param tree: all of TF that is known, odometry's own included.
    :return: None when somebody else says how the camera moves.
    """
    child, T_child_cam = mount(tree, frame.frame_id, frame.fixed_frame)
    if child == frame.frame_id:
        T_child_cam = np.eye(4)
    elif tree.moves(child, frame.frame_id):
        return None
    T = frame.T_fixed_cam @ inverse(T_child_cam)
    return StampedTransform(frame.stamp_ns, frame.fixed_frame, child, T)
