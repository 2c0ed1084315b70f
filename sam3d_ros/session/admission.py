# SPDX-License-Identifier: Apache-2.0
"""Which frames a session takes, and where one means that everything begins anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Frame, Scene


class Admission:
    """Knows the last stamp of every camera, and the fixed frame that all of them share."""

    def __init__(self) -> None:
        self._latest_ns: dict[str, int] = {}
        self.stamp_ns = 0
        """Of the last frame; 0 = there was none."""
        self.fixed_frame = ''
        """Where everything is; empty = not known yet."""
        self.is_restored = False
        """No frame has come since what was saved."""

    def clear(self) -> None:
        """Forget the cameras: time began anew."""
        self._latest_ns.clear()

    def objection(self, frame: Frame) -> str:
        """Return why a frame cannot go on from those before it; empty = it does.

        :raises InputError: when this camera's frame of this stamp has come already, or the fixed
            frame is not that of the other cameras.
        """
        name = frame.camera_name
        latest_ns = self._latest_ns.get(name)
        if latest_ns == frame.stamp_ns:
            raise InputError(
                f'a second frame of {name} with the stamp {frame.stamp_ns} ns',
                wanted='another stamp for every frame of a camera',
            )
        others = () if self.is_restored else self._latest_ns.keys() - {name}
        if self.fixed_frame not in ('', frame.fixed_frame):
            if others:
                raise InputError(
                    f'camera {name} is placed in "{frame.fixed_frame}"',
                    wanted=f'"{self.fixed_frame}", where {", ".join(sorted(others))} is',
                    remedy='Connect the cameras in TF, or set pointmaps.fixed_frame for all.',
                )
            return f'the fixed frame is "{frame.fixed_frame}" and no longer "{self.fixed_frame}"'
        if self.is_restored and frame.pose_covariance is not None:
            return 'own odometry began anew: where saved objects are is not known'
        if latest_ns is not None and frame.stamp_ns < latest_ns:
            return f'stamps went back by {(latest_ns - frame.stamp_ns) * 1e-9:.3f} s'
        return ''

    def is_elsewhere(self, frame: Frame) -> bool:
        """Return whether a frame that begins anew may show what is known, of another place in it:
        the first one since something was saved, or since own odometry was lost."""
        is_on = frame.stamp_ns > self.stamp_ns and frame.pose_covariance is not None
        return self.is_restored or is_on

    def note(self, frame: Frame) -> None:
        """Take note of a frame that is taken."""
        self._latest_ns[frame.camera_name] = self.stamp_ns = frame.stamp_ns
        self.fixed_frame = frame.fixed_frame
        self.is_restored = False

    def begin(self, scene: Scene) -> None:
        """Begin where a saved scene ends, if nothing is known yet."""
        self.fixed_frame = scene.fixed_frame
        self.stamp_ns = self.stamp_ns or scene.stamp_ns

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return {
            'latest_ns': dict(self._latest_ns),
            'scene_ns': self.stamp_ns,
            'fixed_frame': self.fixed_frame,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned, and nothing else."""
        self._latest_ns = dict(state['latest_ns'])
        self.stamp_ns = int(state['scene_ns'])
        self.fixed_frame = str(state['fixed_frame'])
        self.is_restored = True
