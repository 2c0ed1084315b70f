# SPDX-License-Identifier: Apache-2.0
"""Which turns and mirror planes leave a closed surface as it is, and which way up it belongs.

Axes and normals are tried, not searched for: a plane of symmetry holds the centroid, and its
normal is a principal axis (Minovic, Ishikawa and Kato, "Symmetry identification of a 3-D object
represented by octree", PAMI 1993); so is an axis of rotation.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.transform import Rotation

from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import FloatArray, IndexArray
from sam3d_ros.geometry.shapes.meshes import sample_surface
from sam3d_ros.geometry.transforms import transform

FOLDS = (6, 5, 4, 3, 2)
TURNS_RAD = np.deg2rad([37.0, 71.0, 113.0, 151.0, 180.0])
"""What leaves a surface as it is under all of these is a surface of revolution."""
YAWS_RAD = np.deg2rad(np.arange(0.0, 180.0, 15.0))
MOVED, FIXED = 250, 8_000
"""Points that are moved, and points that they are compared with."""
NEARLY_ALL = 0.95
"""Share of the moved surface that has to be near: a handle is little of a cup."""
ALIKE = 0.12
"""Distance of the moved surface from itself, over its mean distance from the axis or plane, up to
which it is the same."""
ROUNDISH, EDGED = 1.7, 0.5
"""So many times as far off a surface may still be one of revolution, if no turn from edge to edge
brings that share of its distance."""
ROUND = 0.85
"""Extents that are more alike than this give a ball, which stands any way."""
UNEVEN, HOLLOW = 0.01, 0.05
"""Distance of the centres of mass of hull and solid, over the height, that tells the ends of what
turns about an axis, and of all else."""
OPEN, CLOSED = 0.3, 0.15
"""A vessel lets one look so far into one of its ends along its axis at least, over its length, and
so far into the other one at most."""
SIGHTS, SIGHT_SHARE = 6, 0.15
"""Lines of sight around the axis, and how far from it they are, over the mean distance from it;
nearer where the shape is flat."""
SLENDER = 5.0
"""What is so much longer than wide lies."""
SAME_AXIS = 0.995
CIRCLE = 36
"""Turns that stand for all of them."""


def symmetry_of(vertices: FloatArray, faces: IndexArray, alike: float = ALIKE) -> Symmetry:
    """Return the symmetry of a surface: the one with the most turns, else a mirror plane.

    :param vertices: (V, 3) in a frame whose z is a likely axis.
    :param faces: (F, 3) indices of vertices.
    :param alike: distance of nearly all of the moved surface from itself, over its mean distance
        from the axis or plane, up to which it is the same.
    """
    still = sample_surface(vertices, faces, FIXED)
    moving = sample_surface(vertices, faces, MOVED, seed=1)
    middle = still.mean(axis=0)
    tree = cKDTree(still - middle)
    points = moving - middle
    # Two draws of the same surface are this far apart.
    least = float(np.quantile(tree.query(points)[0], NEARLY_ALL))
    axes = np.array([[0.0, 0.0, 1.0]])
    principal = np.linalg.eigh(np.cov((still - middle).T))[1].T
    for axis in np.concatenate([principal, np.eye(3)[:2]]):
        if np.abs(axes @ axis).max() < SAME_AXIS:
            axes = np.concatenate([axes, axis[None]])

    def off(maps: FloatArray, reach: FloatArray) -> FloatArray:
        """(K, M) how far (K, M, 3, 3) maps take the surface from itself, over (K,) its reach."""
        moved = np.einsum('kmij,pj->kmpi', maps, points)
        away = np.quantile(tree.query(moved)[0], NEARLY_ALL, axis=-1) - least
        return np.asarray(away / reach[:, None], np.float64)

    def turned(axes: FloatArray, angle_rad: float) -> FloatArray:
        """(A, 1, 3, 3) turns about (A, 3) axes."""
        turns: FloatArray = Rotation.from_rotvec(axes * angle_rad).as_matrix()
        return turns[:, None]

    along = points @ axes.T
    radius = np.sqrt(np.square(points).sum(axis=1)[:, None] - np.square(along)).mean(axis=0)
    left, worst = np.arange(len(axes)), np.zeros(len(axes))
    for angle in TURNS_RAD:
        if not len(left):
            break
        away = off(turned(axes[left], angle), radius[left])[:, 0]
        worst[left] = np.maximum(worst[left], away)
        left = left[worst[left] <= ROUNDISH * alike]
    roundest = int(left[np.argmin(worst[left])]) if len(left) else -1
    if len(left) and worst[roundest] <= alike:
        return Symmetry('revolution', 0, axes[roundest], middle)
    folded = np.stack([off(turned(axes, 2 * np.pi / fold), radius)[:, 0] for fold in FOLDS])
    # What is nearly round has edges only where turns from edge to edge fit much better.
    if len(left) and folded[:-1].min() > EDGED * worst[roundest]:
        return Symmetry('revolution', 0, axes[roundest], middle)
    for fold, away in zip(FOLDS, folded, strict=True):
        if away.min() <= alike:
            return Symmetry('rotation', fold, axes[np.argmin(away)], middle)
    level = np.stack([np.cos(YAWS_RAD), np.sin(YAWS_RAD), np.zeros(len(YAWS_RAD))], axis=1)
    normals = np.concatenate([axes, level])
    flips = np.eye(3) - 2.0 * normals[:, :, None] * normals[:, None]
    mirrored = off(flips[:, None], np.abs(points @ normals.T).mean(axis=0))[:, 0]
    best = int(np.argmin(mirrored))
    kind = 'mirror' if mirrored[best] <= alike else 'none'
    return Symmetry(kind, 1, normals[best], middle)


def moved_symmetry(symmetry: Symmetry, T_new_old: FloatArray) -> Symmetry:
    """Return a symmetry in another frame.

    :param T_new_old: (4, 4) rigid.
    """
    R, t = T_new_old[:3, :3], T_new_old[:3, 3]
    return Symmetry(symmetry.kind, symmetry.fold, R @ symmetry.axis, R @ symmetry.origin_m + t)


def same_poses(symmetry: Symmetry | None) -> FloatArray:
    """Return (K, 4, 4) rigid motions that leave a shape as it is, the identity first.

    :param symmetry: of the shape; of a surface of revolution ``CIRCLE`` turns stand for all.
    """
    count = 1 if symmetry is None else symmetry.fold or CIRCLE
    motions = [np.eye(4)]
    for number in range(1, count):
        assert symmetry is not None
        R = Rotation.from_rotvec(symmetry.axis * 2 * np.pi * number / count).as_matrix()
        motions.append(transform(R, symmetry.origin_m - R @ symmetry.origin_m))
    return np.stack(motions)


def looks_same(points: FloatArray, R: FloatArray) -> bool:
    """Return whether a shape turned about its middle is as it was.

    :param points: (N, 3) thousands, evenly spread over its surface.
    :param R: (3, 3) rotation.
    """
    still = points - points.mean(axis=0)
    moving = still[::20]
    away = cKDTree(still).query(moving @ R.T)[0]
    reach = float(np.linalg.norm(moving, axis=1).mean())
    return bool(np.quantile(away, NEARLY_ALL) <= ALIKE * reach)


def canonical_up(
    vertices: FloatArray, faces: IndexArray, symmetry: Symmetry, up: FloatArray
) -> FloatArray:
    """Return the (3,) direction of a closed shape that is up when it stands as it belongs.

    Where one end of an axis is open, that end is up, however the outside narrows. Else hollow or
    narrow ends belong up: there the hull holds what the shape does not. What turns about an axis
    stands on it, unless it is slender. All else belongs the way it stands now, and so does what is
    flat.

    :param vertices: (V, 3).
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param symmetry: of the shape, in the same frame.
    :param up: (3,) unit, against gravity, as it stands now.
    """
    try:
        hull = ConvexHull(vertices)
    except QhullError:
        return up
    corners = vertices[hull.simplices]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum('fc,fc->f', normals, hull.equations[:, :3]) < 0
    outer = np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices)
    missing = _centre_of_mass(vertices, outer) - _centre_of_mass(vertices, faces)
    principal = np.linalg.eigh(np.cov(vertices.T))[1].T
    turns = symmetry.fold not in (1, 2)
    axes = symmetry.axis[None] if turns else principal
    if symmetry.kind == 'mirror':
        axes = principal - np.outer(principal @ symmetry.axis, symmetry.axis)
        length = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = (axes / np.maximum(length, 1e-9))[length[:, 0] > 0.5]
    along = np.ptp(vertices @ axes.T, axis=0)
    open_ends = [
        (first - second) * axis
        for axis, length in zip(axes, along, strict=True)
        for first, second in [_depths(vertices, faces, axis, symmetry.origin_m) / length]
        if max(first, second) > OPEN and min(first, second) < CLOSED
    ]
    if open_ends:
        widest = max(open_ends, key=lambda end: float(np.linalg.norm(end)))
        return np.asarray(widest / np.linalg.norm(widest), np.float64)
    uneven = axes @ missing / along
    if not turns:
        best = int(np.argmax(np.abs(uneven)))
        hollow = abs(uneven[best]) > HOLLOW
        return np.asarray(axes[best] * np.sign(uneven[best]) if hollow else up, np.float64)
    extents, axis = np.ptp(vertices @ principal.T, axis=0), axes[0]
    if along[0] > SLENDER * float(np.median(extents)):
        return up
    if abs(uneven[0]) >= UNEVEN:
        return np.asarray(axis * np.sign(uneven[0]), np.float64)
    if extents.min() > ROUND * extents.max():
        return up
    return np.asarray(axis * (1.0 if up @ axis >= 0 else -1.0), np.float64)


def _depths(
    vertices: FloatArray, faces: IndexArray, axis: FloatArray, origin_m: FloatArray
) -> FloatArray:
    """(2,) how far one looks into either end of an axis, the one that it points to first."""
    return np.array([sight_m(vertices, faces, sign * axis, origin_m) for sign in (1, -1)])


def sight_m(
    vertices: FloatArray, faces: IndexArray, axis: FloatArray, origin_m: FloatArray
) -> float:
    """Return how far lines of sight along -axis, close to it, go below a surface's top before they
    meet a face: as deep as a vessel is.

    :param vertices: (V, 3) of a closed surface, metres.
    :param faces: (F, 3) indices of vertices.
    :param axis: (3,) unit, upwards.
    :param origin_m: (3,) a point on it.
    """
    heights = vertices @ axis
    level = vertices - origin_m - np.outer((vertices - origin_m) @ axis, axis)
    # The two longer ways across, along which what is flat is seen to be flat.
    flat = level @ np.linalg.eigh(level.T @ level)[1][:, 1:]
    reach = SIGHT_SHARE * 0.5 * np.pi * np.abs(flat).mean(axis=0)
    angles = 2 * np.pi * np.arange(SIGHTS) / SIGHTS
    depths = []
    for at in reach * np.stack([np.cos(angles), np.sin(angles)], axis=1):
        a, b, c = (flat[faces[:, k]] - at for k in range(3))
        # Twice the areas of the triangles between the line and each side, in the plane across.
        areas = np.stack(
            [p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((b, c), (c, a), (a, b))]
        )
        met = (areas >= 0).all(axis=0) | (areas <= 0).all(axis=0)
        met &= np.abs(areas.sum(axis=0)) > 0
        shares = areas[:, met] / areas[:, met].sum(axis=0)
        highest = np.einsum('kf,fk->f', shares, heights[faces[met]]).max(initial=heights.min())
        depths.append(heights.max() - highest)
    return float(np.median(depths))


def _centre_of_mass(vertices: FloatArray, faces: IndexArray) -> FloatArray:
    """(3,) of the solid within a closed surface."""
    corners = vertices[faces]
    signed = np.einsum('ij,ij->i', corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return np.asarray(signed @ corners.sum(axis=1) / (4 * signed.sum()), np.float64)
