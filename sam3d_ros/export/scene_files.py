# SPDX-License-Identifier: Apache-2.0
"""A scene as a folder: scene.json, each object's mesh as PLY and GLB, all of them in scene.glb;
Gaussians of those that have them, and all of them in scene_gaussians.ply.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sam3d_ros.core.types import FaceLabel, Mesh, Scene, Surface
from sam3d_ros.export.glb import write_glb
from sam3d_ros.export.ply import write_ply
from sam3d_ros.export.scene_json import (
    answer_file,
    answer_surfaces,
    read_scene_json,
    write_scene_json,
)
from sam3d_ros.geometry.shapes.gaussians import encode_gaussians, object_gaussians, scene_gaussians
from sam3d_ros.messages.results.meshes import mesh_hash

MESHES = 'meshes'
SCENE_GLB = 'scene.glb'
GAUSSIANS, SCENE_GAUSSIANS = 'gaussians', 'scene_gaussians.ply'


def mesh_name(object_id: int, content_hash: str) -> str:
    """Return a file name without suffix that changes with the content: viewers cache by name.

    :param object_id: whose mesh it is.
    :param content_hash: of the mesh.
    """
    return f'{object_id}_{content_hash[:8]}'


def write_scene(scene: Scene, folder: Path) -> dict[int, Path]:
    """Write a scene into ``folder`` (made when missing); return each object's PLY file by id."""
    (folder / MESHES).mkdir(parents=True, exist_ok=True)
    files: dict[int, Path] = {}
    for item in scene.objects:
        stem = folder / MESHES / mesh_name(item.id, mesh_hash(item.mesh))
        files[item.id] = stem.with_suffix('.ply')
        write_ply(files[item.id], item.mesh)
        for name, surface in answer_surfaces(item.mesh).items():
            write_ply(answer_file(files[item.id], name), _plain(surface))
        write_glb(stem.with_suffix('.glb'), [(str(item.id), item.mesh, np.eye(4))])
    write_glb(
        folder / SCENE_GLB,
        [(str(item.id), item.mesh, item.T_fixed_obj) for item in scene.objects],
    )
    shown = [item for item in scene.objects if item.mesh.gaussians is not None]
    if shown:
        (folder / GAUSSIANS).mkdir(exist_ok=True)
        for item in shown:
            path = folder / GAUSSIANS / files[item.id].name
            path.write_bytes(encode_gaussians(object_gaussians(item.mesh), 'object frame'))
        everything = scene_gaussians(replace(scene, objects=tuple(shown)))
        (folder / SCENE_GAUSSIANS).write_bytes(encode_gaussians(everything, 'fixed frame'))
    write_scene_json(folder, scene, {id_: f'{MESHES}/{file.name}' for id_, file in files.items()})
    return files


def _plain(surface: Surface) -> Mesh:
    """A mesh without colours, of which nothing was observed."""
    count = len(surface.faces)
    return Mesh(
        vertices_m=surface.vertices_m,
        faces=surface.faces,
        colors=np.full((len(surface.vertices_m), 3), 160, np.uint8),
        face_labels=np.full(count, FaceLabel.OCCLUDED, np.uint8),
        face_confidence=np.zeros(count, np.float32),
    )


def read_scene(folder: Path) -> Scene:
    """Return the scene that :func:`write_scene` wrote into ``folder``.

    :raises InputError: when a file is missing or malformed.
    """
    return read_scene_json(folder)
