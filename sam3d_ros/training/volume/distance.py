# SPDX-License-Identifier: Apache-2.0
"""The truth of a sample: signed distance of a solid's surface at the voxels of a grid."""

from __future__ import annotations

import numpy as np
import open3d as o3d

from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.world.solid import Solid

BLOCK = 4
"""Voxels along each side of the blocks that are looked at first."""
RAYS = 3
"""Rays that vote whether a point is inside: a scan may have a hole."""


def signed_distance(
    solid: Solid, T_obj_grid: FloatArray, grid: Grid, truncation_m: float
) -> Float32Array:
    """Return (N, N, N) float32 distance at the voxel centres, < 0 inside, clipped, metres.

    The mesh is asked about the middles of blocks of voxels first, and about single voxels only in
    blocks that the truncated band may reach.

    :param T_obj_grid: (4, 4) float64, grid frame to object frame.
    :param grid: with a multiple of :data:`BLOCK` voxels along each side.
    """
    scene = _scene(solid)
    blocks, half = grid.size // BLOCK, 0.5 * (BLOCK - 1)
    # (blocks^3, BLOCK^3, 3), so that a row is a block.
    centres = apply(T_obj_grid, grid.centres_m().astype(np.float64)).astype(np.float32)
    split = centres.reshape(blocks, BLOCK, blocks, BLOCK, blocks, BLOCK, 3)
    voxels = split.transpose(0, 2, 4, 1, 3, 5, 6).reshape(blocks**3, BLOCK**3, 3)
    coarse = _asked(scene, voxels.mean(axis=1))
    distance = np.repeat(coarse[:, None], BLOCK**3, axis=1)
    near = np.abs(coarse) < truncation_m + np.sqrt(3.0) * half * grid.voxel_m
    distance[near] = _asked(scene, voxels[near])
    shape = (blocks, blocks, blocks, BLOCK, BLOCK, BLOCK)
    volume = distance.reshape(shape).transpose(0, 3, 1, 4, 2, 5).reshape((grid.size,) * 3)
    return np.clip(volume, -truncation_m, truncation_m)


def distance_at(solid: Solid, points_m: FloatArray) -> Float32Array:
    """Return (...) float32 signed distance at points, < 0 inside, metres.

    :param points_m: (..., 3) float64, object frame.
    """
    return _asked(_scene(solid), points_m.astype(np.float32))


def _scene(solid: Solid) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(solid.vertices_m, solid.faces.astype(np.uint32))
    return scene


def _asked(scene: o3d.t.geometry.RaycastingScene, points_m: Float32Array) -> Float32Array:
    found: Float32Array = scene.compute_signed_distance(
        np.ascontiguousarray(points_m), nthreads=1, nsamples=RAYS
    ).numpy()
    return found
