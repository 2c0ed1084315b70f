# SPDX-License-Identifier: Apache-2.0
"""Baking: every texel of an atlas gets the look of its place on the surface."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, FloatArray, Mesh, Texture
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.appearance import coloured
from sam3d_ros.reconstruction.atlas import unwrap
from sam3d_ros.reconstruction.evidence import Evidence
from sam3d_ros.reconstruction.meshing import vertex_normals
from sam3d_ros.reconstruction.raster import cover

OVERSAMPLING = 1.5
"""Texels along an edge for each pixel of the nearest view: between pixels lies information too,
once several views are put together."""


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
    empty = np.ones(len(image), bool)
    empty[covered.pixel] = False
    shape = (atlas.height, atlas.width)
    size = np.array([atlas.width, atlas.height], np.float32)
    return Texture(_dilated(image.reshape(*shape, 3), empty.reshape(shape)), atlas.uv_px / size)


def pixels_per_m(evidence: Evidence) -> float:
    """Return how many pixels the nearest view spends on a metre of the object."""
    return max(
        float(view.camera.fx / np.median(view.pointmap[view.own][:, 2]))
        for view in evidence.views
        if view.own.any()
    )


def _dilated(image: ByteArray, empty: BoolArray) -> ByteArray:
    """Give texels between charts the colour of the nearest one that is on the surface.

    Filters and smaller copies of the image then mix nothing foreign into the seams.
    """
    _, labels = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    nearest[labels[~empty]] = image[~empty]
    filled: ByteArray = nearest[labels]
    return filled
