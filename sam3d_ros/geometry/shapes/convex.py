# SPDX-License-Identifier: Apache-2.0
"""Convex parts whose union covers a mesh, for collision checking.

A mesh is split by planes across its axes for as long as that makes the hulls clearly smaller in
total. A face that crosses a plane belongs to both sides, so nothing is left uncovered. Hulls with
many corners are replaced by an outer approximation made of few planes.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from sam3d_ros.core.types import ConvexPart, Float32Array, FloatArray, IndexArray

MOST_PARTS = 8
MOST_CORNERS = 64

_PLANES = 32  # a simple polyhedron of f planes has 2 f - 4 corners
_GAIN = 0.06  # what a cut must save, of the whole hull's volume
_GAIN_OF_HOLLOW = 0.005  # a bowl's first cuts save little, the later ones much
_HOLLOW = 0.6
_FULL = 0.92  # of its hull: as good as convex
_CUTS = (0.3, 0.5, 0.7)
_THICKNESS_M = 1e-4
_GRID_M = 1e-8
_SAME_NORMAL = 0.03


def convex_parts(
    vertices_m: Float32Array | FloatArray, faces: IndexArray, most_parts: int = MOST_PARTS
) -> tuple[ConvexPart, ...]:
    """Return 1..``most_parts`` convex parts that cover every face, 64 corners each at most.

    :param vertices_m: (V, 3) metres.
    :param faces: (F, 3) int32, counter-clockwise seen from outside.
    :param most_parts: more parts follow hollows more closely.

    An empty mesh has none; a flat part becomes its box, 0.1 mm thick at least.
    """
    if not len(faces):
        return ()
    vertices = vertices_m.astype(np.float64)
    sides = [_Side(vertices, faces)]
    fullness = _volume(vertices[faces]) / max(sides[0].volume, 1e-12)
    smallest_gain = (_GAIN_OF_HOLLOW if fullness < _HOLLOW else _GAIN) * sides[0].volume
    while len(sides) < most_parts and fullness < _FULL:
        at = int(np.argmax([side.gain for side in sides]))
        if sides[at].gain <= smallest_gain:
            break
        sides[at : at + 1] = sides[at].split
    return tuple(convex_hull(side.points) for side in sides)


def convex_hull(points: FloatArray) -> ConvexPart:
    """Return the hull of (N, 3) points, or a polyhedron of 64 corners at most that contains it."""
    try:
        hull = ConvexHull(points)
    except QhullError:
        low, high = points.min(axis=0) - _THICKNESS_M, points.max(axis=0) + _THICKNESS_M
        hull = ConvexHull(np.where(np.indices((2, 2, 2)).reshape(3, -1).T, high, low))
    if len(hull.vertices) > MOST_CORNERS:
        hull = _outer(hull)
    corners = hull.points[hull.vertices]
    number = np.zeros(len(hull.points), np.int32)
    number[hull.vertices] = np.arange(len(corners))
    triangles = hull.points[hull.simplices]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    inward = np.einsum('ij,ij->i', normals, hull.equations[:, :3]) < 0
    faces = number[hull.simplices]
    faces[inward] = faces[inward][:, ::-1]
    return ConvexPart(corners, faces)


def held_above(part: ConvexPart, plane: FloatArray, level_m: float) -> ConvexPart:
    """Return a part that covers what it covered, with what is less high put onto a plane.

    :param part: any.
    :param plane: (4,) nx, ny, nz, d with n @ p + d = height over it; n is a unit vector.
    :param level_m: what is less high than this, >= 0, is put there.
    """
    heights = part.corners_m @ plane[:3] + plane[3]
    if heights.min() >= level_m - _GRID_M:
        return part
    start, end = part.faces.ravel(), np.roll(part.faces, -1, axis=1).ravel()
    crosses = (heights[start] < level_m) & (heights[end] > level_m)
    start, end = start[crosses], end[crosses]
    share = ((level_m - heights[start]) / (heights[end] - heights[start]))[:, None]
    crossings = part.corners_m[start] + share * (part.corners_m[end] - part.corners_m[start])
    lowered = np.concatenate([part.corners_m[heights < level_m], crossings])
    lowered = lowered - (lowered @ plane[:3] + plane[3])[:, None] * plane[:3]
    return convex_hull(np.concatenate([part.corners_m[heights >= 0.0], lowered]))


def _directions() -> FloatArray:
    """Return (26, 3) directions: those to a cube's faces, edges and corners."""
    grid = np.indices((3, 3, 3)).reshape(3, -1).T - 1.0
    surface = grid[np.abs(grid).max(axis=1) == 1]
    directions: FloatArray = surface / np.linalg.norm(surface, axis=1, keepdims=True)
    return directions


