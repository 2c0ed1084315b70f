# SPDX-License-Identifier: Apache-2.0
"""How far a camera went by own odometry, and what that has drifted: for reports and doctor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sam3d_ros.core.types import Frame


@dataclass(slots=True)
class OwnWay:
    """The way of a camera that own odometry follows.

    :param begins: the frames that it began in, one after the other.
    :param path_m: length of the way.
    :param drift_m: one sigma of where the camera is, since the last of them began.
    :param drift_rad: one sigma of how it is turned.
    """

    begins: list[str] = field(default_factory=list)
    path_m: float = 0.0
    drift_m: float = 0.0
    drift_rad: float = 0.0
    _latest: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Go on to a frame; one that TF places is none of it."""
        if frame.pose_covariance is None:
            return
        if frame.fixed_frame not in self.begins:
            self.begins.append(frame.fixed_frame)
        elif self._latest is not None and frame.fixed_frame == self._latest.fixed_frame:
            step = frame.T_fixed_cam[:3, 3] - self._latest.T_fixed_cam[:3, 3]
            self.path_m += float(np.linalg.norm(step))
        variances = np.diag(frame.pose_covariance).reshape(2, 3).sum(axis=1)
        self.drift_m, self.drift_rad = np.sqrt(variances).tolist()
        self._latest = frame

    @property
    def sentence(self) -> str:
        """The way in words."""
        anew = f', begun {len(self.begins)} times' if len(self.begins) > 1 else ''
        return (
            f'{self.path_m:.2f} m of way, drift {1e3 * self.drift_m:.1f} mm and '
            f'{np.degrees(self.drift_rad):.2f} deg (one sigma){anew}'
        )

    def tree(self) -> dict[str, Any]:
        """Return it as it stands in a report."""
        return {
            'fixed_frames': self.begins,
            'path_m': round(self.path_m, 3),
            'drift_m': round(self.drift_m, 4),
            'drift_deg': round(float(np.degrees(self.drift_rad)), 3),
        }
