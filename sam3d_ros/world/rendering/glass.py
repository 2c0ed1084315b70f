# SPDX-License-Identifier: Apache-2.0
"""Clear things over what is behind them: darker and mirroring at grazing walls, bent at rims.

Every wall that a ray goes through mirrors the room with Fresnel's share (Schlick 1994), swallows a
little of what comes from behind, more the longer its way through it, and shifts the background
where it is seen at an angle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.world.rendering.canvas import Canvas, Layer
from sam3d_ros.world.rendering.illumination import Illumination
from sam3d_ros.world.rendering.surface import looked_up, rotated
from sam3d_ros.world.solid import Material

WALLS = 4
"""A glass has an outer and an inner wall in front and at the back."""
STEP_M = 1e-4
SWALLOWED = 0.02
"""Share of light lost in one wall seen from straight ahead."""
SLANTED = 0.15
"""Cosine below which the way through a wall grows no longer."""
BENT_PX = 7.0
"""Largest shift of the background, at a rim, of an image 640 wide."""


def covered(
    rgb: ByteArray,
    canvas: Canvas,
    camera: Camera,
    T_fixed_cam: FloatArray,
    illumination: Illumination,
) -> ByteArray:
    """Return the (H, W, 3) uint8 picture of opaque things with the clear ones over it.

    :param rgb: (H, W, 3) uint8 picture of opaque things.
    :param canvas: what each pixel shows.
    :param camera: the rectified pinhole model.
    :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
    :param illumination: the light they stand in.
    """
    picture = rgb.copy()
    for layer in sorted(canvas.clear, key=lambda layer: -layer.T_cam_solid[2, 3]):
        behind = canvas.behind_m[layer.window].reshape(-1)
        places = np.flatnonzero(layer.hits.t < behind).astype(np.int32)
        if len(places):
            window = picture[layer.window]
            row, column = np.divmod(places, window.shape[1])
            sight = np.ascontiguousarray(rays(camera)[layer.window][row, column])
            walls = list(_walls(layer, places, sight, behind[places]))
            bend_px = BENT_PX * camera.width / 640
            window[row, column] = _through(
                _shifted(window, places, walls, bend_px),
                layer.surface.colors(layer.hits.face[places], layer.hits.uv[places]),
                walls,
                layer.surface.materials[0],
                T_fixed_cam[:3, :3],
                illumination,
            )
    return picture


@dataclass(frozen=True, slots=True, eq=False)
class _Wall:
    """What the rays of a layer meet next.

    :param at: (M,) which of the layer's rays meet a wall.
    :param sight: (M, 3) float32 unit directions of these rays, optical axes.
    :param normals: (M, 3) float32 unit, optical axes, towards the camera.
    :param cosine: (M,) float32 of the angle between both.
    """

    at: IndexArray
    sight: Float32Array
    normals: Float32Array
    cosine: Float32Array


def _walls(
    layer: Layer, places: IndexArray, sight: Float32Array, behind_m: Float32Array
) -> Iterator[_Wall]:
    """Yield the walls one after another that rays meet before the first opaque surface.

    :param sight: (N, 3) float32 rays with z = 1.
    :param behind_m: (N,) float32 z of the opaque surfaces.
    """
    surface, R = layer.surface, layer.T_cam_solid[:3, :3]
    T_solid_cam = inverse(layer.T_cam_solid)
    directions = rotated(sight, T_solid_cam[:3, :3])
    start = T_solid_cam[:3, 3].astype(np.float32)
    view = sight / np.sqrt(np.einsum('ij,ij->i', sight, sight))[:, None]
    at: IndexArray = np.arange(len(places), dtype=np.int32)
    t, face, uv = layer.hits.t[places], layer.hits.face[places], layer.hits.uv[places]
    for _ in range(WALLS):
        normals = rotated(surface.normals(face, uv), R)
        along = np.einsum('ij,ij->i', normals, view[at])
        normals *= np.where(along > 0, np.float32(-1), np.float32(1))[:, None]
        yield _Wall(at, view[at], normals, np.minimum(np.abs(along), 1))
        t = t + np.float32(STEP_M)
        hits = surface.cast(start + directions[at] * t[:, None], directions[at])
        met = t + hits.t < behind_m[at]
        at, t, face, uv = at[met], (t + hits.t)[met], hits.face[met], hits.uv[met]
        if not len(at):
            return


def _through(
    background: Float32Array,
    albedo: Float32Array,
    walls: Sequence[_Wall],
    material: Material,
    R_fixed_cam: FloatArray,
    illumination: Illumination,
) -> ByteArray:
    """Return (N, 3) uint8 colours of clear walls over (N, 3) float32 background colours.

    :param albedo: (N, 3) float32 colours of the outer wall, 0..255: they tint what goes through.
    """
    passed, mirrored = np.ones_like(albedo), np.zeros_like(albedo)
    tint = 1 - np.float32(SWALLOWED) * (2 - albedo / np.float32(255))
    gloss = np.full(len(albedo), max(material.gloss, 0.8), np.float32)
    lit = np.ones((len(albedo), len(illumination.lamps)), np.float32)
    for wall in walls:
        shine, kept = illumination.reflections(
            wall.sight, wall.normals, gloss[wall.at], lit[wall.at], R_fixed_cam
        )
        mirrored[wall.at] += passed[wall.at] * shine
        way = 1 / np.maximum(wall.cosine, np.float32(SLANTED))
        passed[wall.at] *= kept * tint[wall.at] ** way[:, None]
    lamp = illumination.lamps[0]
    toward = (R_fixed_cam.T @ lamp.direction).astype(np.float32)
    lambert = np.maximum(walls[0].normals @ toward, 0)[:, None]
    body = albedo * (illumination.sky + lambert * lamp.color).astype(np.float32)
    clear = np.float32(material.clear)
    over = clear * (background * passed + mirrored) + (1 - clear) * body
    return np.clip(over, 0, 255).astype(np.uint8)


def _shifted(
    window: ByteArray, places: IndexArray, walls: Sequence[_Wall], most_px: float
) -> Float32Array:
    """Return (N, 3) float32 colours of a window, seen through walls that bend the rays."""
    row, column = np.divmod(places, window.shape[1])
    to = np.stack([column, row], axis=-1).astype(np.float32)
    for wall in walls:
        to[wall.at] += np.float32(most_px) * wall.normals[:, :2] * (1 - wall.cosine[:, None]) ** 2
    return looked_up(window, to[:, 0], to[:, 1])
