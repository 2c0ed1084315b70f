# SPDX-License-Identifier: Apache-2.0
"""The fitted body: a closed surface about every capsule and an ellipsoid about the head.

Radii are fitted to the points that were seen of each limb; the parts overlap, and each is closed.
A face is observed when points were seen beside it, else it is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.people import Body, Capsule
from sam3d_ros.core.types import ByteArray, FaceLabel, FloatArray, IndexArray
from sam3d_ros.people.capsules import line_distances

SIDES, BANDS = 8, 3
"""Corners of a ring, and rings of a half sphere."""
SEEN_WITHIN_M = 0.04
LEAST_POINTS = 12
THINNEST, THICKEST = 0.6, 1.5
"""Fitted radii over usual ones."""


def fitted(capsules: Sequence[Capsule], points_m: FloatArray) -> tuple[Capsule, ...]:
    """Return capsules with radii of the body that was seen.

    :param capsules: of a body of the person's size.
    :param points_m: (N, 3) points of its surface, the capsules' frame.
    """
    if not len(points_m):
        return tuple(capsules)
    apart = line_distances(points_m, capsules)
    usual = np.array([item.radius_m for item in capsules])
    owner = np.argmin(np.abs(apart - usual), axis=1)
    made = []
    for k, capsule in enumerate(capsules):
        mine = apart[owner == k, k]
        radius = capsule.radius_m
        if len(mine) >= LEAST_POINTS:
            radius = float(np.clip(np.median(mine) / radius, THINNEST, THICKEST)) * radius
        made.append(replace(capsule, radius_m=radius))
    return tuple(made)


def body_of(capsules: Sequence[Capsule], labels: ByteArray | None = None) -> Body:
    """Return the surface of a body.

    :param capsules: limbs and trunk, the head's last.
    :param labels: (F,) of its faces, as :func:`seen_faces` made them; None = nothing was seen.
    """
    vertices = np.concatenate([_vertices(capsule) for capsule in capsules])
    corners = 2 + 2 * BANDS * SIDES
    faces = np.concatenate([_FACES + corners * k for k in range(len(capsules))])
    if labels is None:
        labels = np.full(len(faces), FaceLabel.OCCLUDED, np.uint8)
    return Body(vertices.astype(np.float32), faces.astype(np.int32), labels)


def seen_faces(body: Body, points_m: FloatArray, eye_m: FloatArray) -> ByteArray:
    """Return (F,) uint8 of FaceLabel: observed where points were seen beside a face.

    :param body: a surface.
    :param points_m: (N, 3) points of the person, the same frame.
    :param eye_m: (3,) where they were seen from.
    """
    labels = np.full(len(body.faces), FaceLabel.OCCLUDED, np.uint8)
    if len(points_m):
        corners = body.vertices_m[body.faces].astype(np.float64)
        middles = corners.mean(axis=1)
        outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        faces_eye = np.einsum('ij,ij->i', outward, eye_m - middles) > 0
        apart, _ = cKDTree(points_m).query(middles, distance_upper_bound=SEEN_WITHIN_M)
        labels[np.isfinite(apart) & faces_eye] = FaceLabel.OBSERVED
    return labels


def _template() -> tuple[FloatArray, FloatArray, IndexArray]:
    """Return unit directions of a capsule's corners, which end each is at, and its faces.

    Corners come from the start's pole by rings to the end's pole.
    """
    tilt = np.arange(BANDS) * np.pi / 2 / BANDS
    height = np.concatenate([-np.sin(tilt[::-1]), np.sin(tilt)])
    angle = np.arange(SIDES) * 2 * np.pi / SIDES
    rings = [
        np.column_stack([np.cos(angle), np.sin(angle), np.full(SIDES, z)])
        * [np.sqrt(1 - z * z), np.sqrt(1 - z * z), 1.0]
        for z in height
    ]
    directions = np.vstack([[[0, 0, -1.0]], *rings, [[0, 0, 1.0]]])
    is_end = (np.arange(len(directions)) > BANDS * SIDES).astype(np.float64)
    k = np.arange(SIDES)
    after = (k + 1) % SIDES
    faces = [np.column_stack([np.zeros(SIDES, int), 1 + after, 1 + k])]
    for ring in range(2 * BANDS - 1):
        low, high = 1 + ring * SIDES, 1 + (ring + 1) * SIDES
        faces.append(np.column_stack([low + k, low + after, high + after]))
        faces.append(np.column_stack([low + k, high + after, high + k]))
    last = len(directions) - 1
    top = last - SIDES
    faces.append(np.column_stack([top + k, top + after, np.full(SIDES, last)]))
    return directions, is_end, np.concatenate(faces).astype(np.int32)


_DIRECTIONS, _IS_END, _FACES = _template()


def _vertices(capsule: Capsule) -> FloatArray:
    """Return the corners of a capsule's surface."""
    line = capsule.end_m - capsule.start_m
    length = float(np.linalg.norm(line))
    z = line / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    x = np.cross(z, [0.0, 0.0, 1.0] if abs(z[2]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    axes = np.stack([x, np.cross(z, x), z])
    corners: FloatArray = capsule.start_m + _IS_END[:, None] * line
    return corners + capsule.radius_m * _DIRECTIONS @ axes
