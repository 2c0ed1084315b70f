# SPDX-License-Identifier: Apache-2.0
"""Training objects: procedural solids and scans, each with its signed distance on a grid.

A field is computed once per object and sampled for every view of it, which is some twenty times
cheaper than asking the mesh for every view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import open3d as o3d
from scipy.ndimage import map_coordinates
from scipy.spatial import ConvexHull

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.world.meshes import ScanEntry, indexed_scans, load_scan
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.solid import Solid

FIELD_STEPS = 60
"""Steps of a field along the longest extent."""
FIELD_PAD = 0.12
"""How far a field reaches beyond the object, as a share of the longest extent."""
HELD_OUT_EVERY = 8
"""Every eighth object of each source, the first one too, is kept for validation."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingObject:
    """A solid and its signed distance.

    :param vertices_m: (V, 3) float32, centred on the box, metres.
    :param faces: (F, 3) int32.
    :param colors: (V, 3) uint8 RGB.
    :param field_m: (nx, ny, nz) float32 signed distance, metres, < 0 inside.
    :param origin_m: (3,) float64 position of ``field_m[0, 0, 0]``.
    :param step_m: spacing of the field, metres.
    """

    name: str
    family: str
    vertices_m: Float32Array
    faces: IndexArray
    colors: ByteArray
    field_m: Float32Array
    origin_m: FloatArray
    step_m: float

    def distance_m(self, points_m: FloatArray) -> Float32Array:
        """Return the signed distance at (..., 3) points of the object frame, metres.

        Beyond the field the value at its border is returned.
        """
        at = ((points_m - self.origin_m) / self.step_m).astype(np.float32)
        at = np.moveaxis(at, -1, 0)
        distance: Float32Array = map_coordinates(self.field_m, at, order=1, mode='nearest')
        return distance

    def centre_m(self) -> FloatArray:
        """Return the (3,) centre of mass in the object frame, of uniform density."""
        inside = np.argwhere(self.field_m < 0)
        return self.origin_m + self.step_m * inside.mean(axis=0)

    def contains(self, points_m: FloatArray) -> BoolArray:
        """Return which of (..., 3) points of the object frame lie inside."""
        inside: BoolArray = self.distance_m(points_m) < 0
        return inside


def make_object(solid: Solid) -> TrainingObject:
    """Return the training object of a closed solid."""
    low, high = solid.vertices_m.min(axis=0), solid.vertices_m.max(axis=0)
    vertices_m = (solid.vertices_m - 0.5 * (low + high)).astype(np.float32)
    extent = (high - low).astype(np.float64)
    step = extent.max() / FIELD_STEPS
    half = 0.5 * extent + FIELD_PAD * extent.max()
    axes = [np.arange(-h, h + step, step).astype(np.float32) for h in half]
    points = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(vertices_m, solid.faces.astype(np.uint32))
    field = scene.compute_signed_distance(points, nsamples=3).numpy()
    return TrainingObject(
        solid.name, solid.family, vertices_m, solid.faces, solid.colors, field, -half, float(step)
    )


def scans(folder: Path, split: str) -> list[ScanEntry]:
    """Return the scans of one split, in the order of ``folder``/index.json.

    :raises InputError: without an index, since nothing then keeps test scans out.
    """
    index = folder / 'index.json'
    if not index.is_file():
        raise InputError(f'no {index}', wanted='the index of a folder of scanned objects')
    return [entry for entry in indexed_scans(index) if entry.split == split]


def draw_solid(seed: int, families: Sequence[str] = ()) -> TrainingObject:
    """Return the procedural solid of a seed, of one of ``families`` where any are named."""
    solid = random_solid(np.random.default_rng(seed), families)
    return make_object(solid.renamed(f'{solid.family}_{seed}'))


def write_pool(
    out: Path,
    scan_folder: Path | None,
    solids: int,
    split: str = 'train',
    families: Sequence[str] = (),
) -> None:
    """Write ``solids`` procedural objects and the scans of a split to ``out``, once each.

    :param families: of the solids; all when empty.
    """
    out.mkdir(parents=True, exist_ok=True)
    for seed in range(solids):
        file = out / f'solid_{seed:05d}.npz'
        if not file.exists():
            _save(file, draw_solid(seed, families))
    for number, scan in enumerate(scans(scan_folder, split) if scan_folder else ()):
        file = out / f'scan_{number:05d}.npz'
        if not file.exists():
            _save(file, make_object(load_scan(scan)))


def pool_files(folder: Path, held_out: bool) -> tuple[list[Path], list[Path]]:
    """Return the solids and the scans of a pool that belong to training or are held out."""
    parts = []
    for kind in ('solid', 'scan'):
        files = sorted(folder.glob(f'{kind}_*.npz'))
        parts.append([file for file in files if (_number(file) % HELD_OUT_EVERY == 0) == held_out])
    return parts[0], parts[1]


def _number(file: Path) -> int:
    return int(file.stem.rsplit('_', 1)[1])


@lru_cache(maxsize=256)
def load_object(file: Path) -> TrainingObject:
    """Return an object of a pool; the last ones stay in memory."""
    with np.load(file) as data:
        return TrainingObject(
            str(data['name']),
            str(data['family']),
            data['vertices_m'],
            data['faces'],
            data['colors'],
            data['field_m'].astype(np.float32),
            data['origin_m'],
            float(data['step_m']),
        )


def _save(file: Path, item: TrainingObject) -> None:
    part = file.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez(
            stream,
            name=item.name,
            family=item.family,
            vertices_m=item.vertices_m,
            faces=item.faces,
            colors=item.colors,
            field_m=item.field_m.astype(np.float16),
            origin_m=item.origin_m,
            step_m=item.step_m,
        )
    part.rename(file)


def settle(item: TrainingObject, R_world_obj: FloatArray) -> FloatArray:
    """Return the rotation in which an object let go at ``R_world_obj`` comes to rest on a table.

    It rolls: from the facet that faces down most, over the edge beyond which the centre of mass
    projects, until the projection lies inside the facet.
    """
    hull = ConvexHull(item.vertices_m.astype(np.float64))
    centre = item.centre_m()
    facet = int(np.argmin(hull.equations[:, :3] @ R_world_obj.T[:, 2]))
    for _ in range(len(hull.simplices)):
        normal = hull.equations[facet, :3]
        corners = hull.points[hull.simplices[facet]]
        foot = centre - normal * (hull.equations[facet] @ np.append(centre, 1.0))
        weights = np.linalg.lstsq(
            np.vstack([corners.T, np.ones(3)]), np.append(foot, 1.0), rcond=None
        )[0]
        if weights.min() >= -1e-6:
            break
        facet = int(hull.neighbors[facet, int(np.argmin(weights))])
    return _turn_down(hull.equations[facet, :3], R_world_obj)


def _turn_down(normal: FloatArray, R_world_obj: FloatArray) -> FloatArray:
    """Return ``R_world_obj`` followed by the smallest turn that brings ``normal`` to -z."""
    n = R_world_obj @ normal
    cross, cosine = np.cross(n, [0.0, 0.0, -1.0]), -n[2]
    if cosine < -1.0 + 1e-9:
        return np.diag([1.0, -1.0, -1.0]) @ R_world_obj
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    turned: FloatArray = (np.eye(3) + skew + skew @ skew / (1.0 + cosine)) @ R_world_obj
    return turned
