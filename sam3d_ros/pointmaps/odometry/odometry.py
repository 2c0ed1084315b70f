# SPDX-License-Identifier: Apache-2.0
"""RGB-D odometry: views are aligned with keyframes, and a place that was left is known again.

A camera that comes back is aligned with the keyframe of then, which closes the loop: what of the
way has been wrong is taken out of the keyframes since, by share of the path (Sprickerhof et al.,
"An Explicit Loop Closing Technique for 6D SLAM", 2009). A view that cannot be aligned is lost, and
the camera is looked for among all keyframes from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import adjoint_rotation, interpolate, inverse, rotation_angle
from sam3d_ros.pointmaps.odometry.dense_alignment import Alignment, align, share_in_place
from sam3d_ros.pointmaps.odometry.levels import KeptLevel, Level, Surface, levels_of, surface_of

LEAST_OVERLAP, LEAST_AGREEING = 0.25, 0.7
"""Share of a keyframe that must lie in the view, and share of that which it must show."""
LEAST_LIKENESS, LEAST_LIKENESS_LOST = 0.5, 0.65
"""Correlation of the brightness of both; where the camera was lost, and may be anywhere."""
MOST_SIGMA_M, MOST_SIGMA_RAD = 0.02, 0.02
"""A motion that is told no better than this, in some direction, is not told."""
LEAST_PIXELS = 400
"""Of the finest level, with range and normal, that make a keyframe."""
NEW_OVERLAP, NEW_LIKENESS = 0.7, 0.7
"""A keyframe that has less in common with the view gives way to another one."""
NEAR_SHARE, NEAR_RAD = 0.2, np.radians(15.0)
"""A camera so near to a keyframe, of its typical range, and so little turned, sees the same."""
CANDIDATES = 3
"""Keyframes that are tried, those first that look most like the view or are nearest."""
MOST_KEYFRAMES = 300
ANEW_AFTER_S = 2.0
"""A camera that has been lost for so long begins anew."""
MOVES_M, MOVES_RAD = 0.02, np.radians(2.0)
"""Until it was this far from where it began, a camera is thought to stand on something."""
STILL_SHARE = 0.4
"""Share of what it showed at first that is enough to believe so."""
SHAKE_M = 1e-3
"""Shorter ways are no path."""
LOOP_M = 0.5
"""A place that was left for a way as long as this is known again: a loop has closed."""


class LostError(TransformError):
    """Odometry does not know where the camera is."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a camera is.

    :param frame: name of the frame that odometry began in.
    :param T_odom_cam: (4, 4) optical frame to that one.
    :param covariance: (6, 6) of what has added up since, about the camera, axes of that frame.
    :param path_m: length of the way since.
    """

    frame: str
    T_odom_cam: FloatArray
    covariance: FloatArray
    path_m: float = 0.0

    @property
    def drift_m(self) -> float:
        """One sigma of where the camera is, metres."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))


@dataclass(frozen=True, slots=True, eq=False)
class _Keyframe:
    levels: tuple[KeptLevel, ...]
    range_m: float
    place: Place

    def surfaces(self) -> tuple[Surface, ...]:
        return tuple(surface_of(kept.level()) for kept in self.levels)


