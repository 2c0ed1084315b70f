# SPDX-License-Identifier: Apache-2.0
"""One person as remembered: where, how fast, which joints, when seen and by what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.core.people import Capsule, Hand, Person, Skeleton
from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.people.blazepose.detector import Square
from sam3d_ros.people.body import body_of, fitted, seen_faces
from sam3d_ros.people.capsules import capsules_of
from sam3d_ros.people.joints import JointFilter
from sam3d_ros.people.motion import constant_velocity, moved_motion
from sam3d_ros.people.sam3d_body.lane import MadeBody

ACCELERATION_M_S2 = 2.0
FIRST_SPEED_M_S = 1.0
JOINTS_LAST_NS = 1_000_000_000
"""Joints that nobody has looked at for so long are no longer told."""
LOOKED_LAST_NS = 3_000_000_000
"""For so long a person stays one whom the image has lost, while depth still sees a body."""


class Known:
    """A person and the filter of the place of its trunk.

    :param id: its id.
    :param stamp_ns: of the frame that showed it first.
    :param place_m: (3,) middle of its trunk, fixed frame.
    :param sigma_m: one-sigma error of that.
    :param color: (3,) mean colour of its upper half.
    """

    def __init__(
        self, id: int, stamp_ns: int, place_m: FloatArray, sigma_m: float, color: FloatArray
    ) -> None:
        self.id = id
        self.first_ns = self.stamp_ns = stamp_ns
        self.depth_ns: int | None = None
        self.image_ns: int | None = None
        self.score = 0.5
        self.color = color
        self.upright: Capsule | None = None
        self.squares: dict[str, Square] = {}
        self.joints = JointFilter()
        self.girths: FloatArray | None = None
        self.face_labels: ByteArray | None = None
        self.hands: tuple[Hand, ...] = ()
        self.official: MadeBody | None = None
        self.state = np.concatenate([place_m, np.zeros(3)])
        self.covariance = np.diag([sigma_m**2] * 3 + [FIRST_SPEED_M_S**2] * 3)

    @property
    def place_m(self) -> FloatArray:
        """(3,) middle of the trunk, fixed frame, at the last stamp."""
        return self.state[:3]

    @property
    def seen_ns(self) -> int:
        """Stamp of the last frame that showed it."""
        return max(self.first_ns, self.depth_ns or 0, self.image_ns or 0)

    @property
    def is_person(self) -> bool:
        """Whether the image has shown a person there lately."""
        return self.image_ns is not None and self.stamp_ns - self.image_ns < LOOKED_LAST_NS

    @property
    def has_joints(self) -> bool:
        """Whether its joints are fresh enough to be told."""
        return self.image_ns is not None and self.stamp_ns - self.image_ns < JOINTS_LAST_NS

    def predict(self, stamp_ns: int) -> None:
        """Move it on to a stamp; whoever is not seen slows down."""
        dt = max(0.0, (stamp_ns - self.stamp_ns) * 1e-9)
        self.stamp_ns = stamp_ns
        F, Q = constant_velocity(dt, ACCELERATION_M_S2)
        self.state = F @ self.state
        self.state[3:] *= np.exp(-dt / 2)
        self.covariance = F @ self.covariance @ F.T + Q
        # Nobody outruns this, however long unseen.
        limit = 9.0
        self.covariance[:3, :3] *= min(1.0, limit / max(self.covariance[0, 0], 1e-9))

    def observe(self, place_m: FloatArray, sigma_m: float) -> None:
        """Take in a place of the middle of the trunk, (3,) fixed frame, with its error."""
        S = self.covariance[:3, :3] + sigma_m**2 * np.eye(3)
        gain = self.covariance[:, :3] @ np.linalg.inv(S)
        before = self.state[:3].copy()
        self.state = self.state + gain @ (place_m - self.state[:3])
        self.covariance = self.covariance - gain @ self.covariance[:3]
        if self.joints.stamp_ns is not None and self.image_ns != self.stamp_ns:
            self.joints.move(0.5 * (self.state[:3] - before))

    def transform(self, T_new_old: FloatArray) -> None:
        """Go along with the map, (4, 4) in the fixed frame."""
        self.state, self.covariance = moved_motion(self.state, self.covariance, T_new_old)
        self.joints.transform(T_new_old)
        self.hands, self.official = (), None
        if self.upright is not None:
            start, end = apply(T_new_old, np.stack([self.upright.start_m, self.upright.end_m]))
            self.upright = replace(self.upright, start_m=start, end_m=end)

    def person(self, in_view: bool) -> Person:
        """Return what is told about it; ``in_view`` says whether this frame showed it."""
        skeleton = self.joints.skeleton() if self.has_joints else None
        capsules: tuple[Capsule, ...] = ()
        body = None
        if skeleton is not None:
            capsules = self.limbs(skeleton)
            body = None if self.face_labels is None else body_of(capsules, self.face_labels)
        elif self.upright is not None:
            shift = self.place_m - (self.upright.start_m + self.upright.end_m) / 2
            start, end = self.upright.start_m + shift, self.upright.end_m + shift
            capsules = (Capsule(start, end, self.upright.radius_m),)
        if self.official is not None:
            made = self.official
            moved = (made.body.vertices_m + (self.place_m - made.place_m)).astype(np.float32)
            body = replace(made.body, vertices_m=moved)
        return Person(
            id=self.id,
            by_depth=self.depth_ns == self.stamp_ns or (not in_view and self.depth_ns is not None),
            by_image=self.is_person,
            in_view=in_view,
            score=self.score,
            position_m=self.place_m.copy(),
            velocity_m_s=self.state[3:].copy(),
            covariance=self.covariance.copy(),
            capsules=capsules,
            first_seen_ns=self.first_ns,
            last_seen_ns=self.seen_ns,
            skeleton=skeleton,
            hands=self.hands if skeleton is not None and self.image_ns == self.stamp_ns else (),
            body=body,
        )

    def limbs(self, skeleton: Skeleton) -> tuple[Capsule, ...]:
        """Return the capsules of its joints, as thick as was seen."""
        capsules = capsules_of(skeleton, self.joints.size or 1.0)
        if self.girths is None:
            return capsules
        return tuple(
            replace(item, radius_m=item.radius_m * float(girth))
            for item, girth in zip(capsules, self.girths, strict=True)
        )

    def fit_body(self, points_m: FloatArray, eye_m: FloatArray) -> None:
        """Take in how thick limbs are, and what of them is seen.

        :param points_m: (N, 3) points of its surface, fixed frame.
        :param eye_m: (3,) where the camera is, fixed frame.
        """
        skeleton = self.joints.skeleton()
        usual = capsules_of(skeleton, self.joints.size or 1.0)
        seen = np.array([item.radius_m for item in fitted(usual, points_m)])
        girths = seen / [item.radius_m for item in usual]
        self.girths = girths if self.girths is None else 0.7 * self.girths + 0.3 * girths
        self.face_labels = seen_faces(body_of(self.limbs(skeleton)), points_m, eye_m)
