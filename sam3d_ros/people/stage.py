# SPDX-License-Identifier: Apache-2.0
"""Everybody in front of the cameras, frame by frame: depth and image each keep whom the other
misses. This is perception, not a safety function.

Depth finds upright bodies in every frame and gives them place, speed and an upright capsule; the
image recognises people, now and then, and gives them joints. What lies on a wall or a screen is a
picture. A mannequin cannot be told from a person.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam3d_ros.core.people import Capsule, People, Person
from sam3d_ros.core.types import BoolArray, FloatArray, Frame, Plane
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.blazepose.detector import Square
from sam3d_ros.people.blazepose.landmarks import PRESENT, HandNetworks
from sam3d_ros.people.capsules import clearance
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.people.hands import find_hands
from sam3d_ros.people.known import Known
from sam3d_ros.people.lifting import SHOWN, SIZES, TRUNK, Lifted, lift
from sam3d_ros.people.looking import Look, Looking, window_about
from sam3d_ros.people.masks import PeoplePixels, fine_mask, people_pixels
from sam3d_ros.people.sam3d_body.lane import BodyLane
from sam3d_ros.people.scenery import Scenery, find_scenery, to_fixed
from sam3d_ros.people.tall import Tall, find_tall

LOG = logging.getLogger(__name__)
GATE_M, GATE_SIGMAS = 0.5, 3.0
"""A body is somebody's no farther than this from where that one is thought to be."""
NEVER = 1e6
COLOR_M = 0.5
"""What a wholly different colour counts for, metres."""
TOLD_NS = 1_000_000_000
"""Who was not seen for longer is remembered but not told."""
PICTURED = 0.6
"""With more of its joints on a flat thing, a person is a picture."""
SURE_ALONE = 0.6
"""Score that somebody needs whom depth does not show."""
NEAR_BODY_M = 0.1
"""Points farther from a body's capsules say nothing about its surface."""
TRUNK_HEIGHT = 0.62
"""Height of the middle of the trunk over that of the body."""