class Odometry:
    """Follows one camera.

    :param frame: name of the frame it begins in; a number is added where it begins anew.
    :param T_odom_first: (4, 4) where the camera is at first; None = in the frame's origin.
    """

    def __init__(self, frame: str = 'odom', T_odom_first: FloatArray | None = None) -> None:
        self._frame = frame
        self._T_odom_first = np.eye(4) if T_odom_first is None else T_odom_first
        self.begun, self.loops, self.lost = 0, 0, 0
        """How often it has begun, and closed a loop; how many views were lost."""
        self.forget()

    def forget(self) -> None:
        """Begin anew with the next view, as when time did."""
        self._keyframes: list[_Keyframe] = []
        self._reference = 0
        self._surfaces: Sequence[Surface] = ()
        self._latest: Place | None = None
        self._known_ns = 0
        self._step = np.eye(4)
        self._moves = False

    def place(self, stamp_ns: int, rgb: ByteArray, depth_m: Float32Array, camera: Camera) -> Place:
        """Return where the camera is at a view; views come in stamp order.

        :param stamp_ns: of the view.
        :param rgb: (H, W, 3) uint8.
        :param depth_m: (H, W) float32 z-depth, metres, NaN = no return.
        :param camera: the rectified pinhole model of both.
        :raises LostError: when it cannot be told; why.
        """
        levels = levels_of(rgb, depth_m, camera)
        if self._latest is None or not self._keyframes:
            place = self._begin(levels)
        else:
            place = self._found(self._latest, levels, stamp_ns)
        self._latest, self._known_ns = place, stamp_ns
        return place

    def _begin(self, levels: tuple[Level, ...]) -> Place:
        """Make a first view the first keyframe of a new frame, unless it shows too little."""
        if len(surface_of(levels[0]).points) < LEAST_PIXELS:
            if self.begun:
                self.lost += 1
                raise LostError(
                    'odometry is lost, and the view shows too little to begin anew',
                    wanted='a view of surfaces that have range',
                    remedy='Uncover the camera; objects begin anew with it.',
                )
            return Place(self._frame, self._T_odom_first, np.zeros((6, 6)))
        self.begun += 1
        name = self._frame if self.begun == 1 else f'{self._frame}_{self.begun}'
        place = Place(name, self._T_odom_first, np.zeros((6, 6)))
        self._add(levels, place)
        return place

    def _found(self, latest: Place, levels: tuple[Level, ...], stamp_ns: int) -> Place:
        """Return the place of a view, by the reference, else by a keyframe that it looks like."""
        T_key_odom = inverse(self._keyframes[self._reference].place.T_odom_cam)
        reason = ''
        for step, coarsest in ((self._step, 2), (self._step, 3), (np.eye(4), 3)):
            T_key_cam = T_key_odom @ latest.T_odom_cam @ step
            aligned = align(self._surfaces, levels, T_key_cam, coarsest)
            if not (reason := _objection(aligned)) and aligned is not None:
                return self._followed(latest, levels, aligned)
        if not self._moves and share_in_place(self._surfaces[0], levels[0]) > STILL_SHARE:
            return latest
        self._step = np.eye(4)
        if (again := self._known_again(levels, latest)) is not None:
            return again
        self.lost += 1
        lost_s = (stamp_ns - self._known_ns) * 1e-9
        if lost_s > ANEW_AFTER_S:
            self.forget()
        raise LostError(
            f'odometry has been lost for {lost_s:.1f} s: {reason}',
            wanted='views that have much in common, of surfaces that face several ways',
            remedy='Show the camera slowly what it saw before; after '
            f'{ANEW_AFTER_S:g} s it begins anew, and objects with it.',
        )

    def _known_again(self, levels: tuple[Level, ...], latest: Place) -> Place | None:
        """Return the place of a lost view by the keyframe that fits it best, if one does well."""
        best, best_at = None, 0
        for at in self._alike(levels):
            key = self._keyframes[at]
            surfaces = key.surfaces()
            for guess in (np.eye(4), inverse(key.place.T_odom_cam) @ latest.T_odom_cam):
                aligned = align(surfaces, levels, guess, 3)
                likeness = LEAST_LIKENESS_LOST if best is None else best.likeness
                if not _objection(aligned) and aligned is not None and aligned.likeness > likeness:
                    best, best_at = aligned, at
        if best is None:
            return None
        self._reference, self._surfaces = best_at, self._keyframes[best_at].surfaces()
        return self._moved(latest, best_at, best)

    def _followed(self, latest: Place, levels: tuple[Level, ...], aligned: Alignment) -> Place:
        """Take over an alignment with the reference; find another reference, if need be."""
        place = self._moved(latest, self._reference, aligned)
        self._step = inverse(latest.T_odom_cam) @ place.T_odom_cam
        if _is_close(aligned):
            return place
        for at in self._near(place.T_odom_cam):
            key = self._keyframes[at]
            surfaces = key.surfaces()
            again = align(surfaces, levels, inverse(key.place.T_odom_cam) @ place.T_odom_cam, 2)
            if again is not None and _is_close(again) and not _objection(again):
                closed = self._moved(latest, at, again)
                self._close(at, place, closed)
                self._reference, self._surfaces = at, surfaces
                return closed
        self._add(levels, place)
        return place

    def _moved(self, latest: Place, at: int, aligned: Alignment) -> Place:
        """Return the place of a view by its alignment with a keyframe."""
        key = self._keyframes[at].place
        T_odom_cam = key.T_odom_cam @ aligned.T_key_cam
        first = inverse(self._keyframes[0].place.T_odom_cam) @ T_odom_cam
        self._moves |= bool(np.linalg.norm(first[:3, 3]) > MOVES_M)
        self._moves |= rotation_angle(first) > MOVES_RAD
        x, y, z = T_odom_cam[:3, 3] - key.T_odom_cam[:3, 3]
        about_camera = np.eye(6)
        about_camera[:3, 3:] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]
        own = adjoint_rotation(aligned.covariance, key.T_odom_cam[:3, :3])
        covariance = about_camera @ (key.covariance + own) @ about_camera.T
        way_m = float(np.linalg.norm(T_odom_cam[:3, 3] - latest.T_odom_cam[:3, 3]))
        path_m = latest.path_m + way_m * (way_m > SHAKE_M)
        return Place(latest.frame, T_odom_cam, covariance, path_m)

    def _close(self, at: int, before: Place, closed: Place) -> None:
        """Take what was wrong out of the keyframes since one that is seen again."""
        T_new_old = closed.T_odom_cam @ inverse(before.T_odom_cam)
        begin_m = self._keyframes[at].place.path_m
        loop_m = max(closed.path_m - begin_m, 1e-9)
        self.loops += loop_m > LOOP_M
        for number, key in enumerate(self._keyframes):
            if number != at and key.place.path_m > begin_m:
                share = (key.place.path_m - begin_m) / loop_m
                T = interpolate(np.eye(4), T_new_old, share) @ key.place.T_odom_cam
                self._keyframes[number] = replace(key, place=replace(key.place, T_odom_cam=T))

    def _add(self, levels: tuple[Level, ...], place: Place) -> None:
        """Make a view a keyframe, and the reference."""
        if len(self._keyframes) >= MOST_KEYFRAMES:
            half = MOST_KEYFRAMES // 2
            self._keyframes = self._keyframes[:half:2] + self._keyframes[half:]
        range_m = 1.0 / float(np.nanmedian(levels[0].image[..., 0]))
        kept = tuple(map(KeptLevel.of, levels))
        self._keyframes.append(_Keyframe(kept, range_m, place))
        self._reference = len(self._keyframes) - 1
        self._surfaces = self._keyframes[-1].surfaces()

    def _near(self, T_odom_cam: FloatArray) -> list[int]:
        """Return the keyframes nearest to a camera, but for the reference."""
        away = []
        for key in self._keyframes:
            aside = inverse(key.place.T_odom_cam) @ T_odom_cam
            shift = float(np.linalg.norm(aside[:3, 3])) / (NEAR_SHARE * key.range_m)
            away.append(shift + rotation_angle(aside) / NEAR_RAD)
        away[self._reference] = np.inf
        return [at for at in np.argsort(away)[:CANDIDATES].tolist() if away[at] < 1.0]

    def _alike(self, levels: tuple[Level, ...]) -> list[int]:
        """Return the keyframes that look most like a view."""
        look = _look(levels[-1])
        others = [_look(key.levels[-1].level()) for key in self._keyframes]
        # Images of another size look like none.
        alike = [other @ look if len(other) == len(look) else -1.0 for other in others]
        return np.argsort(-np.array(alike), kind='stable')[:CANDIDATES].tolist()


