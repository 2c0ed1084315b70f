# SPDX-License-Identifier: Apache-2.0
"""The map jumped, not the camera: what was seen moves with the part of the map it was seen from.

When a mapping program closes a loop, or finds out where it is, the way from map to camera jumps
though nothing in front of the camera has moved. The surfaces of the frame before tell: they are
where they were for the camera, and nowhere near for the map. What was seen since the loop began is
moved by the share of its path that had been travelled then, as scan matching distributes the error
of a closed loop (Sprickerhof et al., "An Explicit Loop Closing Technique for 6D SLAM", 2009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.types import BoolArray, FloatArray, Frame
from sam3d_ros.geometry.transforms import apply, interpolate, inverse, rotation_angle
from sam3d_ros.geometry.visibility import judge_frame
from sam3d_ros.pipeline.offset_checkup import offset_between

LEAST_M, LEAST_RAD = 0.02, 0.02
"""Smaller steps aside are left to the poses of the objects, which follow them."""
LEAST_SHARE = 0.5
"""Nor is a step aside one that is a smaller share of the camera's own motion."""
SAMPLES = 4000
"""Pixels that are enough to tell what a frame shows again."""
SLACK_M = 0.01
ALIKE = 40
"""Colours of one surface differ by less than this in every channel."""
LEAST_AGAIN = 0.6
"""Share of what the frame before showed that must be seen again for the map to have jumped."""
LEAST_GAIN, MOST_LOSS = 0.02, 0.5
"""Share of it that only a jump explains; what it leaves unexplained instead, over that."""
LEAST_TOLD = 5
"""Directions of a motion that the surfaces must tell: a wall alone, which looks the same from
elsewhere, tells three; where the camera went along the sixth is expected well enough."""
MOST_GAP = 3.0
"""A camera moves on as before for so many times the time between the last two frames."""
NEAR_M, NEAR_RAD = 0.3, np.radians(30.0)
"""A loop ends where the camera comes so near to where it was when it began."""
AWAY_M, AWAY_RAD = 1.0, np.radians(60.0)
"""In between it was farther away than this."""
KEYPOSE_M, KEYPOSE_RAD = 0.1, np.radians(10.0)
MOST_KEYPOSES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class MapJump:
    """What became of the map.

    :param T_new_old: (4, 4) how what the camera saw last has moved in the fixed frame.
    :param stamps_ns: (K,) of places on the loop, in order; empty when the camera came by no place
        that it had left.
    :param shares: (K,) how much of the jump belongs to what was seen from each, 0..1.
    """

    T_new_old: FloatArray
    stamps_ns: FloatArray
    shares: FloatArray

    @property
    def sentence(self) -> str:
        """What has happened, in words."""
        shift_m = float(np.linalg.norm(self.T_new_old[:3, 3]))
        turn_deg = np.degrees(rotation_angle(self.T_new_old))
        return f'the map jumped by {shift_m:.3f} m and {turn_deg:.1f} deg'

    def of(self, stamp_ns: int) -> FloatArray:
        """Return how that has moved which was seen last at a stamp, (4, 4) fixed frame."""
        if not len(self.stamps_ns):
            return self.T_new_old
        share = float(np.interp(stamp_ns, self.stamps_ns, self.shares))
        return interpolate(np.eye(4), self.T_new_old, share)


@dataclass(frozen=True, slots=True, eq=False)
class _Keypose:
    """A place of a camera in the map as it is now, and the length of the path to there."""

    stamp_ns: int
    T_fixed_cam: FloatArray
    path_m: float