class PeopleStage:
    """Finds and follows people; remembers who is who.

    :param config: what looks for them, and how often; None = nobody does.
    :param say: takes what a user should know, a sentence at a time.
    :param wait: wait for bodies of SAM 3D Body in the frame that they are of, as offline.
    """

    def __init__(
        self,
        config: PeopleConfig | None = None,
        say: Callable[[str], object] = LOG.warning,
        wait: bool = True,
    ) -> None:
        self._config = config = config or PeopleConfig(use='none')
        self._say = say
        self._looking: Looking | None = None
        if config.use in ('both', 'image'):
            try:
                self._looking = Looking(config)
            except ModuleNotFoundError as error:
                if config.use == 'image':
                    raise
                say(f'people: {error}: depth alone finds people; for the image too: install it')
        self._hands = (
            HandNetworks(device=config.device) if self._looking and config.hands else None
        )
        official = config.sam3d_body
        self._bodies = BodyLane(official, say, wait) if official.python else None
        self._known: dict[int, Known] = {}
        self._next_id = 1
        self._stamp_ns = 0
        self._period_s = 0.0
        self._up: dict[str, FloatArray] = {}
        self._said: set[str] = set()
        self.pixels: PeoplePixels | None = None
        """Pixels of the last frame that show people; None = nobody."""

    def update(self, frame: Frame, supports: Sequence[Plane] = ()) -> People:
        """Return everybody after a frame.

        :param frame: frames of one camera come in stamp order.
        :param supports: planes that things stand on in it; where TF knows no up, they tell it.
        """
        self.pixels = None
        if self._config.use == 'none':
            return People(frame.stamp_ns, frame.fixed_frame)
        step_s = (frame.stamp_ns - self._stamp_ns) * 1e-9
        if 0 < step_s < 2:
            self._period_s = step_s if not self._period_s else 0.8 * self._period_s + 0.2 * step_s
        self._stamp_ns = frame.stamp_ns
        frame, is_level = self._levelled(frame, supports)
        for known in self._known.values():
            known.predict(frame.stamp_ns)
            known.joints.predict(frame.stamp_ns)
        scenery = find_scenery(frame, self._config.range_m)
        bodies = find_tall(scenery, self._config.tall_m) if is_level else []
        if self._config.use == 'image':
            bodies = []
        cells = self._follow(frame, scenery, bodies)
        if self._looking is not None:
            for look in self._looking.look(frame, *self._turns(frame)):
                self._take(frame, scenery, cells, look)
        keep_ns = round(1e9 * self._config.keep_s)
        self._known = {
            id_: known
            for id_, known in self._known.items()
            if self._stamp_ns - known.seen_ns <= keep_ns
        }
        body = self._bodies.take() if self._bodies is not None else None
        if body is not None and body.person_id in self._known:
            self._known[body.person_id].official = body
        people = self._people(frame)
        self.pixels = people_pixels(frame, scenery, cells, people)
        return people

    def move(self, T_new_old: FloatArray) -> None:
        """Move everybody with the map, (4, 4) in the fixed frame."""
        for known in self._known.values():
            known.transform(T_new_old)

    def reset(self) -> None:
        """Forget everybody but go on counting ids, as after a jump of the clock."""
        self._known.clear()
        self._up.clear()
        self._stamp_ns, self._period_s = 0, 0.0
        self.pixels = None
        if self._looking is not None:
            self._looking.reset()
        if self._bodies is not None:
            self._bodies.forget()

    def state(self) -> Any:
        """Return what outlives the process: people move on meanwhile, their ids are not reused."""
        return {'next_id': self._next_id}

    def restore(self, state: Any) -> None:
        """Go on counting where an equal stage's :meth:`state` was."""
        self.reset()
        self._next_id = int(state['next_id'])

    def _levelled(self, frame: Frame, supports: Sequence[Plane]) -> tuple[Frame, bool]:
        """Return a frame with an up, and whether anything has told it."""
        if frame.up_cam is not None:
            return frame, True
        if supports:
            self._up[frame.camera_name] = supports[0].normal
        up = self._up.get(frame.camera_name)
        if up is None and frame.camera_name not in self._said:
            self._said.add(frame.camera_name)
            self._say(
                f'people: neither TF nor a support tells camera {frame.camera_name} where up is: '
                'until one does, the image alone finds people; publish TF from a level fixed frame'
            )
        return (frame if up is None else replace(frame, up_cam=up)), up is not None

    def _follow(
        self, frame: Frame, scenery: Scenery, bodies: Sequence[Tall]
    ) -> dict[int, BoolArray]:
        """Give the bodies of a frame their ids; return by id which cells are whose."""
        T_fixed_level = to_fixed(frame, scenery)
        places, sigmas, uprights, colors = [], [], [], []
        height, width = scenery.level.shape
        rgb = frame.rgb[:: scenery.step, :: scenery.step][:height, :width]
        for body in bodies:
            ends = np.array([body.middle_m, body.middle_m])
            ends[:, 2] = body.bottom_m + body.radius_m, body.top_m - body.radius_m
            ends[1, 2] = max(ends[1, 2], ends[0, 2])
            start, end = apply(T_fixed_level, ends)
            uprights.append(Capsule(start, end, body.radius_m))
            middle = body.middle_m.copy()
            middle[2] = body.bottom_m + TRUNK_HEIGHT * (body.top_m - body.bottom_m)
            places.append(apply(T_fixed_level, middle))
            sigmas.append(body.sigma_m)
            upper = body.cells & (scenery.points[..., 2] > middle[2] - 0.2)
            colors.append(rgb[upper if upper.any() else body.cells].mean(axis=0))
        owners = self._assigned(frame, places, colors)
        cells: dict[int, BoolArray] = {}
        for k, body in enumerate(bodies):
            owner = owners[k]
            if owner is None:
                if not body.is_free or len(self._known) >= self._config.max_people:
                    continue
                owner = self._born(frame, places[k], sigmas[k], colors[k])
            known = self._known[owner]
            known.observe(places[k], sigmas[k])
            known.depth_ns = frame.stamp_ns
            known.upright = uprights[k]
            known.color = 0.8 * known.color + 0.2 * colors[k]
            cells[owner] = body.cells
        return cells

    def _assigned(
        self, frame: Frame, places: Sequence[FloatArray], colors: Sequence[FloatArray]
    ) -> list[int | None]:
        """Return whose each place is, None = nobody's who is known."""
        ids = list(self._known)
        owners: list[int | None] = [None] * len(places)
        if not ids or not places:
            return owners
        cost = np.full((len(places), len(ids)), NEVER)
        level = _level_in_fixed(frame)
        for j, id_ in enumerate(ids):
            known = self._known[id_]
            sigma = float(np.sqrt(np.trace(known.covariance[:3, :3]) / 3))
            gate = GATE_M + GATE_SIGMAS * min(sigma, 0.6)
            for i, place in enumerate(places):
                apart = float(np.linalg.norm(level @ (place - known.place_m)))
                if apart < gate:
                    unlike = float(np.abs(colors[i] - known.color).mean()) / 255
                    unseen_s = (frame.stamp_ns - known.seen_ns) * 1e-9
                    cost[i, j] = apart + 2 * COLOR_M * unlike + 0.1 * unseen_s
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if cost[i, j] < NEVER:
                owners[i] = ids[j]
        return owners

    def _born(self, frame: Frame, place: FloatArray, sigma: float, color: FloatArray) -> int:
        known = Known(self._next_id, frame.stamp_ns, place, sigma, color)
        self._known[known.id] = known
        self._next_id += 1
        return known.id

    def _turns(
        self, frame: Frame
    ) -> tuple[list[tuple[int, int, Square]], list[tuple[int, Square]]]:
        """Return whose joints can be looked at, and which bodies nobody has recognised."""
        name = frame.camera_name
        T_cam_fixed = inverse(frame.T_fixed_cam)
        squares, windows = [], []
        for known in self._known.values():
            if name in known.squares:
                squares.append((known.id, known.image_ns or 0, known.squares[name]))
            elif known.upright is not None and known.depth_ns == frame.stamp_ns:
                ends = np.stack([known.upright.start_m, known.upright.end_m])
                window = window_about(frame.camera, apply(T_cam_fixed, ends))
                if window is not None:
                    windows.append((known.id, window))
        return squares, windows

    def _take(
        self, frame: Frame, scenery: Scenery, cells: dict[int, BoolArray], look: Look
    ) -> None:
        """Take in what a look has shown."""
        landmarks, name = look.landmarks, frame.camera_name
        known = self._known.get(look.owner)
        if known is not None:
            known.squares.pop(name, None)
        if landmarks.presence < PRESENT:
            return
        on = _cells_of(scenery, landmarks.points_px, landmarks.visibility)
        if len(on) >= 4 and scenery.flat[on[:, 0], on[:, 1]].mean() > PICTURED:
            return
        owner = _owner(on, cells)
        lifted = lift(frame, landmarks, known.joints.size if known is not None else None)
        if lifted.is_too_small or not (np.isnan(lifted.size) or SIZES[0] < lifted.size < SIZES[1]):
            if known is not None and known.depth_ns is None:
                del self._known[known.id]  # only a picture of a body, and that of a toy
            return
        if known is not None and owner not in (None, known.id):
            return  # the square has slipped to somebody else
        R = frame.T_fixed_cam[:3, :3]
        points = apply(frame.T_fixed_cam, lifted.points_m)
        place = points[TRUNK].mean(axis=0)
        if known is None:
            known = self._whose(frame, owner, place, lifted, look)
            if known is None:
                return
        known.joints.update(
            frame.stamp_ns,
            points,
            R @ lifted.covariance @ R.T,
            landmarks.visibility,
            lifted.measured,
            lifted.size,
        )
        if known.depth_ns != frame.stamp_ns:
            sigma = float(np.sqrt(np.trace(R @ lifted.covariance[TRUNK].mean(axis=0) @ R.T) / 3))
            known.observe(place, sigma)
        known.image_ns = frame.stamp_ns
        known.score = max(look.score, 0.9 * known.score)
        known.squares[name] = landmarks.following
        if self._config.body:
            mine = cells.get(known.id, scenery.standing)
            surface = self._surface(frame, scenery, mine, known)
            known.fit_body(surface, frame.T_fixed_cam[:3, 3])
        if self._hands is not None:
            size = known.joints.size or 1.0
            known.hands = find_hands(self._hands, frame, known.joints.skeleton(), size)

        if self._bodies is not None and self._bodies.is_due(known.id, frame.stamp_ns):
            box = np.clip(landmarks.box_px, 0, [*frame.rgb.shape[1::-1]] * 2)
            mask = fine_mask(frame, scenery, cells.get(known.id, scenery.standing))
            inside = np.zeros_like(mask)
            left, top, right, bottom = box.astype(int)
            inside[top : bottom + 1, left : right + 1] = True
            self._bodies.ask(known.id, frame, box, mask & inside, known.place_m.copy())

    def close(self) -> None:
        """End the process of SAM 3D Body, if there is one."""
        if self._bodies is not None:
            self._bodies.close()

    def _surface(
        self, frame: Frame, scenery: Scenery, cells: BoolArray, known: Known
    ) -> FloatArray:
        """Return (N, 3) points of somebody's surface, fixed frame, among those of some cells."""
        points = apply(to_fixed(frame, scenery), scenery.points[cells].astype(np.float64))
        limbs = known.limbs(known.joints.skeleton())
        return points[np.abs(clearance(points, limbs)) < NEAR_BODY_M]

    def _whose(
        self, frame: Frame, owner: int | None, place: FloatArray, lifted: Lifted, look: Look
    ) -> Known | None:
        """Return who it is whom a look has found: a body that depth shows, or somebody new."""
        if owner is not None:
            return self._known[owner]
        level = _level_in_fixed(frame)
        near = [
            known
            for known in self._known.values()
            if np.linalg.norm(level @ (known.place_m - place)) < GATE_M
            and frame.camera_name not in known.squares
        ]
        if near:
            return min(near, key=lambda item: float(np.linalg.norm(item.place_m - place)))
        if look.score < SURE_ALONE or len(self._known) >= self._config.max_people:
            return None
        if np.linalg.norm(place - frame.T_fixed_cam[:3, 3]) > self._config.range_m:
            return None
        sigma = 0.05 if not np.isnan(lifted.size) else 0.3
        box = np.clip(look.landmarks.box_px, 0, [*frame.rgb.shape[1::-1]] * 2).astype(int)
        shown = frame.rgb[box[1] : box[3] + 1, box[0] : box[2] + 1].reshape(-1, 3)
        color = shown.mean(axis=0) if len(shown) else np.full(3, 128.0)
        return self._known[self._born(frame, place, sigma, color)]

    def _people(self, frame: Frame) -> People:
        told: list[Person] = []
        for known in self._known.values():
            if frame.stamp_ns - known.seen_ns > TOLD_NS:
                known.squares.clear()
                continue
            in_view = known.seen_ns == frame.stamp_ns or frame.camera_name in known.squares
            told.append(known.person(in_view))
        return People(frame.stamp_ns, frame.fixed_frame, tuple(told), self._period_s)


def _level_in_fixed(frame: Frame) -> FloatArray:
    """Return the (3, 3) projection of fixed-frame differences onto the level plane."""
    up = frame.up_cam if frame.up_cam is not None else np.array([0.0, -1.0, 0.0])
    up_fixed = frame.T_fixed_cam[:3, :3] @ up
    return np.eye(3) - np.outer(up_fixed, up_fixed)


def _cells_of(scenery: Scenery, points_px: FloatArray, visibility: FloatArray) -> Any:
    """Return the (N, 2) rows and columns of the cells of visible joints."""
    cells = np.floor(points_px[visibility > SHOWN] / scenery.step).astype(int)[:, ::-1]
    height, width = scenery.level.shape
    inside = (cells >= 0).all(axis=1) & (cells[:, 0] < height) & (cells[:, 1] < width)
    return cells[inside]


def _owner(on: Any, cells: dict[int, BoolArray]) -> int | None:
    """Return the id of the body in whose cells most of the joints are, None = in nobody's."""
    shares = {
        id_: float(mask[on[:, 0], on[:, 1]].mean()) for id_, mask in cells.items() if len(on)
    }
    best = max(shares, key=lambda id_: shares[id_], default=None)
    return best if best is not None and shares[best] > 0.35 else None
