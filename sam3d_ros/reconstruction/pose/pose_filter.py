# SPDX-License-Identifier: Apache-2.0
"""Where an object is, from one measured pose after another: at rest it stands still, moved it is
followed.

A Kalman filter on SE(3) of a pose that hardly drifts. Whether the object rests is asked of the
innovations: one alone may be a bad registration, but where their running mean is off by many
sigmas (the exponentially weighted control chart of Roberts, "Control chart tests based on
geometric moving averages", 1959) the object has moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import adjoint_rotation
from sam3d_ros.reconstruction.pose.pose_covariance import ALIKE, averaged

BIRTH_SIGMA_M, BIRTH_SIGMA_RAD = 0.003, 0.02
DRIFT_M, DRIFT_RAD = 0.00005, 0.0003
"""An object that rests moves unseen by so much from frame to frame: the map may drift."""
WANDER_M, WANDER_RAD = 0.001, 0.01
"""A measured pose wanders from view to view by this much more than its covariance says."""
MOVED_GAIN = 0.15
"""An object has moved only if its new place explains so much more of what is seen."""
CLEAR_GAIN = 0.4
"""One frame says that it has moved if the new place explains so much more."""
TREND = 0.35
"""Weight of the latest innovation in their running mean."""
ADAPTING = 0.1
"""Weight of the latest innovation in how far innovations are off (Mehra, "On the identification of
variances and adaptive Kalman filtering", 1970)."""
TREND_VARIANCE = TREND / (2.0 - TREND)
"""Variance of that mean over the variance of one innovation, of independent ones."""


def diagonal(position_m: float, rotation_rad: float) -> FloatArray:
    """Return the (6, 6) covariance of equal, independent sigmas of position and of rotation."""
    return np.diag(np.square(np.repeat([position_m, rotation_rad], 3)))


def _birth() -> FloatArray:
    return diagonal(BIRTH_SIGMA_M, BIRTH_SIGMA_RAD)


class Correction(NamedTuple):
    """How a pose is to change: ``twist`` (6,) in fixed axes, and whether the object has moved."""

    twist: FloatArray
    is_move: bool


@dataclass(slots=True, eq=False)
class PoseFilter:
    """What is believed of a pose beside the pose itself.

    :param covariance: (6, 6) of the pose, fixed frame: how far the mesh may lie from the thing.
    :param unrest: (6, 6) covariance of how far the pose may have changed unseen, small while the
        object stands still; weighs the next view.
    :param trend: (6,) running mean of the innovations.
    :param misfit: running mean of their squares over what was expected: what the surface does not
        hold, as a turn about an axis of symmetry, errs by more than a view knows.
    """

    covariance: FloatArray = field(default_factory=_birth)
    unrest: FloatArray = field(default_factory=_birth)
    trend: FloatArray = field(default_factory=lambda: np.zeros(6))
    misfit: float = 1.0

    def place(self, sure: FloatArray) -> None:
        """Begin anew where a view has just placed the object.

        :param sure: (6, 6) covariance of that view's pose, fixed frame.
        """
        self.covariance = self.unrest = sure + diagonal(WANDER_M, WANDER_RAD)
        self.trend = np.zeros(6)

    def turn(self, R_new_old: FloatArray) -> None:
        """Go along with a map that has jumped, by (3, 3) in the fixed frame and a little more."""
        self.covariance = adjoint_rotation(self.covariance, R_new_old)
        self.unrest = adjoint_rotation(self.unrest, R_new_old) + diagonal(WANDER_M, WANDER_RAD)
        self.trend = np.zeros(6)

    def correct(
        self,
        measured: FloatArray,
        sure: FloatArray,
        gain_of_score: float,
        moved_sigmas: float,
        alike: float = ALIKE,
    ) -> Correction | None:
        """Return how to correct the pose, None = it stays where it is.

        Small innovations are filtered as those of a static object; those of one that moved are
        taken over whole if the score rises much, else they are doubt.

        :param measured: (6,) innovation: what a view says the correction is, fixed frame.
        :param sure: (6, 6) its covariance.
        :param gain_of_score: by how much it explains the view better.
        :param moved_sigmas: an innovation of so many sigmas is none of an object at rest.
        :param alike: how far the view's error correlates with those of others.
        """
        noise = max(self.misfit, 1.0) * (sure + diagonal(WANDER_M, WANDER_RAD))
        self.unrest = self.unrest + diagonal(DRIFT_M, DRIFT_RAD)
        if gain_of_score <= 0:
            self.trend = (1.0 - TREND) * self.trend
            return None
        joint = np.linalg.inv(self.unrest + noise)
        distance = float(measured @ joint @ measured)
        is_far = distance > moved_sigmas**2
        # However far one innovation is off, it takes two to move an object.
        clipped = measured * min(1.0, moved_sigmas / max(np.sqrt(distance), 1e-12))
        self.trend = TREND * clipped + (1.0 - TREND) * self.trend
        keeps_on = float(self.trend @ joint @ self.trend) > TREND_VARIANCE * moved_sigmas**2
        if (is_far and gain_of_score >= CLEAR_GAIN) or (keeps_on and gain_of_score >= MOVED_GAIN):
            self.place(sure)
            return Correction(measured, is_move=True)
        if is_far:
            if gain_of_score < MOVED_GAIN:
                self.covariance = self.covariance + np.outer(measured, measured)
            return None
        self.misfit += ADAPTING * (distance / 6.0 - self.misfit)
        gain = self.unrest @ joint
        self.covariance = averaged(self.covariance, sure, gain, measured, alike)
        self.unrest = self.unrest - gain @ self.unrest
        twist: FloatArray = gain @ measured
        self.trend = self.trend - twist
        return Correction(twist, is_move=False)
