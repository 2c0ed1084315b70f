# SPDX-License-Identifier: Apache-2.0
"""What happens to an episode's objects: taken, put elsewhere, gone in view, pushed.

Of 70 frames the camera looks away in 25 to 34; meanwhile one object is taken away and one is put
elsewhere. At 50 one vanishes in view, from 52 to 61 one is pushed outward by a centimetre a frame.
An episode of another length has the same events at the same shares of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.world.episode import Episode, outermost

Rng = np.random.Generator
FRAMES = 70
AWAY, BACK = 25, 35
"""First frame that looks away, first frame that is back."""
VANISHED, PUSHED_FROM, PUSHED_TO = 50, 52, 61
PUSH_M = 0.1
LOOK_AWAY_RAD = np.radians(120.0)
LEAST_MOVE_M, MOST_FROM_MIDDLE_M = 0.15, 0.38
GAP_M = 0.02
TRIES = 400


def with_events(episode: Episode, rng: Rng) -> Episode:
    """Return an episode in which things happen; which object they happen to is drawn.

    :param episode: of at least four objects at rest.
    :param rng: where the draws come from.
    :raises ConfigurationError: when no object finds a free place to be put.
    """
    frames = len(episode.stamps_ns)
    at = {frame: round(frame * frames / FRAMES) for frame in (AWAY, BACK, VANISHED)}
    pushed = outermost(episode)
    others = [k for k in range(len(episode.objects)) if k != pushed]
    moved, T_moved = _put_elsewhere(episode, rng.permutation(others).tolist(), rng)
    taken, vanished = rng.permutation([k for k in others if k != moved])[:2].tolist()

    T_fixed_cam = episode.T_fixed_cam.copy()
    turn = Rotation.from_rotvec([0.0, 0.0, LOOK_AWAY_RAD]).as_matrix()
    T_fixed_cam[at[AWAY] : at[BACK], :3, :3] = turn @ T_fixed_cam[at[AWAY] : at[BACK], :3, :3]
    present, T_fixed_obj = episode.present.copy(), episode.T_fixed_obj.copy()
    present[at[AWAY] :, taken] = False
    present[at[VANISHED] :, vanished] = False
    T_fixed_obj[at[AWAY] :, moved] = T_moved
    pushed_for = np.arange(frames) * FRAMES / frames - (PUSHED_FROM - 1)
    share = np.clip(pushed_for / (PUSHED_TO - PUSHED_FROM + 1), 0.0, 1.0)
    T_fixed_obj[:, pushed, :2, 3] += share[:, None] * PUSH_M * _outward(episode, pushed)
    return replace(episode, T_fixed_cam=T_fixed_cam, T_fixed_obj=T_fixed_obj, present=present)


def _put_elsewhere(episode: Episode, candidates: list[int], rng: Rng) -> tuple[int, FloatArray]:
    """Return the first of some objects that finds a free place, and its pose there."""
    circles = [_circle(episode, k) for k in range(len(episode.objects))]
    pushed = outermost(episode)
    path = np.linspace(0.0, PUSH_M, 5)[:, None] * _outward(episode, pushed)
    taken = [circle for k, circle in enumerate(circles) if k != pushed]
    taken += [(circles[pushed][0] + step, circles[pushed][1]) for step in path]
    about = np.mean([middle for middle, _ in circles], axis=0)
    for index in candidates:
        middle, radius = circles[index]
        for _ in range(TRIES):
            angle = rng.uniform(0, 2 * np.pi)
            place = about + rng.uniform(0.1, MOST_FROM_MIDDLE_M) * np.array(
                [np.cos(angle), np.sin(angle)]
            )
            gaps = [np.linalg.norm(place - other) - radius - size for other, size in taken]
            if np.linalg.norm(place - middle) >= LEAST_MOVE_M and min(gaps) >= GAP_M:
                R = Rotation.from_rotvec([0.0, 0.0, rng.uniform(-np.pi / 4, np.pi / 4)])
                about_middle = transform(R.as_matrix(), np.append(place, 0.0))
                to_middle = transform(np.eye(3), np.append(-middle, 0.0))
                return index, about_middle @ to_middle @ episode.T_fixed_obj[0, index]
    raise ConfigurationError(
        f'no free place for any of {len(candidates)} objects of {episode.source}',
        wanted='smaller objects',
    )


def _circle(episode: Episode, index: int) -> tuple[FloatArray, float]:
    """Return the middle (2,) and the radius of an object seen from above, first frame, metres."""
    vertices = episode.objects[index].vertices_m.astype(np.float64)
    spots = apply(episode.T_fixed_obj[0, index], vertices)[:, :2]
    middle = (spots.min(axis=0) + spots.max(axis=0)) / 2
    return middle, float(np.linalg.norm(spots - middle, axis=1).max())


def _outward(episode: Episode, index: int) -> FloatArray:
    """Return the (2,) horizontal direction from the middle of all objects to one of them."""
    spots = episode.T_fixed_obj[0, :, :2, 3]
    offset: FloatArray = spots[index] - spots.mean(axis=0)
    return offset / np.linalg.norm(offset)