def _look(coarsest: Level) -> Float32Array:
    """Return a view's blurred brightness, of mean 0 and length 1."""
    blurred = cv2.GaussianBlur(coarsest.image[..., 1], (0, 0), 1.5).ravel()
    blurred = blurred - blurred.mean()
    return np.asarray(blurred / max(float(np.linalg.norm(blurred)), 1e-6), np.float32)


def _is_close(aligned: Alignment) -> bool:
    """Return whether a view has so much in common with a keyframe that no other one is needed."""
    return aligned.overlap > NEW_OVERLAP and aligned.likeness > NEW_LIKENESS


def _objection(aligned: Alignment | None) -> str:
    """Return why an alignment does not tell where the camera is; empty = it does."""
    if aligned is None or aligned.overlap < LEAST_OVERLAP:
        share = 0.0 if aligned is None else aligned.overlap
        return f'only {share:.0%} of what was seen before lies in the image'
    if aligned.agreeing < LEAST_AGREEING:
        return f'only {aligned.agreeing:.0%} of what should be seen again is'
    if aligned.likeness < LEAST_LIKENESS:
        return f'what is in view looks different (correlation {aligned.likeness:.2f})'
    sigmas = np.array([MOST_SIGMA_M, MOST_SIGMA_RAD]).repeat(3)
    worst = np.linalg.eigvalsh(aligned.covariance / np.outer(sigmas, sigmas))
    if (untold := int((worst > 1.0).sum())) > 0:
        return f'the surfaces in view tell only {6 - untold} of 6 directions of a motion'
    return ''
