# SPDX-License-Identifier: Apache-2.0
"""A picture of one frame's result: the image with its masks beside the scene from two views.

The scene is ray-cast on the CPU (Open3D), so that it needs no display and no OpenGL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import (
    ByteArray,
    Camera,
    Float32Array,
    FloatArray,
    Frame,
    Scene,
    SceneObject,
    Tracks,
)
from sam3d_ros.geometry.cameras import project, rays, scaled
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.messages.results.colors import id_color

PANEL_PX = 640
BACKGROUND = (244, 244, 242)
_ELEVATION_RAD = np.deg2rad(35.0)
_AZIMUTH_RAD = np.deg2rad(60.0)
_FILL = 0.85
_NEAREST_M = 0.1
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


def write_snapshot(path: Path, frame: Frame, tracks: Tracks, scene: Scene) -> None:
    """Write :func:`snapshot` as a PNG.

    :param path: of the file.
    :param frame: the last one.
    :param tracks: all living tracks after it.
    :param scene: all objects known after it.
    :raises BackendError: when Open3D is not installed.
    """
    write_png(path, snapshot(frame, tracks, scene))


def snapshot(frame: Frame, tracks: Tracks, scene: Scene) -> ByteArray:
    """Return (H, 3 W, 3) uint8: masks on the image, the scene from there, the scene from a side.

    :param frame: the last one.
    :param tracks: all living tracks after it.
    :raises BackendError: when Open3D is not installed.
    """
    height = round(PANEL_PX * frame.camera.height / frame.camera.width)
    camera = scaled(frame.camera, PANEL_PX, height)
    caster, surroundings = RayCaster(scene), _surroundings(frame, tracks)
    panels = [_masked(frame, tracks, (PANEL_PX, height))]
    supports = tracks.instances.supports
    up_cam = supports[0].normal if supports else np.array([0.0, -1.0, 0.0])
    if frame.up_cam is not None:
        up_cam = frame.up_cam
    for T_fixed_view in (frame.T_fixed_cam, side_view(frame, scene, up_cam)):
        panel, depth_m = caster.render(camera, T_fixed_view)
        _add_points(panel, depth_m, surroundings, camera, T_fixed_view)
        for item in scene.objects:
            label(panel, str(item.id), item, camera, T_fixed_view)
        panels.append(panel)
    for panel, title in zip(panels, ('input and masks', 'camera view', 'side view'), strict=True):
        (width, text_height), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        _write(panel, title, (10 + width // 2, 10 + text_height // 2))
    return np.concatenate(panels, axis=1)


def _masked(frame: Frame, tracks: Tracks, size_px: tuple[int, int]) -> ByteArray:
    """Return the image with each tracked instance in its id's colour, outlined and numbered."""
    image: ByteArray = np.asarray(
        cv2.resize(frame.rgb, size_px, interpolation=cv2.INTER_AREA), np.uint8
    )
    for track in tracks.items:
        if track.instance < 0:
            continue
        full = tracks.instances.items[track.instance].mask.astype(np.uint8)
        mask = cv2.resize(full, size_px, interpolation=cv2.INTER_NEAREST)
        color = 255.0 * id_color(track.id)
        image[mask > 0] = (0.55 * image[mask > 0] + 0.45 * color).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, color.tolist(), 2, cv2.LINE_AA)
        v, u = np.nonzero(mask)
        if len(u):
            _write(image, str(track.id), (int(np.median(u)), int(np.median(v))))
    return image