class MapJumps:
    """Watches the way from map to camera, of every camera of a session."""

    def __init__(self) -> None:
        self._latest: dict[str, Frame] = {}
        self._steps: dict[str, tuple[FloatArray, int]] = {}
        self._path: list[_Keypose] = []

    def clear(self) -> None:
        """Forget all, as when time begins anew."""
        self._latest.clear()
        self._steps.clear()
        self._path.clear()

    def jump(self, frame: Frame) -> MapJump | None:
        """Take note of a frame; return how the map has jumped since the one before, if it has.

        :param frame: frames of one camera come in stamp order.
        """
        name = frame.camera_name
        before = self._latest.get(name)
        T_new_old = None if before is None else self._jumped(before, frame)
        jump = None
        if before is not None and T_new_old is not None:
            jump = MapJump(T_new_old, *self._loop(before, frame.T_fixed_cam))
            self._latest = {
                camera: replace(kept, T_fixed_cam=T_new_old @ kept.T_fixed_cam)
                for camera, kept in self._latest.items()
            }
            self._path = [
                replace(kept, T_fixed_cam=jump.of(kept.stamp_ns) @ kept.T_fixed_cam)
                for kept in self._path
            ]
            before = self._latest[name]
        if before is not None:
            step = inverse(before.T_fixed_cam) @ frame.T_fixed_cam
            self._steps[name] = step, frame.stamp_ns - before.stamp_ns
        self._latest[name] = frame
        self._note(frame)
        return jump

    def _jumped(self, before: Frame, frame: Frame) -> FloatArray | None:
        """Return what of the way from one frame to the next the map has gone, not the camera."""
        step, step_ns = self._steps.get(frame.camera_name, (np.eye(4), 0))
        gap = (frame.stamp_ns - before.stamp_ns) / step_ns if step_ns else np.inf
        expected = before.T_fixed_cam
        if gap <= MOST_GAP:
            expected = expected @ interpolate(np.eye(4), step, gap)
        aside = inverse(expected) @ frame.T_fixed_cam
        shift_m, turn_rad = float(np.linalg.norm(aside[:3, 3])), rotation_angle(aside)
        if shift_m < max(LEAST_M, LEAST_SHARE * float(np.linalg.norm(step[:3, 3]))) and (
            turn_rad < max(LEAST_RAD, LEAST_SHARE * rotation_angle(step))
        ):
            return None
        told = _seen_again(before, frame)
        if not told.size or told.mean() > 1.0 - LEAST_GAIN:
            return None
        T_new_old = frame.T_fixed_cam @ inverse(expected)
        jumped = replace(before, T_fixed_cam=T_new_old @ before.T_fixed_cam)
        offset = offset_between(frame, jumped)
        if offset is None or offset.told < LEAST_TOLD:
            return None
        again = _seen_again(replace(jumped, T_fixed_cam=offset.T @ jumped.T_fixed_cam), frame)
        gain, loss = float((again & ~told).mean()), float((told & ~again).mean())
        if again.mean() < LEAST_AGAIN or gain < LEAST_GAIN or loss > MOST_LOSS * gain:
            return None
        return offset.T @ T_new_old

    def _loop(self, before: Frame, T_fixed_cam: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return stamps on the loop that has closed, and the share of the jump of each.

        :param before: the last frame before it closed.
        :param T_fixed_cam: where the camera is after that.
        """
        asides = [inverse(kept.T_fixed_cam) @ T_fixed_cam for kept in self._path]
        shift_m = np.array([np.linalg.norm(aside[:3, 3]) for aside in asides])
        turn_rad = np.array([rotation_angle(aside) for aside in asides])
        away = np.flatnonzero((shift_m > AWAY_M) | (turn_rad > AWAY_RAD))
        shift_m[turn_rad > NEAR_RAD] = np.inf
        begin = int(np.argmin(shift_m[: away[-1]])) if len(away) and away[-1] else 0
        if not len(away) or shift_m[begin] > NEAR_M:
            return np.zeros(0), np.zeros(0)
        loop = self._path[begin:]
        path_m = np.array([kept.path_m - loop[0].path_m for kept in loop])
        stamps = np.array([*(kept.stamp_ns for kept in loop), before.stamp_ns], np.float64)
        return stamps, np.append(path_m / max(path_m[-1], 1e-9), 1.0)

    def _note(self, frame: Frame) -> None:
        """Add a frame's place to the path, unless it is next to the last; the ends are kept."""
        if not self._path:
            self._path.append(_Keypose(frame.stamp_ns, frame.T_fixed_cam, 0.0))
            return
        last = self._path[-1]
        aside = inverse(last.T_fixed_cam) @ frame.T_fixed_cam
        length_m = float(np.linalg.norm(aside[:3, 3]))
        if length_m > KEYPOSE_M or rotation_angle(aside) > KEYPOSE_RAD:
            path_m = last.path_m + length_m
            self._path.append(_Keypose(frame.stamp_ns, frame.T_fixed_cam, path_m))
        if len(self._path) > MOST_KEYPOSES:
            self._path = self._path[: MOST_KEYPOSES // 2 : 2] + self._path[MOST_KEYPOSES // 2 :]


def _seen_again(before: Frame, now: Frame) -> BoolArray:
    """Return (N,) bool of pixels of a frame: another one shows what they show in its place.

    :param before: where it is thought to be.
    :param now: of the same camera.
    """
    every = max(1, round(float(np.sqrt(before.depth_m.size / SAMPLES))))
    part = (slice(every // 2, None, every), slice(every // 2, None, every))
    measured = np.isfinite(before.depth_m[part])
    points = before.pointmap[part][measured].astype(np.float64)
    points_cam = apply(inverse(now.T_fixed_cam) @ before.T_fixed_cam, points)
    verdict = judge_frame(points_cam, now, SLACK_M)
    colors = now.rgb[verdict.rows, verdict.columns].astype(np.int16)
    difference = np.abs(colors - before.rgb[part][measured]).max(axis=1, initial=0)
    again: BoolArray = verdict.confirmed & (difference < ALIKE)
    return again
