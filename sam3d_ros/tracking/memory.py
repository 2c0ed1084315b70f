# SPDX-License-Identifier: Apache-2.0
"""What a tracker remembers of one object: surface points in the fixed frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import FloatArray, Frame, IndexArray, Instances
from sam3d_ros.geometry.transforms import apply

SPACING_M = 0.006
"""Distance to which remembered points are thinned: finer than any tolerance in use."""

ENOUGH_POINTS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The surface points of one mask, in the fixed frame.

    :param points_fixed: (N, 3) float64, metres, thinned.
    :param color: (3,) float64 mean RGB.
    """

    points_fixed: FloatArray
    color: FloatArray

    @property
    def center(self) -> FloatArray:
        """(3,) median of the points, fixed frame."""
        median: FloatArray = np.median(self.points_fixed, axis=0)
        return median

    @property
    def extent_m(self) -> float:
        """Diagonal of the points' bounding box, metres."""
        return float(np.linalg.norm(np.ptp(self.points_fixed, axis=0)))


@dataclass(slots=True, eq=False)
class Memory:
    """Mutable state of one track; the tracker owns it, nobody else sees it.

    :param camera: name of the camera that saw it last, empty = none of them.
    """

    id: int
    sighting: Sighting
    first_seen_ns: int
    last_seen_ns: int
    hits: int = 1
    missed: int = 0
    missed_in_a_row: int = 0
    doubts: int = 0
    camera: str = ''
    tree: cKDTree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = cKDTree(self.sighting.points_fixed)

    def remember(self, sighting: Sighting) -> None:
        """Replace what is known of the surface."""
        self.sighting = sighting
        self.tree = cKDTree(sighting.points_fixed)


def thin(points: FloatArray, spacing_m: float = SPACING_M) -> FloatArray:
    """Return one of the (N, 3) points for each occupied cell of a grid, in a fixed order."""
    if len(points) == 0:
        return points
    cells = np.floor(points / spacing_m).astype(np.int64)
    cells -= cells.min(axis=0)
    span = cells.max(axis=0) + 1
    keys = (cells[:, 0] * span[1] + cells[:, 1]) * span[2] + cells[:, 2]
    _, first = np.unique(keys, return_index=True)
    return points[first]


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
        color = frame.rgb[window][rows, columns].mean(axis=0)
        found[index] = Sighting(thin(apply(frame.T_fixed_cam, points)), color)
    return found, index_image
