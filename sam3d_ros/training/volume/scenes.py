# SPDX-License-Identifier: Apache-2.0
"""Random table-top scenes: objects put down, piled or crowded, seen along a short orbit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.training.volume.objects import TrainingObject, load_object, settle
from sam3d_ros.world.light import random_light
from sam3d_ros.world.palette import random_color

TABLE_M = 2.0
PROBES = 300
"""Vertices per object that are tested for collisions."""
SCAN_SHARE = 0.4
"""Share of scans among the objects drawn."""
CROWDING = {'single': 1.0, 'spaced': 1.05, 'clutter': 0.62, 'pile': 0.4}
"""Least distance of two objects over the sum of their radii, by arrangement."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """An object in a scene: ``T_world_obj`` (4, 4) rigid, applied after ``scale``."""

    item: TrainingObject
    scale: float
    T_world_obj: FloatArray

    def distance_m(self, points_world: FloatArray) -> Float32Array:
        """Return the signed distance at (..., 3) world points, metres."""
        local = apply(inverse(self.T_world_obj), points_world) / self.scale
        return self.item.distance_m(local) * np.float32(self.scale)

    def vertices_world(self) -> FloatArray:
        """Return its (V, 3) float64 vertices in the world frame, metres."""
        return apply(self.T_world_obj, self.scale * self.item.vertices_m.astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One true frame.

    :param depth_m: (H, W) float32, inf = nothing.
    :param cosine: (H, W) float32 between ray and normal.
    :param ids: (H, W) int32 index of the object, -1 = table or nothing.
    :param rgb: (H, W, 3) uint8, without shadows; black where there is nothing.
    :param T_world_cam: (4, 4) float64.
    """

    depth_m: Float32Array
    cosine: Float32Array
    ids: IndexArray
    rgb: ByteArray
    T_world_cam: FloatArray


def draw_objects(
    solids: Sequence[Path], scans: Sequence[Path], count: int, rng: np.random.Generator
) -> list[TrainingObject]:
    """Return ``count`` objects, ``SCAN_SHARE`` of them scans where there are any."""
    chosen = []
    for _ in range(count):
        files = scans if not solids or (scans and rng.random() < SCAN_SHARE) else solids
        chosen.append(load_object(files[int(rng.integers(len(files)))]))
    return chosen


def arrange(
    items: Sequence[TrainingObject], kind: str, rng: np.random.Generator, vary: bool = True
) -> list[Placed]:
    """Put objects on the table z = 0; those that find no place are left out.

    :param kind: a name out of :data:`CROWDING`.
    :param vary: draw a scale for each object instead of keeping its own.
    """
    placed: list[Placed] = []
    for item in items:
        candidate = _draw_placement(item, kind, placed, rng, vary)
        if candidate is not None:
            placed.append(candidate)
    return placed


def _draw_placement(
    item: TrainingObject,
    kind: str,
    placed: Sequence[Placed],
    rng: np.random.Generator,
    vary: bool,
) -> Placed | None:
    longest = float(np.ptp(item.vertices_m, axis=0).max())
    scale = float(np.clip(rng.uniform(0.75, 1.35), 0.025 / longest, 0.32 / longest))
    scale = scale if vary else 1.0
    R = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    if rng.random() < 0.35:
        R = Rotation.from_euler('z', rng.uniform(0, 2 * np.pi)).as_matrix()
    if kind != 'pile' or rng.random() < 0.5:
        R = settle(item, R)
    resting = scale * item.vertices_m.astype(np.float64) @ R.T
    radius = float(np.linalg.norm(resting[:, :2], axis=1).max())
    reach = {'single': 0.02, 'spaced': 0.35}.get(kind, 0.2)
    for _ in range(12):
        xy = rng.uniform(-reach, reach, 2)
        if any(
            np.linalg.norm(xy - other.T_world_obj[:2, 3])
            < CROWDING[kind] * (radius + _radius(other))
            for other in placed
        ):
            continue
        T = transform(R, np.array([*xy, -resting[:, 2].min()]))
        candidate = Placed(item, scale, T)
        candidate = _lift(candidate, placed, 40 if kind == 'pile' else 0)
        if not _collides(candidate, placed):
            return candidate
    return None


def _radius(placed: Placed) -> float:
    offset = placed.vertices_world()[:, :2] - placed.T_world_obj[:2, 3]
    return float(np.linalg.norm(offset, axis=1).max())


def _lift(candidate: Placed, placed: Sequence[Placed], steps: int) -> Placed:
    """Raise an object in steps of 6 mm until it is clear of the others."""
    for _ in range(steps):
        if not _collides(candidate, placed):
            break
        T = candidate.T_world_obj.copy()
        T[2, 3] += 0.006
        candidate = Placed(candidate.item, candidate.scale, T)
    return candidate


