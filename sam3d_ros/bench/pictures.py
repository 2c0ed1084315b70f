# SPDX-License-Identifier: Apache-2.0
"""Pictures of truth beside result, seen from the camera and from the other side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sam3d_ros.bench.harness import Picture
from sam3d_ros.bench.scoring import PosedMesh
from sam3d_ros.core.types import ByteArray, Camera, FloatArray, Frame
from sam3d_ros.geometry.cameras import rays, scaled
from sam3d_ros.geometry.transforms import transform

WIDTH, HEIGHT = 320, 240


def compare_meshes(
    caption: str, frame: Frame, truth: Sequence[PosedMesh], found: Sequence[PosedMesh]
) -> Picture:
    """Return colour, truth and result from the camera, and both from behind, in one row."""
    camera = scaled(frame.camera, WIDTH, HEIGHT)
    image = cv2.resize(frame.rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    behind = _from_behind(frame, truth)
    panels = [
        np.asarray(image, np.uint8),
        _shaded(truth, camera, frame.T_fixed_cam),
        _shaded(found, camera, frame.T_fixed_cam),
        _shaded(truth, camera, behind),
        _shaded(found, camera, behind),
    ]
    return Picture(caption, np.concatenate(panels, axis=1))


def _from_behind(frame: Frame, truth: Sequence[PosedMesh]) -> FloatArray:
    """Return the camera turned half about the vertical through the middle of the objects."""
    middle = np.concatenate([mesh.vertices_m for mesh in truth]).mean(axis=0)
    half_turn = transform(np.diag([-1.0, -1.0, 1.0]), 2 * middle * [1, 1, 0])
    turned: FloatArray = half_turn @ frame.T_fixed_cam
    return turned


def _shaded(meshes: Sequence[PosedMesh], camera: Camera, T_fixed_cam: FloatArray) -> ByteArray:
    import open3d as o3d

    image = np.full((camera.height, camera.width, 3), 245, np.uint8)
    if not meshes:
        return image
    scene = o3d.t.geometry.RaycastingScene()
    for mesh in meshes:
        scene.add_triangles(
            np.ascontiguousarray(mesh.vertices_m, np.float32),
            np.ascontiguousarray(mesh.faces, np.uint32),
        )
    directions = rays(camera).astype(np.float64) @ T_fixed_cam[:3, :3].T
    origins = np.broadcast_to(T_fixed_cam[:3, 3], directions.shape)
    cast = scene.cast_rays(np.concatenate([origins, directions], axis=2).astype(np.float32))
    hit = np.isfinite(cast['t_hit'].numpy())
    normals = cast['primitive_normals'].numpy()
    unit = directions / np.linalg.norm(directions, axis=2, keepdims=True)
    light = 0.35 + 0.65 * np.abs(np.einsum('ijk,ijk->ij', normals, unit))
    palette = np.random.default_rng(3).integers(90, 240, (256, 3))
    color = palette[cast['geometry_ids'].numpy() % 256] * light[..., None]
    image[hit] = color[hit].astype(np.uint8)
    return image
