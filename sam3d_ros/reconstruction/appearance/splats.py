# SPDX-License-Identifier: Apache-2.0
"""Scenes as Gaussians: of meshes and what their views show, trained where a GPU can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sam3d_ros.core.types import Scene
from sam3d_ros.geometry.shapes.gaussians import object_gaussians
from sam3d_ros.reconstruction.appearance.splat_refinement import can_refine, refined
from sam3d_ros.reconstruction.appearance.texture import TextureSource


def with_gaussians(scene: Scene, sources: Mapping[int, TextureSource]) -> Scene:
    """Return a scene whose objects have Gaussians; takes seconds, from any thread.

    They cover the mesh and have the colours of its texture. With ``gsplat`` and a GPU they are
    then trained on the kept views. What a backend made stays as it is.

    :param scene: with textures, as :func:`texture.with_textures` returns it.
    :param sources: what the textures were made from.
    """
    trains = can_refine()
    objects = []
    for item in scene.objects:
        mesh, source = item.mesh, sources.get(item.id)
        if len(mesh.faces) and mesh.gaussians is None:
            made = object_gaussians(mesh)
            if trains and source is not None:
                made = refined(made, source.views, source.T_ref_obj)
            mesh = replace(mesh, gaussians=made)
        objects.append(replace(item, mesh=mesh))
    return replace(scene, objects=tuple(objects))
