# SPDX-License-Identifier: Apache-2.0
"""Views that odometry keeps, and which of them a view fits that may be anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from sam3d_ros.core.pretrained.local_features import LocalFeatures
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.pointmaps.odometry.dense_alignment import Alignment, align
from sam3d_ros.pointmaps.odometry.landmarks import Landmarks, matched, place_by
from sam3d_ros.pointmaps.odometry.levels import KeptLevel, Level, Surface, surface_of

LEAST_OVERLAP, LEAST_AGREEING = 0.25, 0.7
"""Share of a keyframe that must lie in the view, and share of that which it must show."""
LEAST_LIKENESS, LEAST_LIKENESS_LOST = 0.5, 0.78
"""Correlation of the brightness of both; where the camera was lost, and may be anywhere."""
MOST_SIGMA_M, MOST_SIGMA_RAD = 0.02, 0.02
"""A motion that is told no better than this, in some direction, is not told."""
CANDIDATES = 3
"""Keyframes that are tried, those first that look most like the view, have most landmarks in
common with it, or are nearest."""


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


@dataclass(frozen=True, eq=False)
class View:
    """A frame as odometry compares it.

    :param levels: its sizes, the finest first.
    :param features: reads its landmarks; None = nobody does.
    """

    levels: tuple[Level, ...]
    features: LocalFeatures | None

    @cached_property
    def landmarks(self) -> Landmarks | None:
        """What it may be known by from elsewhere."""
        return None if self.features is None else Landmarks.of(self.levels[0], self.features)


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A view that is kept.

    :param range_m: typical range of what it shows.
    :param place: where the camera was.
    """

    levels: tuple[KeptLevel, ...]
    landmarks: Landmarks | None
    range_m: float
    place: Place

    @classmethod
    def of(cls, view: View, place: Place) -> Keyframe:
        """Return a view as it is kept."""
        range_m = 1.0 / float(np.nanmedian(view.levels[0].image[..., 0]))
        return cls(tuple(map(KeptLevel.of, view.levels)), view.landmarks, range_m, place)

    def surfaces(self) -> tuple[Surface, ...]:
        """Return what other views are aligned with, the finest level first."""
        return tuple(surface_of(kept.level()) for kept in self.levels)


def objection(aligned: Alignment | None) -> str:
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


def found_among(
    keyframes: Sequence[Keyframe], view: View, latest: Place | None = None
) -> tuple[int, Alignment] | None:
    """Return the keyframe that a view fits best, and how it lies to that; None = it fits none.

    :param keyframes: views of before, one or more.
    :param view: of a camera that may be anywhere.
    :param latest: where it was last; None = nobody knows.
    """
    guesses: dict[int, list[FloatArray]] = {}
    for at in _alike(keyframes, view):
        guesses[at] = [np.eye(4)]
        if latest is not None:
            guesses[at].append(inverse(keyframes[at].place.T_odom_cam) @ latest.T_odom_cam)
    for at, T in by_landmarks(keyframes, view):
        guesses.setdefault(at, []).append(T)
    best: tuple[int, Alignment] | None = None
    for at, places in guesses.items():
        surfaces = keyframes[at].surfaces()
        for T in places:
            aligned = align(surfaces, view.levels, T, 3)
            least = LEAST_LIKENESS_LOST if best is None else best[1].likeness
            if not objection(aligned) and aligned is not None and aligned.likeness > least:
                best = at, aligned
    return best


def by_landmarks(keyframes: Sequence[Keyframe], view: View) -> list[tuple[int, FloatArray]]:
    """Return the keyframes with most landmarks in common with a view, and its pose in each."""
    if view.landmarks is None:
        return []
    common = [
        matched(key.landmarks, view.landmarks) if key.landmarks is not None else None
        for key in keyframes
    ]
    counts = np.array([0 if pairs is None else len(pairs[0]) for pairs in common])
    found = []
    for at in np.argsort(-counts, kind='stable')[:CANDIDATES].tolist():
        landmarks, pairs = keyframes[at].landmarks, common[at]
        if landmarks is None or pairs is None:
            continue
        if (T := place_by(landmarks, view.landmarks, pairs)) is not None:
            found.append((at, T))
    return found


def _alike(keyframes: Sequence[Keyframe], view: View) -> list[int]:
    """Return the keyframes that look most like a view."""
    look = _look(view.levels[-1])
    others = [_look(key.levels[-1].level()) for key in keyframes]
    # Images of another size look like none.
    alike = [other @ look if len(other) == len(look) else -1.0 for other in others]
    return np.argsort(-np.array(alike), kind='stable')[:CANDIDATES].tolist()


def _look(coarsest: Level) -> Float32Array:
    """Return a view's blurred brightness, of mean 0 and length 1."""
    blurred = cv2.GaussianBlur(coarsest.image[..., 1], (0, 0), 1.5).ravel()
    blurred = blurred - blurred.mean()
    return np.asarray(blurred / max(float(np.linalg.norm(blurred)), 1e-6), np.float32)
