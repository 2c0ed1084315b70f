# SPDX-License-Identifier: Apache-2.0
"""What a tracker remembers of one object: surface points in the fixed frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import BoolArray, ByteArray, FloatArray, Frame, IndexArray, Instances
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.masks3d.confidence import normals_at
from sam3d_ros.tracking.portraits import Portrait

SPACING_M = 0.006
"""Distance to which remembered points are thinned: finer than any tolerance in use."""

ENOUGH_POINTS = 1000

MISS = 2
"""What a frame that should have shown a track and did not takes from its score: a thing is seen in
nearly all of them, what is torn off one in every other."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Surface points with their colours, in the fixed frame: of one mask, or of several views.

    :param points_fixed: (N, 3) float64, metres, thinned, at least one.
    :param colors: (N, 3) uint8 RGB.
    :param normals_fixed: (N, 3) float64 unit normals towards the camera; zero = unknown.
    :param confidence: (N,) float64, votes for each point being the object's less those against it;
        see :mod:`sam3d_ros.masks3d.confidence`.
    """

    points_fixed: FloatArray
    colors: ByteArray
    normals_fixed: FloatArray
    confidence: FloatArray

    @classmethod
    def thinned(
        cls,
        points_fixed: FloatArray,
        colors: ByteArray,
        normals_fixed: FloatArray | None = None,
        confidence: FloatArray | None = None,
    ) -> Sighting:
        """Return a sighting of one point for each occupied cell of a grid, in a fixed order.

        The first point of a cell stays, with the largest confidence in it.

        :param points_fixed: (N, 3) float64, metres, at least one.
        :param colors: (N, 3) uint8 RGB.
        :param normals_fixed: (N, 3) float64; None = unknown.
        :param confidence: (N,) float64; None = one view's.
        """
        if normals_fixed is None:
            normals_fixed = np.zeros_like(points_fixed)
        if confidence is None:
            confidence = np.ones(len(points_fixed))
        cells = np.floor(points_fixed / SPACING_M).astype(np.int64)
        cells -= cells.min(axis=0)
        span = cells.max(axis=0) + 1
        keys = (cells[:, 0] * span[1] + cells[:, 1]) * span[2] + cells[:, 2]
        _, first, cell = np.unique(keys, return_index=True, return_inverse=True)
        most = confidence[first]
        np.maximum.at(most, cell, confidence)
        return cls(points_fixed[first], colors[first], normals_fixed[first], most)

    def and_of(self, other: Sighting, chosen: BoolArray) -> Sighting:
        """Return this and some points of another sighting, thinned.

        :param chosen: (M,) bool, which of the other's points.
        """
        some = other.part(chosen)
        return self.thinned(
            np.concatenate([self.points_fixed, some.points_fixed]),
            np.concatenate([self.colors, some.colors]),
            np.concatenate([self.normals_fixed, some.normals_fixed]),
            np.concatenate([self.confidence, some.confidence]),
        )

    def part(self, chosen: BoolArray) -> Sighting:
        """Return some of the points, (N,) bool."""
        return Sighting(
            self.points_fixed[chosen],
            self.colors[chosen],
            self.normals_fixed[chosen],
            self.confidence[chosen],
        )

    def moved(self, T_new_old: FloatArray) -> Sighting:
        """Return this after a rigid motion, (4, 4) in the fixed frame."""
        return replace(
            self,
            points_fixed=apply(T_new_old, self.points_fixed),
            normals_fixed=self.normals_fixed @ T_new_old[:3, :3].T,
        )

    @property
    def color(self) -> FloatArray:
        """(3,) mean RGB."""
        mean: FloatArray = self.colors.mean(axis=0)
        return mean

    @property
    def center(self) -> FloatArray:
        """(3,) median of the points, fixed frame."""
        median: FloatArray = np.median(self.points_fixed, axis=0)
        return median

    @property
    def extent_m(self) -> float:
        """Diagonal of the points' bounding box, metres."""
        return float(np.linalg.norm(np.ptp(self.points_fixed, axis=0)))

    @property
    def length_m(self) -> float:
        """Standard deviation of the points along their longest axis, metres."""
        offsets = self.points_fixed - self.points_fixed.mean(axis=0)
        return float(np.linalg.norm(offsets, 2) / np.sqrt(len(offsets)))


@dataclass(slots=True, eq=False)
class Memory:
    """Mutable state of one track; the tracker owns it, nobody else sees it.

    :param doubts: frames that spoke against it, less those that spoke for it.
    :param is_seen_through: the last frame that could show it saw free space in its place.
    :param is_confirmed: it has been seen often enough to be believed.
    :param whole: frames that showed it as one mask, less what those count that tore it.
    :param camera: name of the camera that saw it last, empty = none of them.
    :param apart: somebody said that it is an object by itself.
    :param looks: of a young track: stamps of the frames that could have shown it, and whether they
        did.
    :param portraits: pictures by which it is known again.
    :param score: frames that showed it, less :data:`MISS` for each that could have and did not;
        infinite where somebody vouches for it.
    """

    id: int
    sighting: Sighting
    first_seen_ns: int
    last_seen_ns: int
    hits: int = 1
    missed: int = 0
    missed_in_a_row: int = 0
    doubts: int = 0
    is_seen_through: bool = False
    is_confirmed: bool = False
    whole: float = 0.0
    camera: str = ''
    apart: bool = False
    looks: list[tuple[int, bool]] = field(default_factory=list)
    portraits: list[Portrait] = field(default_factory=list)
    score: float = 0.0
    tree: cKDTree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = cKDTree(self.sighting.points_fixed)

    def remember(self, sighting: Sighting) -> None:
        """Replace what is known of the surface."""
        self.sighting = sighting
        self.tree = cKDTree(sighting.points_fixed)


def sightings(frame: Frame, instances: Instances) -> tuple[dict[int, Sighting], IndexArray]:
    """Return the sighting of each instance with depth, and the (H, W) index image (-1 = none)."""
    index_image = np.full(frame.depth_m.shape, -1, np.int32)
    found: dict[int, Sighting] = {}
    for index, instance in enumerate(instances.items):
        left, top, right, bottom = instance.box_px
        window = (slice(top, bottom), slice(left, right))
        mask = instance.mask[window]
        index_image[window][mask] = index
        pixels = np.flatnonzero(mask & np.isfinite(frame.depth_m[window]))
        if len(pixels) == 0:
            continue
        # A thousand points say where an object is as well as all of them.
        pixels = pixels[:: max(1, len(pixels) // ENOUGH_POINTS)]
        rows, columns = np.divmod(pixels, mask.shape[1])
        points = frame.pointmap[window][rows, columns].astype(np.float64)
        colors = frame.rgb[window][rows, columns]
        normals = normals_at(frame.pointmap, rows + top, columns + left)
        normals_fixed = normals @ frame.T_fixed_cam[:3, :3].T
        found[index] = Sighting.thinned(apply(frame.T_fixed_cam, points), colors, normals_fixed)
    return found, index_image
