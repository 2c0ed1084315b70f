# SPDX-License-Identifier: Apache-2.0
"""Episodes with people: rooms in which made-up persons stand, walk, sit, reach, cross and hide."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import BoolArray, ByteArray, FloatArray
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.world.cameras import looking_at, pinhole
from sam3d_ros.world.episode import FRAME_RATE_HZ, Episode, stamps
from sam3d_ros.world.people.figure import Figure, Pose, random_figure, upright
from sam3d_ros.world.rendering.light import random_light
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import Sample
from sam3d_ros.world.setting.furniture import block, legged
from sam3d_ros.world.setting.surroundings import floor, posed, slab, wall
from sam3d_ros.world.solid import Solid, Texture

Rng = np.random.Generator
INSIDE_M = 0.12
"""A joint lies no deeper than this behind the surface that shows it."""


@dataclass(frozen=True, slots=True, eq=False)
class PeopleEpisode:
    """An episode with people in it, and where their joints are.

    :param activity: what they do, a name of :data:`ACTIVITIES`.
    :param joints_m: (F, P, 33, 3) float64, fixed frame; NaN while a person is not there.
    :param owner: (N,) int, the person that each object of the episode is a part of, -1 = none.
    """

    activity: str
    episode: Episode
    joints_m: FloatArray
    owner: npt.NDArray[np.int64]

    def masks(self, sample: Sample) -> BoolArray:
        """Return the (P, H, W) visible pixels of every person in one of its samples."""
        owner = np.concatenate([[-1], self.owner])[sample.truth.instances]
        return np.stack([owner == person for person in range(self.joints_m.shape[1])])

    def visible(self, index: int, sample: Sample) -> BoolArray:
        """Return which of the (P, 33) joints are in the picture of frame ``index`` and not hidden.

        A joint is inside the body: it is visible where the body itself is what its pixel shows,
        no more than :data:`INSIDE_M` before it.
        """
        points = apply(inverse(sample.truth.T_fixed_cam), self.joints_m[index])
        pixels = project(points, sample.camera)
        height, width = sample.rendering.depth_m.shape
        # NaN, behind the camera, is in no picture.
        within = (pixels > -0.5) & (pixels < [width - 0.5, height - 0.5])
        inside: BoolArray = np.asarray(within.all(axis=-1))
        column, row = (
            np.rint(np.where(inside[..., None], pixels, 0)).astype(int).transpose(2, 0, 1)
        )
        people = np.arange(len(points))[:, None]
        shown = self.masks(sample)[people, row, column]
        depth = sample.rendering.depth_m[row, column]
        shown &= np.nan_to_num(points[..., 2] - depth, nan=1.0) < INSIDE_M
        return np.asarray(inside & shown)


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What an activity may use.

    :param forward: (2,) horizontal direction from the camera's foot into the room.
    """

    rng: Rng
    frames: int
    distance_m: float
    forward: FloatArray

    @property
    def time_s(self) -> FloatArray:
        """(F,) seconds since the first frame."""
        return np.arange(self.frames) / FRAME_RATE_HZ

    def place(self, ahead_m: float, left_m: float) -> FloatArray:
        """Return the (2,) place on the floor that is so far ahead and to the left."""
        left = np.array([-self.forward[1], self.forward[0]])
        return ahead_m * self.forward + left_m * left

    @property
    def facing_rad(self) -> float:
        """Yaw of somebody who looks at the camera."""
        return float(np.arctan2(-self.forward[1], -self.forward[0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Action:
    """One person's part: pose, place and heading in every frame, and furniture."""

    figure: Figure
    poses: list[Pose]
    T_fixed_hips: list[FloatArray]
    surroundings: tuple[Solid, ...] = ()
    present: BoolArray | None = None


def people_episode(
    activity: str,
    seed: int,
    frames: int = 20,
    sensor: str = 'd435',
    distance_m: float | None = None,
    people: int = 1,
    poster: ByteArray | None = None,
    size_px: tuple[int, int] = (640, 480),
) -> PeopleEpisode:
    """Return a room with people in it, before a camera at the height of a robot's.

    :param activity: a name of :data:`ACTIVITIES`.
    :param seed: the same one, the same episode.
    :param sensor: name of the range camera.
    :param distance_m: from the camera to the first person; drawn from 1 to 4 m when not given.
    :param people: how many do it, side by side; ``crossing`` always has two.
    :param poster: (h, w, 3) uint8 RGB picture that hangs on the wall as a poster.
    :param size_px: width and height of the picture.
    :raises ConfigurationError: when there is no such activity.
    """
    if activity not in ACTIVITIES:
        raise ConfigurationError(
            f'no activity "{activity}"', wanted=f'one of {", ".join(ACTIVITIES)}'
        )
    rng = np.random.default_rng([seed, zlib.crc32(activity.encode()), 0x9E09])
    heading = float(rng.uniform(0, 2 * np.pi))
    forward = np.array([np.cos(heading), np.sin(heading)])
    distance = float(rng.uniform(1.0, 4.0)) if distance_m is None else distance_m
    stage = _Stage(rng, frames, distance, forward)
    actions = [ACTIVITIES[activity](stage, number, people) for number in range(people)]
    if activity == 'crossing':
        actions = [_crossing(stage, number, 2) for number in range(2)]
    far = distance + float(rng.uniform(0.7, 2.0))
    around = [floor(rng, 0.0), wall(rng, heading, far, 0.0)]
    if poster is not None:
        around.append(_poster(poster, heading, far, float(rng.uniform(-0.4, 0.4))))
    around += [solid for action in actions for solid in action.surroundings]
    eye_z = float(rng.uniform(0.9, 1.5))
    target_z = float(np.clip(rng.normal(0.95, 0.12), 0.6, 1.15)) if distance < 2 else 0.9
    if activity in ('lying', 'child'):
        target_z = 0.5
    target = np.append(stage.place(distance, 0.0), target_z)
    eye = np.array([0.0, 0.0, eye_z])
    shake = rng.normal(0.0, 0.001, (frames, 3))
    T_fixed_cam = np.stack([looking_at(eye + step, target) for step in shake])
    T_fixed_obj, joints, present = [], [], []
    for k in range(frames):
        placed = [a.figure.placed(a.poses[k], a.T_fixed_hips[k]) for a in actions]
        here = [a.present is None or bool(a.present[k]) for a in actions]
        T_fixed_obj.append(np.concatenate([T for T, _ in placed]))
        joints.append(
            [j if h else np.full_like(j, np.nan) for (_, j), h in zip(placed, here, strict=True)]
        )
        present.append(
            np.concatenate(
                [np.full(len(a.figure.parts), h) for a, h in zip(actions, here, strict=True)]
            )
        )
    episode = Episode(
        suite=f'people_{activity}',
        seed=seed,
        source='made-up people',
        objects=tuple(part for action in actions for part in action.figure.parts),
        surroundings=tuple(around),
        support_z_m=0.0,
        light=random_light(rng),
        camera=pinhole(*size_px),
        sensor=depth_sensor(sensor),
        stamps_ns=stamps(frames),
        T_fixed_cam=T_fixed_cam,
        T_fixed_obj=np.stack(T_fixed_obj),
        present=np.stack(present),
    )
    owner = np.repeat(np.arange(len(actions)), [len(a.figure.parts) for a in actions])
    return PeopleEpisode(activity, episode, np.array(joints), owner)


def _sideways(number: int, people: int) -> float:
    """Return how far to the left the person of this number stands, metres."""
    return 0.85 * (number - (people - 1) / 2)


def _still(stage: _Stage, number: int, people: int, height_m: float | None = None) -> _Action:
    rng = stage.rng
    figure = random_figure(rng, height_m, f'person_{number}')
    yaw = stage.facing_rad + rng.uniform(-np.pi, np.pi) * (rng.random() < 0.4)
    yaw += rng.uniform(-0.5, 0.5)
    base = Pose(
        lean=rng.uniform(-0.05, 0.15),
        look=rng.uniform(-0.5, 0.5),
        arm_left=(rng.uniform(-0.2, 0.8), rng.uniform(0.05, 0.5), rng.uniform(0, 1.5)),
        arm_right=(rng.uniform(-0.2, 0.8), rng.uniform(0.05, 0.5), rng.uniform(0, 1.5)),
    )
    spot = stage.place(stage.distance_m, _sideways(number, people) + rng.uniform(-0.1, 0.1))
    sway = 0.006 * np.sin(2 * np.pi * 0.4 * stage.time_s + rng.uniform(0, 6))
    z = figure.standing_height(base)
    hips = [upright(yaw, [spot[0] + s, spot[1] + s, z]) for s in sway]
    return _Action(figure, [base] * stage.frames, hips)


def _child(stage: _Stage, number: int, people: int) -> _Action:
    return _still(stage, number, people, float(stage.rng.uniform(0.95, 1.25)))


def _stride(phase: float, arms: float = 1.0) -> Pose:
    """Return a pose of walking: hips and knees as sines of the phase (radians)."""
    s = np.sin(phase)

    def leg(sign: float) -> tuple[float, float, float]:
        forward = sign * s
        lifting = max(0.0, float(sign * np.cos(phase)))
        return 0.42 * forward + 0.1, 0.03, 0.1 + 0.7 * lifting

    return Pose(
        lean=0.06,
        arm_left=(-0.4 * s * arms, 0.1, 0.3),
        arm_right=(0.4 * s * arms, 0.1, 0.3),
        leg_left=leg(1.0),
        leg_right=leg(-1.0),
    )


def _on_the_way(
    stage: _Stage, number: int, start: FloatArray, end: FloatArray, speed_m_s: float
) -> _Action:
    """Walk from one place of the floor towards another."""
    figure = random_figure(stage.rng, None, f'person_{number}')
    way = end - start
    direction = way / np.linalg.norm(way)
    yaw = float(np.arctan2(direction[1], direction[0]))
    first = stage.rng.uniform(0, 2 * np.pi)
    poses, hips = [], []
    for time_s in stage.time_s:
        gone = speed_m_s * time_s
        pose = _stride(first + 2 * np.pi * gone / (0.83 * figure.height_m))
        place = start + gone * direction
        poses.append(pose)
        hips.append(upright(yaw, [place[0], place[1], figure.standing_height(pose)]))
    return _Action(figure, poses, hips)


def _walking(stage: _Stage, number: int, people: int) -> _Action:
    side = stage.rng.choice([-1.0, 1.0])
    speed = float(stage.rng.uniform(0.5, 1.4))
    d = stage.distance_m
    half = min(0.45 * d, speed * stage.frames / FRAME_RATE_HZ / 2)
    apart = _sideways(number, people)
    start = stage.place(d + stage.rng.uniform(-0.2, 0.2) + apart, side * half)
    end = stage.place(d + stage.rng.uniform(-0.2, 0.2) + apart, -side * half)
    return _on_the_way(stage, number, start, end, speed)


def _crossing(stage: _Stage, number: int, people: int) -> _Action:
    d, side = stage.distance_m, 1.0 - 2.0 * number
    half = 0.8 + 0.1 * number
    near = d - 0.35 + 0.75 * number
    start, end = stage.place(near, side * half), stage.place(near, -side * half)
    return _on_the_way(stage, number, start, end, 2 * half * FRAME_RATE_HZ / stage.frames)


def _leaving(stage: _Stage, number: int, people: int) -> _Action:
    """Stand, be away for two seconds in the middle, and stand there again."""
    action = _still(stage, number, people)
    time_s = stage.time_s - stage.time_s[-1] / 2
    return _Action(action.figure, action.poses, action.T_fixed_hips, (), np.abs(time_s) >= 1.0)


def _entering(stage: _Stage, number: int, people: int) -> _Action:
    """Be away for a third of the frames, then walk in."""
    action = _walking(stage, number, people)
    here = np.arange(stage.frames) >= stage.frames // 3
    return _Action(action.figure, action.poses, action.T_fixed_hips, (), here)


def _sitting(stage: _Stage, number: int, people: int) -> _Action:
    rng = stage.rng
    figure = random_figure(rng, None, f'person_{number}')
    yaw = stage.facing_rad + rng.uniform(-1.2, 1.2)
    seat = 0.26 * figure.height_m
    spot = stage.place(stage.distance_m, _sideways(number, people))
    swing = np.pi / 2 - rng.uniform(0.0, 0.12)
    leg = (swing, rng.uniform(0.05, 0.25), swing + rng.uniform(-0.2, 0.2))
    pose = Pose(
        lean=rng.uniform(-0.1, 0.3),
        look=rng.uniform(-0.4, 0.4),
        arm_left=(rng.uniform(0.2, 0.7), 0.15, rng.uniform(0.5, 1.3)),
        arm_right=(rng.uniform(0.2, 0.7), 0.15, rng.uniform(0.5, 1.3)),
        leg_left=leg,
        leg_right=leg,
    )
    hips = upright(yaw, [spot[0], spot[1], seat + 0.07 * figure.height_m])
    half = np.array([0.2, 0.2])
    stool = legged(rng, half, seat).at(spot[0], spot[1], 0.0, yaw)
    return _Action(figure, [pose] * stage.frames, [hips] * stage.frames, stool.parts)


def _reaching(stage: _Stage, number: int, people: int) -> _Action:
    action = _still(stage, number, people)
    rest = action.poses[0]
    reach = 0.5 - 0.5 * np.cos(2 * np.pi * 0.35 * stage.time_s)
    poses = [
        Pose(
            rest.lean + 0.3 * r, rest.nod, 0.0, rest.arm_left, (0.2 + 1.3 * r, 0.1, 1.2 - 1.1 * r)
        )
        for r in reach
    ]
    yaw = stage.facing_rad + stage.rng.uniform(-0.8, 0.8)
    hips = [upright(yaw, T[:3, 3]) for T in action.T_fixed_hips]
    return _Action(action.figure, poses, hips)


def _half_hidden(stage: _Stage, number: int, people: int) -> _Action:
    """Stand behind a table or a cabinet that hides the lower half, or beside a tall one."""
    rng = stage.rng
    action = _still(stage, number, people)
    yaw = float(np.arctan2(stage.forward[1], stage.forward[0]))
    kind = rng.random()
    if kind < 0.6:
        height = rng.uniform(0.6, 1.0)
        piece = block(rng, np.array([0.15, 0.55]), height)
        spot = stage.place(max(0.75, stage.distance_m - 0.45), _sideways(number, people))
    elif kind < 0.8:
        piece = legged(rng, np.array([0.3, 0.6]), float(rng.uniform(0.7, 0.8)))
        spot = stage.place(max(0.8, stage.distance_m - 0.5), _sideways(number, people))
    else:
        piece = block(rng, np.array([0.12, 0.3]), 1.9)
        side = rng.choice([-1.0, 1.0]) * 0.34
        spot = stage.place(max(0.75, stage.distance_m - 0.45), _sideways(number, people) + side)
    parts = piece.at(spot[0], spot[1], 0.0, yaw).parts
    return _Action(action.figure, action.poses, action.T_fixed_hips, parts)


def _lying(stage: _Stage, number: int, people: int) -> _Action:
    figure = random_figure(stage.rng, None, f'person_{number}')
    pose = Pose(arm_left=(0.1, 0.3, 0.3), arm_right=(0.1, 0.3, 0.3))
    spot = stage.place(stage.distance_m, 0.0)
    turn = Rotation.from_euler('z', stage.rng.uniform(0, 2 * np.pi)) * Rotation.from_euler(
        'y', -np.pi / 2
    )
    hips = transform(turn.as_matrix(), np.array([spot[0], spot[1], 0.085 * figure.height_m]))
    return _Action(figure, [pose] * stage.frames, [hips] * stage.frames)


ACTIVITIES: Mapping[str, Callable[[_Stage, int, int], _Action]] = {
    'standing': _still,
    'walking': _walking,
    'sitting': _sitting,
    'reaching': _reaching,
    'half_hidden': _half_hidden,
    'crossing': _crossing,
    'leaving': _leaving,
    'entering': _entering,
    'lying': _lying,
    'child': _child,
}
"""What people can do, by name."""


def _poster(picture: ByteArray, heading_rad: float, wall_m: float, left_m: float) -> Solid:
    """Return a picture that hangs upright on the wall, 1.7 m high at most."""
    rows, columns = picture.shape[:2]
    height = min(1.7, 1.6 * rows / columns)
    width = height * columns / rows
    low = np.array([wall_m - 0.012, left_m - width / 2, 1.1 - height / 2])
    high = np.array([wall_m - 0.002, left_m + width / 2, 1.1 + height / 2])
    solid = slab('poster', low, high, picture, 1.0)
    assert solid.texture is not None
    corners = solid.vertices_m[solid.faces]
    # Seen from the room, the picture's left is at the larger y.
    uv = np.stack([(high[1] - corners[..., 1]) / width, (corners[..., 2] - low[2]) / height], -1)
    image = cv2.resize(picture, (768, round(768 * rows / columns)))
    texture = Texture(np.asarray(image, np.uint8), uv.astype(np.float32), is_filtered=True)
    hung = Solid('poster', solid.vertices_m, solid.faces, solid.colors, 'poster', texture)
    return posed(hung, transform(Rotation.from_euler('z', heading_rad).as_matrix(), np.zeros(3)))