class RayCaster:
    """All meshes of a scene as one, in the fixed frame, ready for rays.

    :raises BackendError: when Open3D is not installed.
    """

    def __init__(self, scene: Scene) -> None:
        try:
            from open3d.core import Tensor
            from open3d.t.geometry import RaycastingScene
        except ImportError as error:
            raise BackendError(
                f'Open3D cannot be imported: {error}',
                wanted='the package open3d-cpu',
                remedy='./sam3d setup installs it.',
            ) from error
        items = [item for item in scene.objects if len(item.mesh.faces)]
        placed = [apply(item.T_fixed_obj, item.mesh.vertices_m) for item in items]
        starts = np.cumsum([0, *(len(vertices) for vertices in placed)])
        faces = [item.mesh.faces + at for item, at in zip(items, starts, strict=False)]
        self._faces = _stacked(faces, np.uint32)
        self._colors = _stacked([item.mesh.colors for item in items], np.float32)
        self._tensor = Tensor
        self._scene = RaycastingScene(nthreads=1)
        if items:
            vertices = _stacked(placed, np.float32)
            self._scene.add_triangles(Tensor(vertices), Tensor(self._faces))

    def render(self, camera: Camera, T_fixed_view: FloatArray) -> tuple[ByteArray, Float32Array]:
        """Return shaded (H, W, 3) uint8 and (H, W) float32 depth, metres, inf = nothing.

        :param camera: the pinhole model to look through.
        :param T_fixed_view: (4, 4) its pose: optical frame to fixed frame.
        """
        directions = rays(camera) @ T_fixed_view[:3, :3].T.astype(np.float32)
        origins = np.broadcast_to(T_fixed_view[:3, 3].astype(np.float32), directions.shape)
        hits = self._scene.cast_rays(self._tensor(np.concatenate([origins, directions], axis=-1)))
        # Rays have z = 1 in the camera, so the ray parameter is the depth.
        depth_m: Float32Array = hits['t_hit'].numpy()
        image = np.full((*depth_m.shape, 3), BACKGROUND, np.uint8)
        hit = np.isfinite(depth_m)
        corners = self._faces[hits['primitive_ids'].numpy()[hit]]
        uv = hits['primitive_uvs'].numpy()[hit]
        weights = np.stack([1.0 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
        colors = np.einsum('ij,ijk->ik', weights, self._colors[corners])
        towards = -directions[hit] / np.linalg.norm(directions[hit], axis=1, keepdims=True)
        facing = np.abs(np.einsum('ij,ij->i', towards, hits['primitive_normals'].numpy()[hit]))
        image[hit] = np.clip(colors * (0.45 + 0.55 * facing[:, None]), 0, 255)
        return image, depth_m


def _stacked(parts: list[Any], dtype: Any) -> Any:
    return np.concatenate([np.zeros((0, 3)), *parts]).astype(dtype)


def _surroundings(frame: Frame, tracks: Tracks) -> tuple[Float32Array, ByteArray]:
    """Return points (N, 3) of the fixed frame and pale colours: what no track covers."""
    shown = np.isfinite(frame.pointmap[..., 2])
    for track in tracks.items:
        if track.instance >= 0:
            shown &= ~tracks.instances.items[track.instance].mask
    points = apply(frame.T_fixed_cam, frame.pointmap[shown])
    pale = frame.rgb[shown] * np.float32(0.35) + np.float32(0.65) * np.array(
        BACKGROUND, np.float32
    )
    return points, pale.astype(np.uint8)


def _add_points(
    image: ByteArray,
    depth_m: Float32Array,
    points: tuple[Float32Array, ByteArray],
    camera: Camera,
    T_fixed_view: FloatArray,
) -> None:
    """Paint points where nothing is in front of them, the nearest last."""
    places = apply(inverse(T_fixed_view), points[0].astype(np.float64))
    order = np.argsort(-places[:, 2], kind='stable')
    places, colors = places[order], points[1][order]
    uv = np.nan_to_num(project(places, camera), nan=-9.0, posinf=-9.0, neginf=-9.0)
    uv = np.clip(np.rint(uv), -9, 1 << 20).astype(np.int64)
    for dv in (0, 1):
        for du in (0, 1):
            u, v = uv[:, 0] + du, uv[:, 1] + dv
            inside = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
            u, v = u[inside], v[inside]
            free = places[inside, 2] < depth_m[v, u]
            image[v[free], u[free]] = colors[inside][free]


def side_view(frame: Frame, scene: Scene, up_cam: FloatArray) -> FloatArray:
    """Return T_fixed_view (4, 4): from above and from a side, all objects in the image.

    :param frame: the last one.
    :param scene: all objects known after it.
    :param up_cam: (3,) unit vector against gravity, optical frame.
    """
    points = _outline(frame, scene)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    up = frame.T_fixed_cam[:3, :3] @ up_cam
    away = middle - frame.T_fixed_cam[:3, 3]
    away -= up * (away @ up)
    if np.linalg.norm(away) < 1e-6:
        away = frame.T_fixed_cam[:3, 0]
    away = away / np.linalg.norm(away)
    level = -np.cos(_AZIMUTH_RAD) * away + np.sin(_AZIMUTH_RAD) * np.cross(up, away)
    towards = np.cos(_ELEVATION_RAD) * level + np.sin(_ELEVATION_RAD) * up
    right = np.cross(-towards, up)
    right /= np.linalg.norm(right)
    R_fixed_view = np.stack([right, np.cross(-towards, right), -towards], axis=1)
    # From so far away the camera sees all points, with a margin.
    camera, placed = frame.camera, (points - middle) @ R_fixed_view
    beside, below = camera.width - 1 - camera.cx, camera.height - 1 - camera.cy
    half_px = np.array([min(camera.cx, beside), min(camera.cy, below)])
    slopes = _FILL * half_px / [camera.fx, camera.fy]
    needed_m = np.abs(placed[:, :2]) / slopes - placed[:, 2:]
    distance_m = float(max(needed_m.max(), _NEAREST_M - placed[:, 2].min()))
    return transform(R_fixed_view, middle + distance_m * towards)


def _outline(frame: Frame, scene: Scene) -> FloatArray:
    """Return points (N, 3) of the fixed frame that enclose what there is to see."""
    parts = [
        apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64)) for item in scene.objects
    ]
    parts = [part for part in parts if len(part)]
    if parts:
        return np.concatenate(parts)
    ahead = (frame.T_fixed_cam @ [0.0, 0.0, 1.0, 1.0])[:3]
    return ahead + np.array([[-0.3, -0.3, -0.3], [0.3, 0.3, 0.3]])


def write_png(path: Path, image: ByteArray) -> None:
    """Write an (H, W, 3) uint8 RGB image."""
    _, png = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    path.write_bytes(png.tobytes())


def label(
    image: ByteArray, text: str, item: SceneObject, camera: Camera, T_fixed_cam: FloatArray
) -> None:
    """Write a text in the middle of an object, if that is in the image.

    :param image: (H, W, 3) uint8, is written to.
    :param camera: the pinhole model of the image.
    :param T_fixed_cam: (4, 4) optical frame to fixed frame.
    """
    middle = apply(inverse(T_fixed_cam), apply(item.T_fixed_obj, item.box_center_m))
    u, v = project(middle, camera)
    if 0 <= u < camera.width and 0 <= v < camera.height:
        _write(image, text, (int(u), int(v)))


def _write(image: ByteArray, text: str, middle_px: tuple[int, int]) -> None:
    """Write white on a dark ground, readable on anything."""
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    left, bottom = middle_px[0] - width // 2, middle_px[1] + height // 2
    corner = (left + width + 2, bottom + below)
    cv2.rectangle(image, (left - 3, bottom - height - 3), corner, _INK, cv2.FILLED)
    cv2.putText(image, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _PAPER, 1, cv2.LINE_AA)
