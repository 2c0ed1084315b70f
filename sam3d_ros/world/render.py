# SPDX-License-Identifier: Apache-2.0
"""Pictures of a world on the CPU: colour, depth, normals, instance ids and amodal masks.

Every solid has its own ray casting scene in its own frame (Open3D, Embree) and is met only by the
rays of its box in the image; a z-buffer joins them. So the amodal masks come for free and moving
a solid costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import project, rays
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.light import DAYLIGHT, Light, Shadow
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.surface import Hits, Surface, rotated


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """What an ideal camera sees.

    :param rgb: (H, W, 3) uint8.
    :param depth_m: (H, W) float32 z, metres, NaN = nothing there.
    :param normals: (H, W, 3) float32 unit, optical axes, outward; 0 = nothing there.
    :param instances: (H, W) uint8, 1-based index of the object, 0 = surroundings.
    :param amodal: (N, H, W) bool, every object as if it stood alone.
    :param reflectance: (H, W) float32, 0..1 of the sensor's light that comes back diffusely.
    :param gloss: (H, W) float32, 0 = matt .. 1 = mirror.
    :param clear: (H, W) float32, share of light that goes through the front surface.
    :param behind_m: (H, W) float32 z of the first opaque surface, metres, NaN = nothing there.
    """

    rgb: ByteArray
    depth_m: Float32Array
    normals: Float32Array
    instances: ByteArray
    amodal: BoolArray
    reflectance: Float32Array
    gloss: Float32Array
    clear: Float32Array
    behind_m: Float32Array


class Renderer:
    """Draws fixed solids (surroundings, fixed frame) and objects at the poses of each call."""

    def __init__(
        self,
        objects: Sequence[Solid],
        surroundings: Sequence[Solid] = (),
        light: Light = DAYLIGHT,
    ) -> None:
        self._objects = [Surface([solid]) for solid in objects]
        self._surroundings = [Surface(surroundings)] if surroundings else []
        self._light = light
        self._shadow: Shadow | None = None

    def render(
        self,
        camera: Camera,
        T_fixed_cam: FloatArray,
        T_fixed_obj: FloatArray,
        present: BoolArray | None = None,
    ) -> Rendering:
        """Return what the camera at ``T_fixed_cam`` sees.

        :param T_fixed_obj: (N, 4, 4) poses of the objects.
        :param present: (N,) bool, False = not in the world now; all are when not given.
        """
        here = np.ones(len(self._objects), bool) if present is None else present
        canvas = self._drawn(camera, T_fixed_cam, T_fixed_obj, here)
        normals, albedo = canvas.appearance()
        shadow = self._shadow_of(T_fixed_obj, here)
        rgb = self._light.shade(albedo, normals, canvas.depth_m, rays(camera), T_fixed_cam, shadow)
        depth = np.where(np.isfinite(canvas.depth_m), canvas.depth_m, np.float32(np.nan))
        none = np.zeros(depth.shape, np.float32)
        half = np.full(depth.shape, 0.5, np.float32)
        return Rendering(
            rgb, depth, normals, canvas.instances(), canvas.amodal, half, none, none, depth
        )

    def masks(
        self, camera: Camera, T_fixed_cam: FloatArray, T_fixed_obj: FloatArray
    ) -> tuple[ByteArray, BoolArray]:
        """Return the id image and the amodal masks of :class:`Rendering` alone, cheaply."""
        here = np.ones(len(self._objects), bool)
        canvas = self._drawn(camera, T_fixed_cam, T_fixed_obj, here)
        return canvas.instances(), canvas.amodal

    def cast(
        self,
        origins_m: Float32Array,
        directions: Float32Array,
        T_fixed_obj: FloatArray,
        present: BoolArray | None = None,
    ) -> tuple[Float32Array, IndexArray, Float32Array]:
        """Return range, owner and normal of what free rays meet first, all in the fixed frame.

        :param origins_m: (N, 3) float32.
        :param directions: (N, 3) float32 unit.
        :return: (N,) float32 range in metres (inf = nothing), (N,) int32 object index (-1 =
            surroundings or nothing), (N, 3) float32 normals.
        """
        here = np.ones(len(self._objects), bool) if present is None else present
        ranges = np.full(len(origins_m), np.inf, np.float32)
        owner = np.full(len(origins_m), -1, np.int32)
        normals = np.zeros_like(origins_m)
        placed = [(surface, np.eye(4), -1) for surface in self._surroundings]
        placed += [
            (surface, T_fixed_obj[i], i) for i, surface in enumerate(self._objects) if here[i]
        ]
        for surface, T_fixed_solid, index in placed:
            to_center = T_fixed_solid[:3, 3].astype(np.float32) - origins_m
            along = np.einsum('ij,ij->i', to_center, directions)
            miss = np.einsum('ij,ij->i', to_center, to_center) - along**2
            near = np.flatnonzero(miss < surface.radius_m**2)
            R = T_fixed_solid[:3, :3]
            hits = surface.cast(
                rotated(origins_m[near] - T_fixed_solid[:3, 3].astype(np.float32), R.T),
                rotated(directions[near], R.T),
            )
            closer = hits.t < ranges[near]
            at = near[closer]
            ranges[at], owner[at] = hits.t[closer], index
            normals[at] = rotated(surface.normals(hits.face[closer], hits.uv[closer]), R)
        return ranges, owner, normals

    def _drawn(
        self,
        camera: Camera,
        T_fixed_cam: FloatArray,
        T_fixed_obj: FloatArray,
        present: BoolArray,
    ) -> _Canvas:
        canvas = _Canvas(camera, len(self._objects))
        T_cam_fixed = inverse(T_fixed_cam)
        for surface in self._surroundings:
            canvas.draw(surface, T_cam_fixed, None)
        for index in np.flatnonzero(present).tolist():
            canvas.draw(self._objects[index], T_cam_fixed @ T_fixed_obj[index], index)
        return canvas

    def _shadow_of(self, T_fixed_obj: FloatArray, present: BoolArray) -> Shadow:
        """Return the shadow map of the objects, made anew only when something moved."""
        if self._shadow is None or not self._shadow.is_of(T_fixed_obj, present):
            self._shadow = Shadow(self._light, self._objects, T_fixed_obj, present)
        return self._shadow


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One surface as drawn: its hits within a window of the image."""

    surface: Surface
    T_cam_solid: FloatArray
    identity: int
    window: tuple[slice, slice]
    hits: Hits


