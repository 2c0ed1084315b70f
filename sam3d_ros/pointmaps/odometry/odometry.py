# SPDX-License-Identifier: Apache-2.0
"""RGB-D odometry: views are aligned with keyframes, and a place that was left is known again.

A camera that comes back is aligned with the keyframe of then, which closes the loop: what of the
way has been wrong is taken out of the keyframes since, by share of the path (Sprickerhof et al.,
"An Explicit Loop Closing Technique for 6D SLAM", 2009). A view that cannot be aligned is lost, and
the camera is looked for among all keyframes from then on, by looks and by landmarks. Where it has
begun anew, it is looked for among those of before as well, and goes on there when it is found.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.core.errors import BackendError, TransformError
from sam3d_ros.core.pretrained.local_features import LocalFeatures
from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray
from sam3d_ros.geometry.transforms import adjoint_rotation, interpolate, inverse, rotation_angle
from sam3d_ros.pointmaps.odometry.dense_alignment import Alignment, align, share_in_place
from sam3d_ros.pointmaps.odometry.keyframes import (
    CANDIDATES,
    LEAST_LIKENESS_LOST,
    Keyframe,
    Place,
    View,
    by_landmarks,
    found_among,
    objection,
)
from sam3d_ros.pointmaps.odometry.levels import Surface, levels_of, surface_of

LOG = logging.getLogger(__name__)
LEAST_PIXELS = 400
"""Of the finest level, with range and normal, that make a keyframe."""
NEW_OVERLAP, NEW_LIKENESS = 0.7, 0.85
"""A keyframe that has less in common with the view gives way to another one: on a carpet, views
that are alike by less are aligned in several ways."""
NEAR_SHARE, NEAR_RAD = 0.2, np.radians(15.0)
"""A camera so near to a keyframe, of its typical range, and so little turned, sees the same."""
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
MOST_DRIFT, DRIFT_M = 0.03, 0.02
"""By landmarks alone it is, where it was off by no more than this share of the way, and this; else
it is another place that looks the same."""
MOST_LEFT = 4
"""So many maps of before are looked for where the camera has begun anew."""
LOOK_NS = 1_000_000_000
"""They are so often, and with each keyframe."""


class LostError(TransformError):
    """Odometry does not know where the camera is."""


class Odometry:
    """Follows one camera.

    :param frame: name of the frame it begins in; a number is added where it begins anew.
    :param T_odom_first: (4, 4) where the camera is at first; None = in the frame's origin.
    """

    def __init__(self, frame: str = 'odom', T_odom_first: FloatArray | None = None) -> None:
        self._frame = frame
        self._T_odom_first = np.eye(4) if T_odom_first is None else T_odom_first
        self.begun, self.loops, self.lost, self.rejoined = 0, 0, 0, 0
        """How often it has begun, closed a loop, and gone on in a map of before; how many views
        were lost."""
        self._left: list[list[Keyframe]] = []
        self._next_look_ns = 0
        self._features: LocalFeatures | None = None
        try:
            self._features = LocalFeatures('cpu')
        except (BackendError, ModuleNotFoundError) as error:
            LOG.warning('places are known again from where they were seen alone: %s', error)
        self._leave()

    def _leave(self) -> None:
        """Begin anew with the next view."""
        self._keyframes: list[Keyframe] = []
        self._reference = 0
        self._surfaces: Sequence[Surface] = ()
        self._latest: Place | None = None
        self._seen: View | None = None
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
        view = View(levels_of(rgb, depth_m, camera), self._features)
        if self._latest is None or not self._keyframes:
            place = self._begin(view)
        else:
            place = self._found(self._latest, view, stamp_ns)
        if self._left and stamp_ns >= self._next_look_ns and self._keyframes:
            self._next_look_ns = stamp_ns + LOOK_NS
            place = self._back(place, view) or place
        self._latest, self._known_ns, self._seen = place, stamp_ns, view
        return place

    def _begin(self, view: View) -> Place:
        """Make a first view the first keyframe of a new frame, unless it shows too little."""
        if len(surface_of(view.levels[0]).points) < LEAST_PIXELS:
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
        self._add(view, place)
        return place

    def _found(self, latest: Place, view: View, stamp_ns: int) -> Place:
        """Return the place of a view, by the reference, else by a keyframe that it looks like."""
        T_key_odom = inverse(self._keyframes[self._reference].place.T_odom_cam)
        reason = ''
        for step, coarsest in ((self._step, 2), (self._step, 3), (np.eye(4), 3)):
            T_key_cam = T_key_odom @ latest.T_odom_cam @ step
            aligned = align(self._surfaces, view.levels, T_key_cam, coarsest)
            if not (reason := objection(aligned)) and aligned is not None:
                return self._followed(latest, view, aligned)
        if not self._moves and share_in_place(self._surfaces[0], view.levels[0]) > STILL_SHARE:
            return latest
        self._step = np.eye(4)
        if self._seen is not None:
            # What was seen last is what a camera that comes back sees first.
            self._keep(self._seen, latest)
            self._seen = None
        if (again := found_among(self._keyframes, view, latest)) is not None:
            self._refer_to(again[0])
            return self._moved(latest, *again)
        self.lost += 1
        lost_s = (stamp_ns - self._known_ns) * 1e-9
        if lost_s > ANEW_AFTER_S:
            self._left = [*self._left, self._keyframes][-MOST_LEFT:]
            self._leave()
        raise LostError(
            f'odometry has been lost for {lost_s:.1f} s: {reason}',
            wanted='views that have much in common, of surfaces that face several ways',
            remedy='Show the camera slowly what it saw before; after '
            f'{ANEW_AFTER_S:g} s it begins anew, and objects with it.',
        )

    def _back(self, place: Place, view: View) -> Place | None:
        """Return the place of a view in a map of before, with which that of now becomes one; None
        where it is in none.
        """
        for number, left in enumerate(self._left):
            if (found := found_among(left, view)) is None:
                continue
            at, aligned = found
            home = left[at].place
            T_home_now = home.T_odom_cam @ aligned.T_key_cam @ inverse(place.T_odom_cam)
            way_m = max(key.place.path_m for key in left)
            places = [
                Place(
                    home.frame,
                    T_home_now @ there.T_odom_cam,
                    home.covariance + adjoint_rotation(there.covariance, T_home_now[:3, :3]),
                    way_m + there.path_m,
                )
                for there in (*(key.place for key in self._keyframes), place)
            ]
            here = [
                replace(key, place=there)
                for key, there in zip(self._keyframes, places[:-1], strict=True)
            ]
            kept = left[-max(MOST_KEYFRAMES - len(here), 1) :]
            self._keyframes = [*kept, *here]
            self._reference += len(kept)
            del self._left[number]
            self.rejoined += 1
            return places[-1]
        return None

    def _followed(self, latest: Place, view: View, aligned: Alignment) -> Place:
        """Take over an alignment with the reference; find another reference, if need be."""
        place = self._moved(latest, self._reference, aligned)
        self._step = inverse(latest.T_odom_cam) @ place.T_odom_cam
        if _is_close(aligned):
            return place
        for at in self._near(place.T_odom_cam):
            T_key_cam = inverse(self._keyframes[at].place.T_odom_cam) @ place.T_odom_cam
            if (closed := self._closed(latest, at, view, T_key_cam)) is not None:
                return self._close(at, place, closed)
        for at, T_key_cam in by_landmarks(self._keyframes, view):
            way_m = place.path_m - self._keyframes[at].place.path_m
            if way_m < LOOP_M:
                continue
            closed = self._closed(latest, at, view, T_key_cam, LEAST_LIKENESS_LOST)
            if closed is None:
                continue
            off_m = np.linalg.norm(closed.T_odom_cam[:3, 3] - place.T_odom_cam[:3, 3])
            if off_m < DRIFT_M + MOST_DRIFT * way_m:
                return self._close(at, place, closed)
        self._add(view, place)
        return place

    def _closed(
        self, latest: Place, at: int, view: View, T_key_cam: FloatArray, least: float = 0.0
    ) -> Place | None:
        """Return the place of a view by a keyframe that it has much in common with, else None."""
        aligned = align(self._keyframes[at].surfaces(), view.levels, T_key_cam, 2)
        if aligned is None or not _is_close(aligned) or objection(aligned):
            return None
        return self._moved(latest, at, aligned) if aligned.likeness > least else None

    def _refer_to(self, at: int) -> None:
        """Align views with a keyframe from now on."""
        self._reference, self._surfaces = at, self._keyframes[at].surfaces()

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

    def _close(self, at: int, before: Place, closed: Place) -> Place:
        """Go on from a keyframe that is seen again; what was wrong since is taken out."""
        T_new_old = closed.T_odom_cam @ inverse(before.T_odom_cam)
        begin_m = self._keyframes[at].place.path_m
        loop_m = max(closed.path_m - begin_m, 1e-9)
        self.loops += loop_m > LOOP_M
        for number, key in enumerate(self._keyframes):
            if number != at and key.place.path_m > begin_m:
                share = (key.place.path_m - begin_m) / loop_m
                T = interpolate(np.eye(4), T_new_old, share) @ key.place.T_odom_cam
                self._keyframes[number] = replace(key, place=replace(key.place, T_odom_cam=T))
        self._refer_to(at)
        return closed

    def _add(self, view: View, place: Place) -> None:
        """Make a view a keyframe, and the reference."""
        self._keep(view, place)
        self._next_look_ns = 0
        self._refer_to(len(self._keyframes) - 1)

    def _keep(self, view: View, place: Place) -> None:
        """Make a view a keyframe; of too many, the earlier ones are thinned, but the reference."""
        if len(self._keyframes) >= MOST_KEYFRAMES:
            half, reference = MOST_KEYFRAMES // 2, self._keyframes[self._reference]
            self._keyframes = [
                key
                for at, key in enumerate(self._keyframes)
                if at >= half or at % 2 == 0 or key is reference
            ]
            self._reference = self._keyframes.index(reference)
        self._keyframes.append(Keyframe.of(view, place))

    def _near(self, T_odom_cam: FloatArray) -> list[int]:
        """Return the keyframes nearest to a camera, but for the reference."""
        away = []
        for key in self._keyframes:
            aside = inverse(key.place.T_odom_cam) @ T_odom_cam
            shift = float(np.linalg.norm(aside[:3, 3])) / (NEAR_SHARE * key.range_m)
            away.append(shift + rotation_angle(aside) / NEAR_RAD)
        away[self._reference] = np.inf
        return [at for at in np.argsort(away)[:CANDIDATES].tolist() if away[at] < 1.0]


def _is_close(aligned: Alignment) -> bool:
    """Return whether a view has so much in common with a keyframe that no other one is needed."""
    return aligned.overlap > NEW_OVERLAP and aligned.likeness > NEW_LIKENESS
