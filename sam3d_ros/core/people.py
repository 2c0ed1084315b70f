# SPDX-License-Identifier: Apache-2.0
"""What is known about people: joints, capsules, persons. Perception, not a safety function."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Float32Array,
    FloatArray,
    IndexArray,
)

JOINTS = (
    'nose',
    *('left_eye_inner', 'left_eye', 'left_eye_outer'),
    *('right_eye_inner', 'right_eye', 'right_eye_outer'),
    *('left_ear', 'right_ear', 'mouth_left', 'mouth_right'),
    *('left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist'),
    *('left_pinky', 'right_pinky', 'left_index', 'right_index', 'left_thumb', 'right_thumb'),
    *('left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'),
    *('left_heel', 'right_heel', 'left_foot_index', 'right_foot_index'),
)
"""Names of a body's joints, in the order of BlazePose; left is the person's own left."""
INDEX = {name: index for index, name in enumerate(JOINTS)}
HAND_JOINTS = (
    'wrist',
    *(f'thumb_{part}' for part in ('cmc', 'mcp', 'ip', 'tip')),
    *(
        f'{finger}_{part}'
        for finger in ('index', 'middle', 'ring', 'pinky')
        for part in ('mcp', 'pip', 'dip', 'tip')
    ),
)
"""Names of a hand's joints."""
BONES = tuple(
    (INDEX[f'{side}_{a}'], INDEX[f'{side}_{b}'])
    for side in ('left', 'right')
    for a, b in (
        ('shoulder', 'elbow'),
        ('elbow', 'wrist'),
        ('wrist', 'index'),
        ('hip', 'knee'),
        ('knee', 'ankle'),
        ('ankle', 'foot_index'),
        ('shoulder', 'hip'),
    )
) + tuple(
    (INDEX[a], INDEX[b])
    for a, b in (('left_shoulder', 'right_shoulder'), ('left_hip', 'right_hip'))
)
"""Pairs of joints whose distance does not change, or hardly."""


@dataclass(frozen=True, slots=True, eq=False)
class Capsule:
    """All that is within a radius of a line.

    :param start_m: (3,) float64 one end of the line, fixed frame, metres.
    :param end_m: (3,) float64 its other end.
    :param radius_m: metres.
    """

    start_m: FloatArray
    end_m: FloatArray
    radius_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The joints of one body.

    :param points_m: (33, 3) float64, fixed frame, metres, in the order of :data:`JOINTS`.
    :param covariance: (33, 3, 3) float64 of each, fixed frame, square metres.
    :param visibility: (33,) float64, 0..1, how sure the image is that a joint can be seen.
    :param measured: (33,) bool, whether depth at the joint itself placed it; False = the usual
        shape of bodies did.
    """

    points_m: FloatArray
    covariance: FloatArray
    visibility: FloatArray
    measured: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One hand in view.

    :param points_m: (21, 3) float64, fixed frame, metres, in the order of :data:`HAND_JOINTS`.
    :param covariance: (3, 3) float64 of each of them, fixed frame, square metres.
    :param measured: whether depth at the hand placed it.
    """

    is_right: bool
    points_m: FloatArray
    covariance: FloatArray
    measured: bool


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """The surface of a body: fitted parts that overlap, each closed, or that of SAM 3D Body.

    :param vertices_m: (V, 3) float32, fixed frame, metres.
    :param faces: (F, 3) int32, counter-clockwise seen from outside.
    :param face_labels: (F,) uint8 of FaceLabel: observed, or made up.
    :param mhr: (204,) float32 model parameters of MHR, of a body that SAM 3D Body made.
    """

    vertices_m: Float32Array
    faces: IndexArray
    face_labels: ByteArray
    mhr: Float32Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person, or something as tall that nobody has looked at yet.

    :param id: counted up from 1, never reused while the session remembers.
    :param by_depth: whether depth alone sees a tall body there, in its last frame.
    :param by_image: whether the image shows a person there; else it is a tall mover.
    :param in_view: whether it was seen in this frame.
    :param score: 0..1, how sure it is that this is somebody.
    :param position_m: (3,) float64 middle of the trunk, fixed frame, metres.
    :param velocity_m_s: (3,) float64, fixed frame.
    :param covariance: (6, 6) float64 of position and velocity.
    :param capsules: what the body fills: one for each limb when joints are known, else a single
        upright one; fixed frame.
    :param skeleton: its joints, or None while none are known.
    :param hands: the joints of its hands, where they were asked for.
    :param held: ids of the objects in its hands.
    :param body: the fitted body, or None while no joints are known or nobody asks for it.
    """

    id: int
    by_depth: bool
    by_image: bool
    in_view: bool
    score: float
    position_m: FloatArray
    velocity_m_s: FloatArray
    covariance: FloatArray
    capsules: tuple[Capsule, ...]
    first_seen_ns: int
    last_seen_ns: int
    skeleton: Skeleton | None = None
    hands: tuple[Hand, ...] = ()
    held: tuple[int, ...] = ()
    body: Body | None = None

    @property
    def label(self) -> str:
        """``person``, or ``tall_mover`` when only depth speaks for it."""
        return 'person' if self.by_image else 'tall_mover'


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Everybody after one frame.

    :param period_s: time to the next frame, as the last ones came; 0 = not known.
    """

    stamp_ns: int
    fixed_frame: str
    items: tuple[Person, ...] = ()
    period_s: float = 0.0
