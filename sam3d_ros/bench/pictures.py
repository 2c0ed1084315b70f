# SPDX-License-Identifier: Apache-2.0
"""Pictures of truth beside result, seen from the camera and from the other side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import cv2
import numpy as np

from sam3d_ros.bench.harness import Picture
from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.core.types import ByteArray, Camera, FloatArray, Frame
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import apply, inverse, transform

WIDTH, HEIGHT = 320, 240
MARGIN = 1.15
CORNERS = np.array(list(product((0, 1), repeat=3)))
"""(8, 3) which of a box's two corners each of its eight takes x, y and z from."""


def compare_meshes(
    caption: str, frame: Frame, truth: Sequence[PosedMesh], found: Sequence[PosedMesh]
) -> Picture:
    """Return colour, truth and result from the camera, and both from behind, in one row.

    Every view is zoomed to the truth.

    :param caption: of the picture.
    :param frame: what the camera saw.
    :param found: the results.
    """
    # The camera turned half about the vertical through the middle of the objects.
    middle = np.concatenate([mesh.vertices_m for mesh in truth]).mean(axis=0)
    half_turn = transform(np.diag([-1.0, -1.0, 1.0]), 2 * middle * [1, 1, 0])
    behind: FloatArray = half_turn @ frame.T_fixed_cam
    here, there = (
        _zoomed(frame.camera, T_fixed_cam, truth) for T_fixed_cam in (frame.T_fixed_cam, behind)
    )
    to_view = here.K @ np.linalg.inv(frame.camera.K)
    color = cv2.warpAffine(frame.rgb, to_view[:2], (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    panels = [
        np.asarray(color, np.uint8),
        _shaded(truth, here, frame.T_fixed_cam),
        _shaded(found, here, frame.T_fixed_cam),
        _shaded(truth, there, behind),
        _shaded(found, there, behind),
    ]
    return Picture(caption, np.concatenate(panels, axis=1))


def boxes(
    caption: str, frame: Frame, drawn: Sequence[tuple[FloatArray, tuple[int, int, int], str]]
) -> Picture:
    """Return a frame's colours with axis-aligned boxes over them.

    :param caption: of the picture.
    :param drawn: box (2, 3), lowest corner first, fixed frame, metres; RGB; text at its top.
    """
    image = frame.rgb.copy()
    for bounds, color, text in drawn:
        corners = np.array([[bounds[i, 0], bounds[j, 1], bounds[k, 2]] for i, j, k in CORNERS])
        points_cam = apply(inverse(frame.T_fixed_cam), corners)
        if points_cam[:, 2].min() <= 0:
            continue
        pixels = points_cam @ frame.camera.K.T
        pixels = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int)
        for i, j in combinations(range(8), 2):
            if np.abs(CORNERS[i] - CORNERS[j]).sum() == 1:
                cv2.line(image, pixels[i].tolist(), pixels[j].tolist(), color, 1, cv2.LINE_AA)
        top = pixels[np.argmin(pixels[:, 1])].tolist()
        cv2.putText(image, text, top, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)
    return Picture(caption, image)


def _zoomed(camera: Camera, T_fixed_cam: FloatArray, truth: Sequence[PosedMesh]) -> Camera:
    """Return a camera of WIDTH x HEIGHT that shows the truth with a margin and little else."""
    points = apply(inverse(T_fixed_cam), np.concatenate([mesh.vertices_m for mesh in truth]))
    pixels = points @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    zoom = float(np.min([WIDTH, HEIGHT] / (MARGIN * (high - low))))
    K = camera.K * [[zoom], [zoom], [1.0]]
    K[:2, 2] += np.array([WIDTH, HEIGHT]) / 2 - zoom * (low + high) / 2
    return Camera(WIDTH, HEIGHT, K)


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
