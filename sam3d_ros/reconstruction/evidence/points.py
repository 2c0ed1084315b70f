# SPDX-License-Identifier: Apache-2.0
"""The points the sensor saw on one object, in its grid, with noise, normals and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array, IndexArray
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.grid import Grid, T_cam_grid
from sam3d_ros.reconstruction.views import View, view_normals

LEAST_SIGMA_M = 0.001
"""However good the sensor, meshes made of voxels follow points no closer than this."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedPoints:
    """Points on an object's visible surface, over all its views.

    :param points_m: (P, 3) float32, grid frame, metres.
    :param normals: (P, 3) float32 unit, outward, grid frame; zero where unknown.
    :param colors: (P, 3) uint8 RGB.
    :param sigmas_m: (P,) float32 error along the ray, one sigma, of each view's own sensor, see
        :meth:`core.sensors.SensorModel.ray_sigma`.
    :param views: (P,) int32, index of the view each point comes from.
    """

    points_m: Float32Array
    normals: Float32Array
    colors: ByteArray
    sigmas_m: Float32Array
    views: IndexArray


def observed_points(views: Sequence[View], grid: Grid, config: EvidenceConfig) -> ObservedPoints:
    """Return the own points inside the grid's volume, evenly thinned to ``config.max_points``.

    :param views: of the object, all with the same ref.
    """
    parts = [
        _points_of(view, number, grid, config.max_points // len(views), config)
        for number, view in enumerate(views)
    ]
    return ObservedPoints(
        points_m=np.concatenate([part.points_m for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        colors=np.concatenate([part.colors for part in parts]),
        sigmas_m=np.concatenate([part.sigmas_m for part in parts]),
        views=np.concatenate([part.views for part in parts]),
    )


def _points_of(
    view: View, number: int, grid: Grid, budget: int, config: EvidenceConfig
) -> ObservedPoints:
    T_grid_cam = inverse(T_cam_grid(view, grid)).astype(np.float32)
    R, t = T_grid_cam[:3, :3], T_grid_cam[:3, 3]
    pixels = np.flatnonzero(view.own)
    points_cam = view.pointmap.reshape(-1, 3)[pixels]
    points = points_cam @ R.T + t
    half_m = 0.5 * grid.size * grid.voxel_m
    inside = np.flatnonzero((np.abs(points) < half_m).all(axis=1))
    if len(inside) > budget:
        inside = inside[np.linspace(0, len(inside) - 1, budget).astype(np.intp)]
    pixels = pixels[inside]
    points_cam = points_cam[inside]
    normals_cam = np.nan_to_num(view_normals(view).reshape(-1, 3)[pixels])
    across = np.abs(np.einsum('pc,pc->p', normals_cam, points_cam))
    cosine = across / np.linalg.norm(points_cam, axis=1)
    straight_m = None if view.range_sigma_m is None else view.range_sigma_m.ravel()[pixels]
    sigmas = view.sensor.ray_sigma(points_cam[:, 2], cosine, view.camera.fx, straight_m)
    return ObservedPoints(
        points_m=points[inside],
        normals=normals_cam @ R.T,
        colors=view.rgb.reshape(-1, 3)[pixels],
        sigmas_m=np.maximum(sigmas, np.float32(LEAST_SIGMA_M)),
        views=np.full(len(inside), number, np.int32),
    )
