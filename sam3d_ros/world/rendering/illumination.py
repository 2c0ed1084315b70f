# SPDX-License-Identifier: Apache-2.0
"""Light as in a room: coloured lamps with soft shadows, a window's gradient, reflections.

Diffuse reflection is Lambert's, highlights are Blinn's (1977) with the usual normalisation, their
strength over the angle is Schlick's approximation of Fresnel (1994). What smooth surfaces mirror
is a small picture of the room, folded onto an octahedron (Engelhardt, Dachsbacher 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray
from sam3d_ros.world.rendering.canvas import Shown
from sam3d_ros.world.rendering.light import Light
from sam3d_ros.world.rendering.softshadow import SoftShadow
from sam3d_ros.world.rendering.surface import Surface, looked_up, rotated
from sam3d_ros.world.solid import Material

ROOM_PX = 64
ROOM_BLURS = (0.8, 5.0)
"""Sigma, pixels, of the room as a polished surface and a rough one mirrors it."""
POLISHED = 0.6
"""Gloss from which on the room is mirrored sharply."""
F0 = 0.04
"""What plastic, lacquer and glass mirror of light from straight ahead."""
BIAS_M = 0.004


@dataclass(frozen=True, slots=True, eq=False)
class Lamp:
    """A distant lamp or window.

    :param direction: (3,) float64 unit, towards the lamp, fixed frame.
    :param color: (3,) float64 RGB strength, about 0..1.
    :param softness_m: sigma of the blurred edges of its shadows.
    """

    direction: FloatArray
    color: FloatArray
    softness_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Illumination:
    """All light of a room.

    :param lamps: at least one.
    :param sky: (3,) float64 RGB strength of the light from everywhere.
    :param contact: 0..1, how far narrow corners lose the light from everywhere.
    :param gradient: (3,) float64 per metre, fixed frame: light grows by this exponent that way.
    :param room: (2, ROOM_PX, ROOM_PX, 3) float32 octahedral pictures of the room, 0..255.
    """

    lamps: tuple[Lamp, ...]
    sky: FloatArray
    contact: float
    gradient: FloatArray
    room: Float32Array

    def shadow(
        self,
        objects: Sequence[Surface],
        around: Sequence[Surface],
        T_fixed_obj: FloatArray,
        present: BoolArray,
    ) -> SoftShadow:
        """Return the shadows of objects at these poses.

        :param around: surfaces in the fixed frame that cast shadows too.
        :param T_fixed_obj: (N, 4, 4) poses of the objects in the fixed frame.
        :param present: (N,) bool, which of the objects are there.
        """
        directions = np.stack([lamp.direction for lamp in self.lamps])
        softness = [lamp.softness_m for lamp in self.lamps]
        return SoftShadow(directions, softness, objects, around, T_fixed_obj, present)

    def shade(
        self,
        shown: Shown,
        materials: Sequence[Material],
        rays: Float32Array,
        T_fixed_cam: FloatArray,
        shadow: SoftShadow,
    ) -> ByteArray:
        """Return (H, W, 3) uint8 colours of what a picture shows.

        :param shown: surface, colour and normal of each pixel.
        :param materials: those that ``shown`` counts.
        :param rays: (H, W, 3) float32 rays with z = 1, optical frame.
        :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
        :param shadow: of the objects as they stand.
        """
        depth = np.where(np.isfinite(shown.depth_m), shown.depth_m, np.float32(0))
        points = rays * depth[..., None]
        points += np.float32(BIAS_M) * shown.normals
        lit = shadow.lit(points, T_fixed_cam)
        light = self._irradiance(points, shown.normals, lit, T_fixed_cam, shadow)
        rgb = np.asarray(cv2.multiply(shown.albedo, light, dtype=cv2.CV_8U), np.uint8)
        nothing = np.flatnonzero(shown.material == 0)
        if len(nothing):
            beyond = rotated(np.take(rays.reshape(-1, 3), nothing, axis=0), T_fixed_cam[:3, :3])
            far = self.room_colors(beyond, np.zeros(len(nothing), bool))
            rgb.reshape(-1, 3)[nothing] = np.clip(far, 0, 255).astype(np.uint8)
        table = np.array([(m.gloss, m.metal) for m in materials], np.float32)
        glossy = np.flatnonzero(np.take(table[:, 0] > 0, shown.material))
        if len(glossy):
            gloss, metal = table[np.take(shown.material, glossy)].T
            albedo = np.take(shown.albedo.reshape(-1, 3), glossy, axis=0)
            mirrored, kept = self.reflections(
                np.take(rays.reshape(-1, 3), glossy, axis=0),
                np.take(shown.normals.reshape(-1, 3), glossy, axis=0),
                gloss,
                np.take(lit.reshape(-1, len(self.lamps)), glossy, axis=0),
                T_fixed_cam[:3, :3],
                F0 + metal[:, None] * (albedo * np.float32(0.9 / 255) - F0),
            )
            flat = rgb.reshape(-1, 3)
            below = (flat[glossy] * (1 - metal * np.float32(0.6))[:, None]) * kept
            flat[glossy] = np.clip(below + mirrored, 0, 255).astype(np.uint8)
        return rgb

    def reflections(
        self,
        sight: Float32Array,
        normals: Float32Array,
        gloss: Float32Array,
        lit: Float32Array,
        R_fixed_cam: FloatArray,
        f0: Float32Array | float = F0,
    ) -> tuple[Float32Array, Float32Array]:
        """Return what surfaces mirror, (N, 3) 0..255, and the share of other light they keep.

        :param sight: (N, 3) float32 from the camera, any length, optical axes.
        :param normals: (N, 3) float32 unit, optical axes.
        :param gloss: (N,) float32, 0..1.
        :param lit: (N, L) float32 shares of the lamps that reach them.
        :param R_fixed_cam: (3, 3) optical axes to those of the fixed frame.
        :param f0: share mirrored from straight ahead, for all, or (N, 3).
        """
        view = sight / np.sqrt(np.einsum('ij,ij->i', sight, sight))[:, None]
        along = np.einsum('ij,ij->i', view, normals)
        mirror = view - 2 * along[:, None] * normals
        grazing = (1 - np.minimum(np.abs(along), 1)) ** 5
        smooth = gloss[:, None]
        fresnel = (f0 + (1 - f0) * grazing[:, None] * smooth).astype(np.float32)
        found = self.room_colors(rotated(mirror, R_fixed_cam), gloss > POLISHED)
        found *= smooth
        exponent = np.exp2(1 + 10 * gloss)
        for number, lamp in enumerate(self.lamps):
            toward = (R_fixed_cam.T @ lamp.direction).astype(np.float32)
            half = toward - view
            half /= np.sqrt(np.einsum('ij,ij->i', half, half))[:, None]
            cosine = np.clip(np.einsum('ij,ij->i', half, normals), 1e-3, 1)
            lobe = (exponent + 8) / 8 * np.exp(exponent * np.log(cosine))
            lobe *= lit[:, number] * gloss
            found += lobe[:, None] * (255 * lamp.color).astype(np.float32)
        return found * fresnel, 1 - fresnel

    def room_colors(self, directions: Float32Array, polished: BoolArray) -> Float32Array:
        """Return (N, 3) float32 colours of the room in (N, 3) directions, fixed frame.

        :param polished: (N,) bool, whether the room is mirrored sharply.
        """
        x, y, z = directions.T
        total = np.abs(x) + np.abs(y) + np.abs(z) + np.float32(1e-6)
        u, v = x / total, y / total
        below = z < 0
        folded_u = np.where(below, np.copysign(1 - np.abs(v), u), u)
        folded_v = np.where(below, np.copysign(1 - np.abs(u), v), v)
        column = (folded_u + 1) * np.float32((ROOM_PX - 1) / 2)
        row = (folded_v + 1) * np.float32((ROOM_PX - 1) / 2)
        row += np.where(polished, np.float32(0), np.float32(ROOM_PX))
        return looked_up(self.room.reshape(2 * ROOM_PX, ROOM_PX, 3), column, row)

    def _irradiance(
        self,
        points: Float32Array,
        normals: Float32Array,
        lit: Float32Array,
        T_fixed_cam: FloatArray,
        shadow: SoftShadow,
    ) -> Float32Array:
        """Return (H, W, 3) float32 factors on albedo."""
        R_cam_fixed = T_fixed_cam[:3, :3].T
        toward = [R_cam_fixed @ lamp.direction for lamp in self.lamps]
        axes = np.stack([*toward, R_cam_fixed[:, 2]])
        cosines = [cv2.transform(normals, axis[None]) for axis in axes]
        open_sky = shadow.openness(points, T_fixed_cam)
        open_sky *= np.float32(self.contact)
        open_sky += np.float32(1 - self.contact)
        up = cosines.pop() * np.float32(0.25)
        up += np.float32(0.75)
        open_sky *= up
        shares = [np.maximum(c, 0) * lit[..., k] for k, c in enumerate(cosines)]
        colors = np.column_stack([lamp.color for lamp in self.lamps] + [self.sky])
        light = np.asarray(cv2.transform(cv2.merge([*shares, open_sky]), colors), np.float32)
        if np.any(self.gradient):
            growth = cv2.transform(points, (R_cam_fixed @ self.gradient)[None])
            light *= cv2.exp(np.clip(growth - growth.mean(), -0.6, 0.6))[..., None]
        return light


def room_directions() -> Float32Array:
    """Return (ROOM_PX, ROOM_PX, 3) float32 unit directions of a room picture's pixels."""
    at = np.linspace(-1, 1, ROOM_PX)
    u, v = np.meshgrid(at, at)
    z = 1 - np.abs(u) - np.abs(v)
    below = z < 0
    x = np.where(below, np.copysign(1 - np.abs(v), u), u)
    y = np.where(below, np.copysign(1 - np.abs(u), v), v)
    directions = np.stack([x, y, z], axis=-1)
    return (directions / np.linalg.norm(directions, axis=-1, keepdims=True)).astype(np.float32)


def blurred_room(picture: Float32Array) -> Float32Array:
    """Return the (2, ROOM_PX, ROOM_PX, 3) room, sharp and blurred, of a (ROOM_PX, ROOM_PX, 3)."""
    return np.stack([cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in ROOM_BLURS])


def simple(light: Light) -> Illumination:
    """Return the illumination that is closest to one lamp and an even sky."""
    lamp = Lamp(light.direction, np.full(3, light.exposure * (1 - light.ambient)), 0.006)
    sky = np.full(3, light.exposure * light.ambient)
    height = room_directions()[..., 2:]
    room = 255 * light.exposure * np.clip(0.45 + 0.45 * height, 0.15, 1) * np.ones(3)
    return Illumination((lamp,), sky, 0.0, np.zeros(3), blurred_room(room.astype(np.float32)))
