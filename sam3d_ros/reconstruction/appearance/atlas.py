# SPDX-License-Identifier: Apache-2.0
"""A UV atlas: the surface cut into charts along the object's axes, packed by xatlas.

Each chart is a connected part of the surface that faces one of the six axis directions, laid flat
along it: on boxes without any stretch, elsewhere by a few percent on average. xatlas can make
charts of least stretch itself, at ten to thirty times the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xatlas
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import face_normals

DIRECTIONS = np.concatenate([np.eye(3), -np.eye(3)])
SMOOTHING, VOTES = 6, 6
"""Rounds in which faces lean towards the normals, then the directions, of their neighbours."""

OWN, VOTE = 0.25, 0.35
"""Weight of a face's own normal in a round of smoothing, and of each neighbour's vote."""

STEEPEST = 0.25
"""Least cosine between a face and a direction that its neighbours may talk it into."""

PADDING_PX = 2
FILL = 0.75
"""Share of an atlas that charts cover, roughly."""

ATTEMPTS = 6
"""How often an atlas that came out too large is packed again at a smaller scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """A surface laid flat.

    :param uv_px: (F, 3, 2) float32 column and row of every face corner in the image, from the
        outer corner of its first pixel, whose centre is (0.5, 0.5).
    :param width: columns of the image, px.
    :param height: rows of the image, px.
    """

    uv_px: Float32Array
    width: int
    height: int


def unwrap(vertices: Float32Array, faces: IndexArray, pixels_per_m: float, limit_px: int) -> Atlas:
    """Return the atlas of a closed surface, with charts along the axes of the vertices' frame.

    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param pixels_per_m: wished resolution; less where the atlas would exceed the limit.
    :param limit_px: most columns, and most rows, of the atlas; only a surface in so many pieces
        that the gaps between them take more gets a larger one.
    """
    normals = face_normals(vertices, faces).astype(np.float64)
    twice_m2 = np.linalg.norm(normals, axis=1)
    adjacent = _adjacency(faces)
    direction = _directions(normals / np.maximum(twice_m2, 1e-20)[:, None], adjacent)
    chart = _connected(direction, adjacent)
    axis = (direction % 3)[:, None, None]
    corners = vertices[faces]
    flat_m = np.concatenate(
        [np.take_along_axis(corners, (axis + step) % 3, axis=2) for step in (1, 2)], axis=2
    )
    scale = min(pixels_per_m, limit_px * float(np.sqrt(2.0 * FILL / twice_m2.sum())))
    for _ in range(ATTEMPTS):
        atlas = _packed(flat_m * np.float32(scale), faces, chart)
        longer = max(atlas.width, atlas.height)
        if longer <= limit_px:
            break
        scale *= 0.95 * limit_px / longer
    return atlas


def _adjacency(faces: IndexArray) -> Any:
    """(F, F) sparse matrix, 1 where two faces share an edge."""
    edges = np.sort(np.stack([faces, faces[:, [1, 2, 0]]], axis=2).reshape(-1, 2), axis=1)
    key = edges[:, 0].astype(np.int64) * (int(faces.max()) + 1) + edges[:, 1]
    order = np.argsort(key, kind='stable')
    same = key[order[1:]] == key[order[:-1]]
    a, b = order[:-1][same] // 3, order[1:][same] // 3
    ones = np.ones(2 * len(a))
    shape = (len(faces), len(faces))
    return csr_array((ones, (np.concatenate([a, b]), np.concatenate([b, a]))), shape=shape)


def _directions(normals: FloatArray, adjacent: Any) -> IndexArray:
    """(F,) index into DIRECTIONS: what each face and its neighbours lean to."""
    leaning = normals
    for _ in range(SMOOTHING):
        leaning = OWN * normals + (1.0 - OWN) / 3.0 * (adjacent @ leaning)
    facing, wish = normals @ DIRECTIONS.T, leaning @ DIRECTIONS.T
    possible = facing >= np.minimum(STEEPEST, facing.max(axis=1, keepdims=True))
    chosen = np.argmax(np.where(possible, wish, -np.inf), axis=1)
    for _ in range(VOTES):
        votes = adjacent @ np.eye(len(DIRECTIONS))[chosen]
        chosen = np.argmax(np.where(possible, wish + VOTE * votes, -np.inf), axis=1)
    return chosen.astype(np.int32)


def _connected(direction: IndexArray, adjacent: Any) -> IndexArray:
    """(F,) number of the connected part of one direction that each face is in."""
    pairs = adjacent.tocoo()
    same = direction[pairs.row] == direction[pairs.col]
    links = (pairs.data[same], (pairs.row[same], pairs.col[same]))
    _, part = connected_components(csr_array(links, shape=adjacent.shape), directed=False)
    return np.asarray(part, np.int32)


def _packed(flat_px: Float32Array, faces: IndexArray, chart: IndexArray) -> Atlas:
    """Pack charts of (F, 3, 2) flat corners, px, without changing their size."""
    corner = chart[:, None].astype(np.int64) * (int(faces.max()) + 1) + faces
    _, first, index = np.unique(corner, return_index=True, return_inverse=True)
    index = index.reshape(-1, 3).astype(np.uint32)
    packer = xatlas.Atlas()
    packer.add_uv_mesh(
        flat_px.reshape(-1, 2)[first].astype(np.float32),
        index,
        chart[:, None].astype(np.uint32),
    )
    options = xatlas.PackOptions()
    options.padding, options.bilinear, options.texels_per_unit = PADDING_PX, True, 1.0
    packer.generate(xatlas.ChartOptions(), options)
    _, corners, uv = packer[0]
    size = np.array([packer.width, packer.height], np.float32)
    return Atlas((uv * size)[corners].reshape(-1, 3, 2), int(packer.width), int(packer.height))
