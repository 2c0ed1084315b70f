# SPDX-License-Identifier: Apache-2.0
"""Convex parts cover their mesh, are convex, few and small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from sam3d_ros.geometry.shapes.convex import MOST_CORNERS, convex_hull, convex_parts, held_above


def box(low, high, steps: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return a box whose sides are grids of ``steps`` squares."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, steps + 1)] * 2, indexing='ij'), -1)
    at = np.arange((steps + 1) ** 2).reshape(steps + 1, steps + 1)
    a, b, c, d = (x.reshape(-1) for x in (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]))
    one_side = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertices, faces = [], []
    for axis in range(3):
        for end in (0.0, 1.0):
            side = np.insert(grid.reshape(-1, 2), axis, end, axis=1)
            turned = one_side if (end == 1.0) == (axis != 1) else one_side[:, ::-1]
            faces.append(turned + len(vertices) * len(side))
            vertices.append(side)
    low, high = np.asarray(low, float), np.asarray(high, float)
    return np.concatenate(vertices) * (high - low) + low, np.concatenate(faces)


def outside_m(part, points) -> np.ndarray:
    """Return how far points lie outside a part, negative inside; checks faces' orientation."""
    triangles = part.corners_m[part.faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals[lengths[:, 0] > 1e-12] / lengths[lengths[:, 0] > 1e-12]
    origins = triangles[lengths[:, 0] > 1e-12, 0]
    return (points @ normals.T - (normals * origins).sum(axis=1)).max(axis=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 400), st.floats(0.02, 1.0))
def test_a_hull_contains_its_points_with_few_corners(seed, count, flatness):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 3)) * [1.0, 0.5, flatness]
    part = convex_hull(points)
    assert len(part.corners_m) <= MOST_CORNERS
    assert outside_m(part, points).max() < 1e-6
    assert outside_m(part, part.corners_m.mean(axis=0)[None]).max() < 0
    assert outside_m(part, part.corners_m).max() < 1e-6


def test_a_round_hull_is_barely_larger():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(3000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    part = convex_hull(points)
    assert 1.0 <= ConvexHull(part.corners_m).volume / ConvexHull(points).volume < 1.2


@pytest.mark.parametrize('points', [np.eye(3), np.zeros((4, 3)), np.eye(3)[:2]])
def test_flat_points_get_a_thickness(points):
    part = convex_hull(points)
    assert ConvexHull(part.corners_m).volume > 0
    assert outside_m(part, points).max() < 0


def test_a_box_is_one_part():
    parts = convex_parts(*box((0, 0, 0), (0.1, 0.2, 0.3)))
    assert len(parts) == 1
    assert ConvexHull(parts[0].corners_m).volume == pytest.approx(0.006, rel=1e-4)


def test_an_l_shape_is_split_and_still_covered():
    wide, faces = box((0, 0, 0), (0.3, 0.1, 0.1))
    tall, more = box((0, 0, 0), (0.1, 0.1, 0.4))
    vertices, faces = np.concatenate([wide, tall]), np.concatenate([faces, more + len(wide)])
    parts = convex_parts(vertices, faces)
    volume = sum(ConvexHull(part.corners_m).volume for part in parts)
    assert 2 <= len(parts) <= 8
    assert volume < 0.8 * ConvexHull(vertices).volume
    samples = vertices[faces].mean(axis=1)
    for points in (vertices, samples):
        assert np.min([outside_m(part, points) for part in parts], axis=0).max() < 1e-6


def test_no_faces_no_parts():
    assert convex_parts(np.zeros((0, 3)), np.zeros((0, 3), np.int32)) == ()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1.0, 1.0), st.floats(0.0, 0.3))
def test_what_is_put_onto_a_plane_is_still_covered(seed, offset, level):
    rng = np.random.default_rng(seed)
    inside = rng.uniform(-1.0, 1.0, (300, 3))
    part = convex_hull(inside)
    normal = rng.normal(size=3)
    plane = np.append(normal / np.linalg.norm(normal), offset)
    held = held_above(part, plane, level)
    heights = inside @ plane[:3] + plane[3]
    moved = inside - np.where(heights < level, heights, 0.0)[:, None] * plane[:3]
    assert outside_m(held, moved).max() < 1e-6
    if len(held.corners_m) < MOST_CORNERS // 2:
        assert (held.corners_m @ plane[:3] + plane[3]).min() > -2e-4
