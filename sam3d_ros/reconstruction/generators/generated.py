# SPDX-License-Identifier: Apache-2.0
"""A generated mesh as a completion: fitted already, thinned, and judged by evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Float32Array, FloatArray, Mesh
from sam3d_ros.geometry.shapes.decimate import decimated
from sam3d_ros.geometry.shapes.gaussians import decode_gaussians, moved_gaussians
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.answers import agreement
from sam3d_ros.reconstruction.completion.completion import Completion, MadeSurface
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.generators.client import Arrays
from sam3d_ros.reconstruction.surface.scoring import score_mesh


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One of several generations of an object.

    :param surface: fitted to the evidence.
    :param seed: that it came from.
    """

    surface: MadeSurface
    seed: int


def placed_surface(
    made: Arrays, S_grid_mesh: FloatArray, S_grid_gaussians: FloatArray, max_faces: int
) -> MadeSurface:
    """Return what a worker made, in the grid frame.

    :param made: ``vertices``, ``faces``, ``colors`` and, where there are any, ``splats``.
    :param S_grid_mesh: (4, 4) similarity from the frame of the vertices.
    :param S_grid_gaussians: (4, 4) similarity from the frame of the splats.
    :param max_faces: of the result.
    """
    faces = made['faces']
    unlabelled = np.zeros(len(faces), np.uint8), np.zeros(len(faces), np.float32)
    vertices = apply(S_grid_mesh, made['vertices'].astype(np.float64)).astype(np.float32)
    mesh = decimated(Mesh(vertices, faces, made['colors'], *unlabelled), max_faces)
    gaussians: Gaussians | None = None
    if 'splats' in made:
        canonical = decode_gaussians(made['splats'].tobytes())
        gaussians = moved_gaussians(canonical, S_grid_gaussians)
    return MadeSurface(mesh.vertices_m, mesh.faces, mesh.colors, gaussians)


def chosen(candidates: Sequence[Candidate], evidence: Evidence, backend: str) -> Completion:
    """Return the candidate that the evidence speaks for as a completion.

    :param candidates: one or more.
    :param evidence: what was seen of the object.
    :param backend: name of the one that made them.
    """
    scores = []
    for candidate in candidates:
        surface = candidate.surface
        score = score_mesh(surface.vertices, surface.faces, evidence)
        scores.append(agreement(score))
    best = candidates[int(np.argmax(scores))]
    distance_m = signed_distance(best.surface, evidence.grid)
    away = np.clip(distance_m / evidence.grid.voxel_m, -30, 30)
    probability = (1.0 / (1.0 + np.exp(away))).astype(np.float32)
    return Completion(distance_m, probability, backend, seed=best.seed, surface=best.surface)


def signed_distance(surface: MadeSurface, grid: Grid) -> Float32Array:
    """Return (N, N, N) float32 signed distance to a surface, metres, < 0 inside.

    :param surface: in the grid frame.
    :param grid: whose voxel centres are asked about.
    """
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        np.ascontiguousarray(surface.vertices, np.float32),
        np.ascontiguousarray(surface.faces, np.uint32),
    )
    distance: Float32Array = scene.compute_signed_distance(grid.centres_m(), nsamples=3).numpy()
    return distance
