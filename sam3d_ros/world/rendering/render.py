# SPDX-License-Identifier: Apache-2.0
"""Pictures of a world on the CPU: colour, depth, normals, materials, ids and amodal masks.

Every solid has its own ray casting scene in its own frame (Open3D, Embree) and is met only by the
rays of its box in the image; a z-buffer joins them. So the amodal masks come for free and moving
a solid costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.world.rendering import glass
from sam3d_ros.world.rendering.canvas import Canvas, Shown
from sam3d_ros.world.rendering.illumination import Illumination, simple
from sam3d_ros.world.rendering.light import DAYLIGHT, Light, Shadow
from sam3d_ros.world.rendering.softshadow import SoftShadow
from sam3d_ros.world.rendering.surface import Surface, rotated
from sam3d_ros.world.solid import MATT, Solid, infrared


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """What an ideal camera sees; of clear things it is their front that counts.

    :param rgb: (H, W, 3) uint8.
    :param depth_m: (H, W) float32 z, metres, NaN = nothing there.
    :param normals: (H, W, 3) float32 unit, optical axes, outward; 0 = nothing there.
    :param instances: (H, W) uint8, 1-based index of the object, 0 = surroundings.
    :param amodal: (N, H, W) bool, every object as if it stood alone.
    :param reflectance: (H, W) float32, 0..1, share of infrared light that comes back diffusely.
    :param gloss: (H, W) float32, 0 matt .. 1 mirror.
    :param clear: (H, W) float32, share of light that goes through, 0 = opaque.
    :param behind_m: (H, W) float32 z, metres, of the first opaque surface, NaN = nothing there.
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
    """Draws fixed solids (surroundings, fixed frame) and objects at the poses of each call.

    :param light: the light that everything stands in.
    """

    def __init__(
        self,
        objects: Sequence[Solid],
        surroundings: Sequence[Solid] = (),
        light: Light | Illumination = DAYLIGHT,
    ) -> None:
        self._objects = [Surface([solid]) for solid in objects]
        opaque = [solid for solid in surroundings if solid.material.clear == 0]
        see_through = [[solid] for solid in surroundings if solid.material.clear > 0]
        self._surroundings = [Surface(part) for part in ([opaque] if opaque else []) + see_through]
        surfaces = [*self._surroundings, *self._objects]
        self._materials = [MATT, *(m for surface in surfaces for m in surface.materials)]
        counts = [len(surface.materials) for surface in surfaces]
        self._first_material = np.cumsum([1, *counts]).tolist()
        is_matt = all(m.gloss == 0 and m.clear == 0 for m in self._materials)
        # A lamp and a sky alone know no gloss.
        self._light = light if is_matt or isinstance(light, Illumination) else simple(light)
        self._shadow: Shadow | SoftShadow | None = None

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
        shown = canvas.shown()
        rgb = self._shaded(shown, rays(camera), T_fixed_cam, T_fixed_obj, here)
        table = np.array([(m.reflectance, m.gloss) for m in self._materials], np.float32)
        reflectance = infrared(np.take(table[:, 0], shown.material), shown.albedo)
        gloss, clear = np.take(table[:, 1], shown.material), np.zeros_like(shown.depth_m)
        if canvas.clear and isinstance(self._light, Illumination):
            rgb = glass.covered(rgb, canvas, camera, T_fixed_cam, self._light)
        for layer in canvas.clear:
            places = canvas.front(layer)
            pixel = canvas.pixels(layer, places)
            face, uv = layer.hits.face[places], layer.hits.uv[places]
            material = layer.surface.materials[0]
            normals = rotated(layer.surface.normals(face, uv), layer.T_cam_solid[:3, :3])
            shown.normals.reshape(-1, 3)[pixel] = normals
            albedo = layer.surface.colors(face, uv)
            dull = np.full(len(pixel), material.reflectance * (1 - material.clear), np.float32)
            reflectance.reshape(-1)[pixel] = infrared(dull, albedo)
            gloss.reshape(-1)[pixel], clear.reshape(-1)[pixel] = material.gloss, material.clear
        return Rendering(
            rgb,
            _seen(canvas.depth_m),
            shown.normals,
            canvas.instances(),
            canvas.amodal,
            reflectance,
            gloss,
            clear,
            _seen(canvas.behind_m),
        )

    def masks(
        self, camera: Camera, T_fixed_cam: FloatArray, T_fixed_obj: FloatArray
    ) -> tuple[ByteArray, BoolArray]:
        """Return the id image and the amodal masks of :class:`Rendering` alone, cheaply.

        :param camera: the rectified pinhole model.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        """
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
        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        :param present: (N,) bool, which of the objects are there; None = all.
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
    ) -> Canvas:
        canvas = Canvas(camera, len(self._objects))
        T_cam_fixed = inverse(T_fixed_cam)
        around = [(surface, T_cam_fixed, None) for surface in self._surroundings]
        objects = [
            (surface, T_cam_fixed @ T_fixed_obj[index], index)
            for index, surface in enumerate(self._objects)
        ]
        drawn = [
            (*what, first)
            for what, first in zip([*around, *objects], self._first_material, strict=False)
            if what[2] is None or present[what[2]]
        ]
        for surface, T_cam_solid, index, first in sorted(drawn, key=lambda d: _is_clear(d[0])):
            canvas.draw(surface, T_cam_solid, index, first)
        return canvas

    def _shaded(
        self,
        shown: Shown,
        sight: Float32Array,
        T_fixed_cam: FloatArray,
        T_fixed_obj: FloatArray,
        present: BoolArray,
    ) -> ByteArray:
        """Return the colours of opaque surfaces; shadows are made anew when something moved."""
        if self._shadow is None or not self._shadow.is_of(T_fixed_obj, present):
            if isinstance(self._light, Light):
                self._shadow = Shadow(self._light, self._objects, T_fixed_obj, present)
            else:
                around = [surface for surface in self._surroundings if not _is_clear(surface)]
                self._shadow = self._light.shadow(self._objects, around, T_fixed_obj, present)
        if isinstance(self._light, Light):
            assert isinstance(self._shadow, Shadow)
            return self._light.shade(
                shown.albedo, shown.normals, shown.depth_m, sight, T_fixed_cam, self._shadow
            )
        assert isinstance(self._shadow, SoftShadow)
        return self._light.shade(shown, self._materials, sight, T_fixed_cam, self._shadow)


def _is_clear(surface: Surface) -> bool:
    return surface.materials[0].clear > 0


def _seen(depth_m: Float32Array) -> Float32Array:
    """Return depth with NaN in place of inf."""
    seen: Float32Array = np.where(np.isfinite(depth_m), depth_m, np.float32(np.nan))
    return seen