_DIRECTIONS = _directions()


class _Side:
    """The faces on one side of the cuts so far."""

    def __init__(self, vertices: FloatArray, faces: IndexArray) -> None:
        self._vertices, self._faces = vertices, faces
        is_used = np.zeros(len(vertices), bool)
        is_used[faces] = True
        self.points = vertices[is_used]

    @cached_property
    def volume(self) -> float:
        """About the volume of the hull: that of its extreme points in fixed directions."""
        extremes = np.unique(np.argmax(self.points @ _DIRECTIONS.T, axis=0))
        try:
            return float(ConvexHull(self.points[extremes]).volume)
        except QhullError:
            return 0.0

    @cached_property
    def split(self) -> list[_Side]:
        """Both sides of the cut that leaves the least volume; empty when no cut divides it."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        best: list[_Side] = []
        for axis in range(3):
            spans = self._vertices[self._faces, axis]
            starts, ends = spans.min(axis=1), spans.max(axis=1)
            for cut in _CUTS:
                place = low[axis] + cut * (high[axis] - low[axis])
                below, above = self._faces[starts < place], self._faces[ends > place]
                if 0 < len(below) < len(self._faces) and 0 < len(above) < len(self._faces):
                    sides = [_Side(self._vertices, below), _Side(self._vertices, above)]
                    best = min(best or sides, sides, key=_total)
        return best

    @property
    def gain(self) -> float:
        """How much volume the best cut saves, m^3."""
        return self.volume - _total(self.split) if self.split else 0.0


def _volume(triangles: FloatArray) -> float:
    """Return the volume inside a closed surface of (F, 3, 3) triangles, m^3."""
    a, b, c = (triangles - triangles.mean(axis=(0, 1))).transpose(1, 0, 2)
    return abs(float(np.einsum('ij,ij->', a, np.cross(b, c)))) / 6.0


def _total(sides: list[_Side]) -> float:
    return sum(side.volume for side in sides)


def _outer(hull: ConvexHull) -> ConvexHull:
    """Return a polyhedron of few planes around a hull: its main normals, pushed to touch it."""
    corners = hull.points[hull.vertices]
    triangles = hull.points[hull.simplices]
    edges = triangles[:, 1:] - triangles[:, :1]
    areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    candidates = hull.equations[:, :3]
    # Of a face that rounding has broken into many, all count.
    _, face = np.unique(np.round(candidates / _SAME_NORMAL), axis=0, return_inverse=True)
    areas = np.bincount(face.ravel(), areas)[face.ravel()] + areas
    normals = np.concatenate([np.eye(3), -np.eye(3)])
    novelty = 1.0 - (candidates @ normals.T).max(axis=1)
    while len(normals) < _PLANES:
        chosen = candidates[np.argmax(areas * novelty)]
        normals = np.concatenate([normals, chosen[None]])
        novelty = np.minimum(novelty, 1.0 - candidates @ chosen)
    offsets = (corners @ normals.T).max(axis=0)
    planes = np.concatenate([normals, -offsets[:, None]], axis=1)
    meeting = HalfspaceIntersection(planes, corners.mean(axis=0)).intersections
    return ConvexHull(np.unique(np.round(meeting / _GRID_M) * _GRID_M, axis=0))
