# SPDX-License-Identifier: Apache-2.0
"""The z-buffer of a picture: which surface every pixel shows, and what shines through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import project, rays
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.rendering.surface import Hits, Surface, rotated


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The first opaque surface of every pixel, before any light falls on it.

    :param depth_m: (H, W) float32 z, inf = nothing there.
    :param normals: (H, W, 3) float32 unit, optical axes, outward; 0 = nothing there.
    :param albedo: (H, W, 3) float32 colours, 0..255.
    :param material: (H, W) int32 index into :attr:`Canvas.materials`, 0 = nothing there.
    """

    depth_m: Float32Array
    normals: Float32Array
    albedo: Float32Array
    material: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One surface as drawn: its hits within a window of the image.

    :param identity: 1-based index of the object, 0 = surroundings.
    :param first_material: index of its first solid's material.
    :param window: rows and columns of the image.
    """

    surface: Surface
    T_cam_solid: FloatArray
    identity: int
    first_material: int
    window: tuple[slice, slice]
    hits: Hits


class Canvas:
    """Keeps, per pixel, the layer in front and the first opaque one.

    :param camera: the rectified pinhole model.
    :param objects: how many objects there are.
    """

    def __init__(self, camera: Camera, objects: int) -> None:
        shape = (camera.height, camera.width)
        self._camera = camera
        self._layers: list[Layer] = []
        self._front: IndexArray = np.full(shape, -1, np.int32)
        self._opaque = self._front
        self.depth_m: Float32Array = np.full(shape, np.inf, np.float32)
        self.behind_m = self.depth_m
        self.amodal: BoolArray = np.zeros((objects, *shape), bool)
        self.clear: list[Layer] = []

    def draw(
        self, surface: Surface, T_cam_solid: FloatArray, index: int | None, first_material: int
    ) -> None:
        """Draw a surface; ``index`` is the object's, None for surroundings.

        Clear surfaces come last: what was drawn before the first of them shines through.

        :param T_cam_solid: (4, 4) pose of the surface in the optical frame.
        :param first_material: number of its first solid's material.
        """
        window = _window(apply(T_cam_solid, surface.corners_m.astype(np.float64)), self._camera)
        if window is None:
            return
        T_solid_cam = inverse(T_cam_solid)
        directions = rotated(rays(self._camera)[window], T_solid_cam[:3, :3]).reshape(-1, 3)
        hits = surface.cast(T_solid_cam[:3, 3].astype(np.float32), directions)
        identity = 0 if index is None else index + 1
        layer = Layer(surface, T_cam_solid, identity, first_material, window, hits)
        if surface.materials[0].clear > 0:
            if not self.clear:
                self.behind_m, self._opaque = self.depth_m.copy(), self._front.copy()
            self.clear.append(layer)
        depth = self.depth_m[window]
        # The rays have z = 1 in the optical frame, so the ray parameter is the depth.
        t = hits.t.reshape(depth.shape)
        if index is not None:
            self.amodal[index][window] = np.isfinite(t)
        closer = t < depth
        np.copyto(depth, t, where=closer)
        np.copyto(self._front[window], len(self._layers), where=closer)
        self._layers.append(layer)

    def instances(self) -> ByteArray:
        """Return the (H, W) uint8 id image."""
        ids = np.array([layer.identity for layer in self._layers] + [0], np.uint8)
        image: ByteArray = ids[self._front]
        return image

    def front(self, layer: Layer) -> IndexArray:
        """Return the (N,) places in the layer's window, row by row, where it is in front."""
        number = self._layers.index(layer)
        return np.flatnonzero(self._front[layer.window] == number).astype(np.int32)

    def pixels(self, layer: Layer, places: IndexArray) -> IndexArray:
        """Return the (N,) pixels of the image, row by row, of places in a layer's window."""
        rows, columns = layer.window
        row, column = np.divmod(places, columns.stop - columns.start)
        return (row + rows.start) * self._camera.width + column + columns.start

    def shown(self) -> Shown:
        """Return what the first opaque surfaces look like."""
        shape = self.depth_m.shape
        normals = np.zeros((*shape, 3), np.float32)
        colors = np.zeros_like(normals)
        material = np.zeros(shape, np.int32)
        for number, layer in enumerate(self._layers):
            visible = np.flatnonzero(self._opaque[layer.window] == number).astype(np.int32)
            pixel = self.pixels(layer, visible)
            face, uv = layer.hits.face[visible], layer.hits.uv[visible]
            normal = rotated(layer.surface.normals(face, uv), layer.T_cam_solid[:3, :3])
            normals.reshape(-1, 3)[pixel] = normal
            footprint = self._footprint(layer, visible, pixel, normal)
            colors.reshape(-1, 3)[pixel] = layer.surface.colors(face, uv, footprint)
            material.reshape(-1)[pixel] = layer.first_material + layer.surface.solid_of(face)
        return Shown(self.behind_m, normals, colors, material)

    def _footprint(
        self, layer: Layer, places: IndexArray, pixel: IndexArray, normals: Float32Array
    ) -> Float32Array | None:
        """Return (N,) float32 sides of pixels on a surface, metres, where it is of use.

        A pixel that meets the surface at an angle is longer one way; this is its geometric mean.
        """
        if not layer.surface.is_filtered:
            return None
        sight = np.take(rays(self._camera).reshape(-1, 3), pixel, axis=0)
        cosine = np.abs(np.einsum('ij,ij->i', sight, normals))
        side = layer.hits.t[places] * np.float32(1 / self._camera.fx)
        footprint: Float32Array = side / np.sqrt(np.maximum(cosine, np.float32(0.05)))
        return footprint


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