class _Canvas:
    """The z-buffer and, per pixel, which layer is in front."""

    def __init__(self, camera: Camera, objects: int) -> None:
        shape = (camera.height, camera.width)
        self._camera = camera
        self._layers: list[_Layer] = []
        self._front: IndexArray = np.full(shape, -1, np.int32)
        self.depth_m: Float32Array = np.full(shape, np.inf, np.float32)
        self.amodal: BoolArray = np.zeros((objects, *shape), bool)

    def draw(self, surface: Surface, T_cam_solid: FloatArray, index: int | None) -> None:
        """Draw a surface; ``index`` is the object's, None for surroundings."""
        window = _window(apply(T_cam_solid, surface.corners_m.astype(np.float64)), self._camera)
        if window is None:
            return
        T_solid_cam = inverse(T_cam_solid)
        directions = rotated(rays(self._camera)[window], T_solid_cam[:3, :3]).reshape(-1, 3)
        hits = surface.cast(T_solid_cam[:3, 3].astype(np.float32), directions)
        depth = self.depth_m[window]
        # The rays have z = 1 in the optical frame, so the ray parameter is the depth.
        t = hits.t.reshape(depth.shape)
        if index is not None:
            self.amodal[index][window] = np.isfinite(t)
        closer = t < depth
        np.copyto(depth, t, where=closer)
        np.copyto(self._front[window], len(self._layers), where=closer)
        identity = 0 if index is None else index + 1
        self._layers.append(_Layer(surface, T_cam_solid, identity, window, hits))

    def instances(self) -> ByteArray:
        """Return the (H, W) uint8 id image."""
        ids = np.array([layer.identity for layer in self._layers] + [0], np.uint8)
        image: ByteArray = ids[self._front]
        return image

    def appearance(self) -> tuple[Float32Array, Float32Array]:
        """Return (H, W, 3) float32 outward normals and colours 0..255."""
        normals = np.zeros((*self.depth_m.shape, 3), np.float32)
        colors = np.zeros_like(normals)
        for number, layer in enumerate(self._layers):
            rows, columns = layer.window
            visible = np.flatnonzero(self._front[layer.window] == number)
            row, column = np.divmod(visible, columns.stop - columns.start)
            pixel = (row + rows.start) * self._camera.width + column + columns.start
            face, uv = layer.hits.face[visible], layer.hits.uv[visible]
            normal = rotated(layer.surface.normals(face, uv), layer.T_cam_solid[:3, :3])
            normals.reshape(-1, 3)[pixel] = normal
            colors.reshape(-1, 3)[pixel] = layer.surface.colors(face, uv)
        return normals, colors


def _window(corners_cam_m: FloatArray, camera: Camera) -> tuple[slice, slice] | None:
    """Return the rows and columns that a box can appear in, or None when it cannot."""
    if (corners_cam_m[:, 2] <= 0).all():
        return None
    if (corners_cam_m[:, 2] <= 1e-3).any():
        return slice(0, camera.height), slice(0, camera.width)
    pixels = project(corners_cam_m, camera)
    limit = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(axis=0)), 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, limit).astype(int)
    if (low >= high).any():
        return None
    return slice(low[1], high[1]), slice(low[0], high[0])