def _collides(candidate: Placed, placed: Sequence[Placed]) -> bool:
    return any(_sinks(candidate, other) or _sinks(other, candidate) for other in placed)


def _sinks(one: Placed, other: Placed) -> bool:
    vertices = one.vertices_world()
    probes = vertices[:: max(len(vertices) // PROBES, 1)]
    return bool((other.distance_m(probes) < -0.001).mean() > 0.01)


def draw_camera(rng: np.random.Generator) -> Camera:
    """Return a random RGB-D camera, 640x480 or half of it."""
    half = rng.random() < 0.25
    width, height = (320, 240) if half else (640, 480)
    focal = rng.uniform(0.75, 0.97) * width
    K = np.array([[focal, 0, width / 2 - 0.5], [0, focal, height / 2 - 0.5], [0, 0, 1.0]])
    return Camera(width, height, K)


def draw_orbit(count: int, rng: np.random.Generator) -> list[FloatArray]:
    """Return ``count`` camera poses ``T_world_cam`` along a random arc of 5 to 60 degrees."""
    distance, elevation = rng.uniform(0.5, 1.2), np.radians(rng.uniform(20, 65))
    start, arc = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(5, 60))
    target = np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(0.0, 0.08)])
    poses = []
    for fraction in np.linspace(0.0, 1.0, count):
        azimuth = start + fraction * arc
        offset = np.array(
            [
                np.cos(elevation) * np.cos(azimuth),
                np.cos(elevation) * np.sin(azimuth),
                np.sin(elevation),
            ]
        )
        poses.append(_look_at(target + distance * offset, target, rng.normal(0, 0.03)))
    return poses


def _look_at(eye: FloatArray, target: FloatArray, roll_rad: float) -> FloatArray:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward], axis=1)
    return transform(R @ Rotation.from_euler('z', roll_rad).as_matrix(), eye)


class Renderer:
    """Draws frames of placed objects on a table of one colour, under one lamp."""

    def __init__(self, placed: Sequence[Placed], rng: np.random.Generator) -> None:
        self._light = random_light(rng)
        table = TABLE_M * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(table, np.array([[0, 1, 2], [0, 2, 3]], np.uint32))
        for thing in placed:
            vertices = thing.vertices_world().astype(np.float32)
            self._scene.add_triangles(vertices, thing.item.faces.astype(np.uint32))
        self._table_color = random_color(rng).astype(np.float32)
        self._corner_colors = [thing.item.colors[thing.item.faces] for thing in placed]

    def render(self, camera: Camera, T_world_cam: FloatArray) -> Rendering:
        """Return the true frame that a camera at ``T_world_cam`` sees."""
        directions = rays(camera) @ T_world_cam[:3, :3].T.astype(np.float32)
        origins = np.broadcast_to(T_world_cam[:3, 3].astype(np.float32), directions.shape)
        hits = {
            name: part.numpy()
            for name, part in self._scene.cast_rays(
                np.concatenate([origins, directions], axis=-1)
            ).items()
        }
        normals = hits['primitive_normals']
        facing = (normals * directions).sum(axis=-1)
        outward = -np.copysign(1.0, facing)[..., None] * normals
        # Geometry 0 is the table, i + 1 is object i; the largest number stands for no hit.
        ids = hits['geometry_ids'].astype(np.int64)
        ids = np.where(ids < 2**31, ids - 1, -1).astype(np.int32)
        hit = np.isfinite(hits['t_hit'])
        albedo = self._albedo(ids, hits['primitive_ids'], hits['primitive_uvs'])
        return Rendering(
            depth_m=hits['t_hit'],
            cosine=np.abs(facing) / np.linalg.norm(directions, axis=-1),
            ids=ids,
            rgb=self._light.reflected(albedo * hit[..., None], outward, np.eye(3)),
            T_world_cam=T_world_cam,
        )

    def _albedo(
        self, ids: IndexArray, triangles: IndexArray, coordinates: Float32Array
    ) -> Float32Array:
        """(H, W, 3) colours, 0..255: of the object hit, else of the table."""
        albedo = np.broadcast_to(self._table_color, (*ids.shape, 3)).copy()
        for index, corners in enumerate(self._corner_colors):
            here = ids == index
            u, v = coordinates[here].T
            weights = np.stack([1.0 - u - v, u, v], axis=-1)
            albedo[here] = np.einsum('pk,pkc->pc', weights, corners[triangles[here]])
        return albedo
