# SPDX-License-Identifier: Apache-2.0
"""The joints of one person over time: bones keep their lengths, motion is smooth.

Every joint has a Kalman filter of constant velocity. Before a measurement enters, bones are
brought to the lengths that this person has shown, the surer end of each moving less (Gauss-Seidel
on distances; Mueller et al., Position based dynamics, 2007).
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.people import BONES, JOINTS, Skeleton
from sam3d_ros.core.types import BoolArray, FloatArray
from sam3d_ros.people.motion import constant_velocity, moved_motion

ACCELERATION_M_S2 = 3.0
"""One-sigma change of a joint's velocity in a second."""
FIRST_SPEED_M_S = 1.0
SWEEPS = 3
LASTING = 20
"""Bones are remembered as the mean of so many measurements."""
OUTLIER = 16.0
"""Squared distance over variance from which a measurement is doubted."""


class JointFilter:
    """Joints of one body, fixed frame."""

    def __init__(self) -> None:
        self._state = np.zeros((len(JOINTS), 6))
        self._covariance = np.zeros((len(JOINTS), 6, 6))
        self._visibility = np.zeros(len(JOINTS))
        self._measured: BoolArray = np.zeros(len(JOINTS), bool)
        self._bones_m = np.full(len(BONES), np.nan)
        self._bone_counts = np.zeros(len(BONES))
        self._sizes: list[float] = []
        self._stamp_ns: int | None = None

    @property
    def stamp_ns(self) -> int | None:
        """Stamp that the joints are of; None = there are none yet."""
        return self._stamp_ns

    @property
    def size(self) -> float | None:
        """Size of the person over the usual, as measured so far."""
        return float(np.median(self._sizes)) if self._sizes else None

    def predict(self, stamp_ns: int) -> None:
        """Move all joints on to a stamp."""
        if self._stamp_ns is None:
            return
        dt = max(0.0, (stamp_ns - self._stamp_ns) * 1e-9)
        self._stamp_ns = stamp_ns
        F, Q = constant_velocity(dt, ACCELERATION_M_S2)
        self._state = self._state @ F.T
        self._state[:, 3:] *= np.exp(-dt)  # nobody keeps on for long
        self._covariance = F @ self._covariance @ F.T + Q

    def update(
        self,
        stamp_ns: int,
        points_m: FloatArray,
        covariance: FloatArray,
        visibility: FloatArray,
        measured: BoolArray,
        size: float,
    ) -> None:
        """Take in the joints of one look.

        :param points_m: (33, 3) float64, fixed frame.
        :param covariance: (33, 3, 3) of each.
        :param visibility: (33,) 0..1.
        :param measured: (33,) bool, placed by depth at the joint itself.
        :param size: of the person over the usual, NaN = not known.
        """
        if not np.isnan(size):
            self._sizes = [*self._sizes[-LASTING:], size]
        spread = np.trace(covariance, axis1=1, axis2=2)
        self._learn_bones(points_m, measured)
        points = self._with_bones(points_m, spread)
        self._visibility, self._measured = visibility, measured
        if self._stamp_ns is None:
            self._state[:, :3] = points
            self._covariance[:, :3, :3] = covariance
            self._covariance[:, 3:, 3:] = FIRST_SPEED_M_S**2 * np.eye(3)
            self._stamp_ns = stamp_ns
            return
        self.predict(stamp_ns)
        innovation = points - self._state[:, :3]
        S = self._covariance[:, :3, :3] + covariance
        distance = np.einsum('ni,nij,nj->n', innovation, np.linalg.inv(S), innovation)
        # What lies far off is trusted less, so that a real jump still gets through in a few looks.
        doubt = np.maximum(1.0, distance / OUTLIER)
        S = self._covariance[:, :3, :3] + covariance * doubt[:, None, None]
        gain = self._covariance[:, :, :3] @ np.linalg.inv(S)
        self._state = self._state + np.einsum('nij,nj->ni', gain, innovation)
        self._covariance = self._covariance - gain @ self._covariance[:, :3, :]
        spread = np.trace(self._covariance[:, :3, :3], axis1=1, axis2=2)
        self._state[:, :3] = self._with_bones(self._state[:, :3], spread)

    def move(self, by_m: FloatArray) -> None:
        """Shift all joints, (3,) metres: the body has moved since the last look."""
        self._state[:, :3] += by_m

    def transform(self, T_new_old: FloatArray) -> None:
        """Go along with the map, (4, 4) in the fixed frame."""
        if self._stamp_ns is None:
            return
        self._state, self._covariance = moved_motion(self._state, self._covariance, T_new_old)

    def skeleton(self) -> Skeleton:
        """Return the joints as they are thought to be."""
        return Skeleton(
            self._state[:, :3].copy(),
            self._covariance[:, :3, :3].copy(),
            self._visibility,
            self._measured,
        )

    def _learn_bones(self, points: FloatArray, measured: BoolArray) -> None:
        for k, (a, b) in enumerate(BONES):
            if measured[a] and measured[b]:
                length = float(np.linalg.norm(points[a] - points[b]))
                self._bone_counts[k] = count = min(self._bone_counts[k] + 1, LASTING)
                before = length if count == 1 else self._bones_m[k]
                self._bones_m[k] = before + (length - before) / count

    def _with_bones(self, points: FloatArray, spread: FloatArray) -> FloatArray:
        """Return (33, 3) points whose bones have the lengths that are known."""
        moved = points.copy()
        known = [k for k in range(len(BONES)) if not np.isnan(self._bones_m[k])]
        for _ in range(SWEEPS):
            for k in known:
                a, b = BONES[k]
                along = moved[b] - moved[a]
                length = max(float(along @ along) ** 0.5, 1e-6)
                excess = (length - self._bones_m[k]) / length * along
                share = spread[a] / (spread[a] + spread[b] + 1e-12)
                moved[a] += share * excess
                moved[b] -= (1 - share) * excess
        return moved
