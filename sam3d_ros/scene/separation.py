# SPDX-License-Identifier: Apache-2.0
"""The plane between two surfaces that overlap.

Of the planes whose one side holds what was seen of one thing and whose other side holds what was
seen of the other, the one that the whole surfaces cross least: a search over directions for the
axis of least overlap (the separating axis theorem; Gottschalk, Lin and Manocha, "OBBTree",
SIGGRAPH 1996, section 5), coarse first, then closer and closer around the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import sphere_directions

SEEN_SHARE = 0.95
"""So much of what was seen a plane has to leave: the rest are edges and leaks of masks."""
SEEN_SLACK_M = 0.002
"""What was seen may overlap by as much, which is noise."""
SEEN_COST = 10.0
SAMPLES = 200
DIRECTIONS = sphere_directions(128).astype(np.float32)
TURNS = DIRECTIONS[::6]
WIDTHS_RAD = (0.12, 0.04, 0.013)


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """How two surfaces are parted.

    :param normal: (3,) unit, from the first to the second.
    :param offset_m: of the plane along it.
    :param overlap_m: how far both reach over each other along it; negative = the gap.
    :param seen_m: the same of what was seen of them.
    """

    normal: FloatArray
    offset_m: float
    overlap_m: float
    seen_m: float


def separation(a: FloatArray, b: FloatArray, seen_a: FloatArray, seen_b: FloatArray) -> Separation:
    """Return how two things are parted best.

    :param a: (N, 3) vertices of the first one, metres.
    :param b: (M, 3) vertices of the second one, same frame.
    :param seen_a: (K, 3) those that were observed of the first one.
    :param seen_b: (L, 3) those that were observed of the second one.
    """
    middle = 0.5 * (a.mean(axis=0) + b.mean(axis=0))
    some_a, some_b, some_seen_a, some_seen_b = (
        (points[:: max(1, len(points) // SAMPLES)] - middle).astype(np.float32)
        for points in (a, b, seen_a, seen_b)
    )
    normals = DIRECTIONS
    for width in (*WIDTHS_RAD, 0.0):
        overlap = (normals @ some_a.T).max(axis=1) - (normals @ some_b.T).min(axis=1)
        ends_a, ends_b = _ends(normals, some_seen_a), -_ends(-normals, some_seen_b)
        cost = overlap + SEEN_COST * np.maximum(ends_a - ends_b - SEEN_SLACK_M, 0.0)
        best = int(np.argmin(cost))
        if width:
            turned = normals[best] + width * TURNS
            turned /= np.linalg.norm(turned, axis=1)[:, None]
            normals = np.concatenate([normals[best : best + 1], turned])
    normal = normals[best].astype(np.float64)
    normal /= np.linalg.norm(normal)
    whole_a, whole_b = float(((a - middle) @ normal).max()), float(((b - middle) @ normal).min())
    end_a, end_b = float(ends_a[best]), float(ends_b[best])
    offset = 0.5 * (end_a + end_b)
    if end_a < end_b:
        # Between what was seen of both, as near as can be to the middle of what overlaps.
        offset = min(max(0.5 * (whole_a + whole_b), end_a), end_b)
    return Separation(normal, offset + float(normal @ middle), whole_a - whole_b, end_a - end_b)


def _ends(normals: Float32Array, seen: Float32Array) -> Float32Array:
    """(N,) how far (K, 3) seen points reach along each normal, less the few that may be wrong."""
    place = int(SEEN_SHARE * (len(seen) - 1))
    ends: Float32Array = np.partition(normals @ seen.T, place, axis=1)[:, place]
    return ends
