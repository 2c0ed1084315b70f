# SPDX-License-Identifier: Apache-2.0
"""What a gripper holds goes where the gripper goes, seen or not.

Whoever commands a gripper knows when it has closed on something, and says so. From then on the
object moves with the gripper's TF frame, by what that has moved since the frame before; what the
camera sees of it meanwhile corrects its place in the gripper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.interfaces import Tracker
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.transforms import inverse, rotation_angle
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.scene.memory import ObjectMemory

STEP_M, STEP_RAD = 0.0005, 0.002
"""A gripper that has moved by less carries nothing yet: what it holds rests."""
UNKNOWN_NS = 1_000_000_000
"""For so long a gripper may be missing from TF before it is told."""


@dataclass(frozen=True, slots=True, eq=False)
class _Grip:
    """Which gripper holds an object, where it was when it last moved it, and when it was known."""

    gripper: str
    T_fixed_gripper: FloatArray
    known_ns: int


class Holding:
    """Remembers which gripper holds which object; see the module's docstring.

    :param tracker: whose tracks are carried.
    :param reconstructor: whose shapes are carried.
    :param memory: tells what is held by whom.
    :param say: takes what a user should know, a sentence at a time.
    """

    def __init__(
        self,
        tracker: Tracker,
        reconstructor: ObjectReconstructor,
        memory: ObjectMemory,
        say: Callable[[str], object],
    ) -> None:
        self._stages = tracker, reconstructor, memory
        self._memory = memory
        self._say = say
        self._grips: dict[int, _Grip] = {}

    def clear(self) -> None:
        """Forget what is held."""
        self._grips = {}

    def hold(self, object_id: int, gripper: str, frame: Frame) -> None:
        """Say that a gripper holds an object from now on, or that nothing does.

        :param object_id: a known object's.
        :param gripper: TF frame, one of ``pointmaps.grippers``; empty = it is let go.
        :param frame: the latest one, which knows where the grippers are.
        :raises NotFoundError: when no object has this id.
        :raises InputError: when the frame does not know where the gripper is.
        """
        if gripper and gripper not in frame.grippers:
            known = ', '.join(frame.grippers) or 'none'
            raise InputError(
                f'gripper "{gripper}", which the latest frame does not know',
                wanted=f'one of: {known}',
                remedy='List its TF frame in pointmaps.grippers, and see that TF has it.',
            )
        self._memory.hold(object_id, gripper)
        self._grips.pop(object_id, None)
        if gripper:
            self._grips[object_id] = _Grip(gripper, frame.grippers[gripper], frame.stamp_ns)

    def follow(self, frame: Frame) -> None:
        """Carry what is held to where its gripper is in a new frame.

        :param frame: not processed yet; a gripper that it does not know carries nothing.
        """
        moves: dict[int, FloatArray] = {}
        known_ids = self._memory.ids()
        self._grips = {
            id_: grip
            for id_, grip in self._grips.items()
            if id_ in known_ids and self._memory.get(id_).held == grip.gripper
        }
        for object_id, grip in self._grips.items():
            T_now = frame.grippers.get(grip.gripper)
            if T_now is None:
                if frame.stamp_ns - grip.known_ns > UNKNOWN_NS:
                    self._say(
                        f'object {object_id} is held by "{grip.gripper}", which TF has not known '
                        'for a second: it stays where it was until TF has it again'
                    )
                    self._grips[object_id] = replace(grip, known_ns=frame.stamp_ns)
                continue
            T_move = T_now @ inverse(grip.T_fixed_gripper)
            moved_m = np.linalg.norm(T_now[:3, 3] - grip.T_fixed_gripper[:3, 3])
            if moved_m > STEP_M or rotation_angle(T_move) > STEP_RAD:
                moves[object_id] = T_move
                grip = replace(grip, T_fixed_gripper=T_now)
            self._grips[object_id] = replace(grip, known_ns=frame.stamp_ns)
        if moves:
            for stage in self._stages:
                stage.carry(moves, frame.stamp_ns)

    def merge(self, kept: int, gone: int) -> None:
        """Let an object be held as the one was that turned out to be a part of it.

        :param kept: id of the object; who holds it already goes on holding it.
        :param gone: id of the part.
        """
        grip = self._grips.pop(gone, None)
        if grip is not None and kept not in self._grips and kept in self._memory.ids():
            self._memory.hold(kept, grip.gripper)
            self._grips[kept] = grip

    def move(self, T_new_old: FloatArray) -> None:
        """Go along with a map that has jumped, (4, 4) in the fixed frame."""
        self._grips = {
            object_id: replace(grip, T_fixed_gripper=T_new_old @ grip.T_fixed_gripper)
            for object_id, grip in self._grips.items()
        }

    def state(self) -> Any:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return to_tree(self._grips)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :raises InputError: when it is of another version.
        """
        self._grips = from_tree(dict[int, _Grip], state)
