# SPDX-License-Identifier: Apache-2.0
"""Baking: every texel of an atlas gets the look of its place on the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.types import FloatArray, Mesh, Scene, Texture
from sam3d_ros.geometry.shapes.meshes import vertex_normals
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.appearance.appearance import coloured, nearest_known
from sam3d_ros.reconstruction.appearance.atlas import unwrap
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.evidence.raster import cover
from sam3d_ros.reconstruction.views import View

OVERSAMPLING = 1.5
"""Texels along an edge for each pixel of the nearest view: between pixels lies information too,
once several views are put together."""


@dataclass(frozen=True, slots=True, eq=False)
class TextureSource:
    """All that the texture of one object's mesh is made from; nothing in it changes later.

    :param mesh: in the object frame.
    :param views: all with the same ref.
    :param T_ref_obj: (4, 4) float64, object frame to the views' ref.
    :param config: as the mesh was made with.
    """

    mesh: Mesh
    views: tuple[View, ...]
    T_ref_obj: FloatArray
    config: ReconstructionConfig

    def texture(self) -> Texture:
        """Return the texture of the mesh."""
        evidence = build_evidence(self.views, self.config.evidence)
        T_grid_obj = inverse(evidence.grid.T_ref_grid) @ self.T_ref_obj
        return bake(self.mesh, evidence, T_grid_obj, self.config.texture_px)


def bake(mesh: Mesh, evidence: Evidence, T_grid_obj: FloatArray, limit_px: int) -> Texture:
    """Return the texture of a mesh from the views of its evidence.

    :param mesh: in the object frame, along whose axes it is cut into charts.
    :param T_grid_obj: (4, 4) object frame to the evidence's grid frame.
    :param limit_px: most columns, and most rows, of the image.
    """
    vertices = apply(T_grid_obj, mesh.vertices_m.astype(np.float64)).astype(np.float32)
    normals = vertex_normals(vertices, mesh.faces)
    appearance, _ = coloured(vertices, normals, evidence)
    wished = OVERSAMPLING * pixels_per_m(evidence)
    atlas = unwrap(mesh.vertices_m, mesh.faces, wished, limit_px)
    covered = cover(atlas.uv_px.astype(np.float64) - 0.5, atlas.width, atlas.height)
    weights = covered.weights.astype(np.float32)
    corners = mesh.faces[covered.face]
    points = np.einsum('tc,tcx->tx', weights, vertices[corners])
    directions = np.einsum('tc,tcx->tx', weights, normals[corners])
    image = np.zeros((atlas.height * atlas.width, 3), np.uint8)
    image[covered.pixel] = appearance.colors(points, directions)
    known = np.zeros(len(image), bool)
    known[covered.pixel] = True
    shape = (atlas.height, atlas.width)
    # Filters and smaller copies of the image must not mix the gaps between charts into them.
    filled = image[nearest_known(known.reshape(shape))].reshape(*shape, 3)
    uv = atlas.uv_px / np.array([atlas.width, atlas.height])
    return Texture(filled, uv.astype(np.float32))


def pixels_per_m(evidence: Evidence) -> float:
    """Return how many pixels the nearest view spends on a metre of the object."""
    return max(
        float(view.camera.fx / np.median(view.pointmap[view.own][:, 2]))
        for view in evidence.views
        if view.own.any()
    )


def with_textures(scene: Scene, sources: Mapping[int, TextureSource]) -> Scene:
    """Return a scene with textures on its meshes; takes seconds, from any thread.

    :param scene: what ``Session.texture_sources`` was asked about.
    :param sources: what it returned.
    """
    objects = tuple(
        replace(item, mesh=replace(item.mesh, texture=sources[item.id].texture()))
        if item.id in sources
        else item
        for item in scene.objects
    )
    return replace(scene, objects=objects)
