# SPDX-License-Identifier: Apache-2.0
"""Evidence: what the rays of one or more views prove about the volume around one object.

Every completion backend reads it, training makes it from rendered views with this same function,
and every result is scored against it. It is pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.grid import Grid, T_cam_grid, fit_grid, support_plane
from sam3d_ros.reconstruction.evidence.points import ObservedPoints, observed_points
from sam3d_ros.reconstruction.evidence.rays import ViewRays, cast
from sam3d_ros.reconstruction.views import View


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The volume of one object as the sensor proves it; all volumes are (N, N, N), [x, y, z].

    A voxel's fate over all views; ``free`` wins over everything, then in the order given:

    :param free: uint8 0/1. Some ray passed through the voxel's centre and ended at least
        ``free_sigmas`` sigma + half a voxel behind it, whatever it hit: empty for certain.
    :param clear: uint8 0/1. Free, and the rays of all pixels around that one say so too: empty
        even if depth edges are off by a pixel, as the sensor's lateral noise makes them.
    :param outside: uint8 0/1. Some ray outside the object's mask passed through it, or ended in
        it (the table, another object): not this object. Covers the ``free`` voxels that the
        silhouette carves; 1 on the skin of neighbours and of the table, where ``free`` is 0.
    :param occluded: uint8 0/1, exclusive of the two above. Behind the object's own surface as
        seen from some view: the hidden side, where a completion has to decide.
    :param blocked: uint8 0/1, exclusive. Behind something nearer that is not this object (a
        foreign occluder, the table's edge) in every view that looks there: may be object too.
    :param unseen: uint8 0/1, exclusive. Outside every image, or only on rays without a return.
    :param below: uint8 0/1, independent of the others: centre under the support plane.
    :param surface: float32 0..1, likelihood that the observed surface passes through the
        voxel's centre: exp(-s^2 / 2(sigma^2 + (voxel/2)^2)), best view; s as below.
    :param proven: float32 0..1, the same of what was measured alone: of inferred range it is 0.
    :param distance_m: float32, truncated signed projective distance s (measured depth minus
        voxel depth along the optical axis, > 0 in front of the surface), mean over own rays;
        -/+ truncation_m behind own surfaces / where other rays see through, 0 where nobody looks.
    :param silhouette: float32 0..1, share of the views that look there, whose ray through the
        voxel lies in the object's mask (returns or not); 1 everywhere in the visual hull.
    :param truncation_m: the truncation of ``distance_m``.
    :param grid: the volume's size, place and axes.
    :param T_cam_grid: (4, 4) float64, grid frame to the first view's optical frame.
    :param support_m: (4,) float64 plane (nx, ny, nz, d) in the grid frame with n @ p + d = height
        over the support, or None.
    :param points: the observed points in the grid frame.
    :param views: what it was made from; colours and masks can be looked up there.
    """

    grid: Grid
    free: ByteArray
    clear: ByteArray
    outside: ByteArray
    occluded: ByteArray
    blocked: ByteArray
    unseen: ByteArray
    below: ByteArray
    surface: Float32Array
    proven: Float32Array
    distance_m: Float32Array
    silhouette: Float32Array
    truncation_m: float
    T_cam_grid: FloatArray
    support_m: FloatArray | None
    points: ObservedPoints
    views: tuple[View, ...]

    @property
    def blind(self) -> float:
        """Share of the masks' pixels without a return, over all views; inferred range is none."""
        pixels = sum(int(view.mask.sum()) for view in self.views)
        return 1.0 - sum(int(view.returned.sum()) for view in self.views) / max(pixels, 1)

    @property
    def inferred(self) -> float:
        """Share of the masks' ranges that were inferred, over all views."""
        own = sum(int(view.own.sum()) for view in self.views)
        return 1.0 - sum(int(view.returned.sum()) for view in self.views) / max(own, 1)

    @property
    def is_inferred(self) -> bool:
        """Whether most of its ranges were inferred: it is known by silhouette and support."""
        return self.inferred > 0.5

    @property
    def empty(self) -> BoolArray:
        """(N, N, N) bool: where the object cannot be, clear or on the skin of other things."""
        return np.asarray(self.clear | (self.outside & ~self.free), bool)


def build_evidence(
    views: Sequence[View], config: EvidenceConfig, grid: Grid | None = None
) -> Evidence:
    """Return the evidence of one object from all its views (same ``ref`` frame).

    :param views: at least one; the first is the best one and gives the grid its axes.
    :param config: size and resolution of the volume.
    :param grid: the volume to fill instead of the one that fits the views.
    :raises InputError: when no view has an own pixel with a return.
    """
    grid = grid if grid is not None else fit_grid(views, config)
    truncation_m = config.truncation_voxels * grid.voxel_m
    rays = [cast(view, grid, truncation_m, config) for view in views]
    plane = support_plane(views, grid)
    below = np.zeros((grid.size,) * 3, np.uint8)
    if plane is not None:
        below[:] = grid.heights_m(plane) < 0
    return Evidence(
        grid=grid,
        below=below,
        truncation_m=truncation_m,
        T_cam_grid=T_cam_grid(views[0], grid),
        support_m=plane,
        views=tuple(views),
        **_fuse(rays, truncation_m),
        points=observed_points(views, grid, config),
    )


def _fuse(rays: Sequence[ViewRays], truncation_m: float) -> dict[str, Any]:
    """Accumulate the views into the voxel channels of Evidence, by field name."""
    free, outside = rays[0].free.copy(), rays[0].outside.copy()
    clear = rays[0].clear.copy()
    behind, blocked = rays[0].behind.copy(), rays[0].blocked.copy()
    surface, total = rays[0].surface.copy(), rays[0].distance_m.copy()
    proven = rays[0].proven.copy()
    looks, inside = rays[0].looks.astype(np.float32), rays[0].in_mask.astype(np.float32)
    weight = rays[0].near.astype(np.float32)
    for ray in rays[1:]:
        free |= ray.free
        clear |= ray.clear
        outside |= ray.outside
        behind |= ray.behind
        blocked |= ray.blocked
        np.maximum(surface, ray.surface, out=surface)
        np.maximum(proven, ray.proven, out=proven)
        total += ray.distance_m
        weight += ray.near
        looks += ray.looks
        inside += ray.in_mask
    decided = free | outside
    occluded = behind & ~decided
    blocked &= ~(decided | occluded)
    at_surface = ~decided & (surface > 0) & ~occluded & ~blocked
    unseen = ~(decided | occluded | blocked | at_surface)
    distance = np.where(decided, truncation_m, np.where(behind, -truncation_m, 0.0))
    known = weight > 0
    distance[known] = total[known] / weight[known]
    distance[outside] = truncation_m
    return {
        'free': free.view(np.uint8),
        'clear': clear.view(np.uint8),
        'outside': outside.view(np.uint8),
        'occluded': occluded.view(np.uint8),
        'blocked': blocked.view(np.uint8),
        'unseen': unseen.view(np.uint8),
        'surface': surface,
        'proven': proven,
        'distance_m': distance.astype(np.float32),
        'silhouette': inside / np.maximum(looks, 1.0),
    }
