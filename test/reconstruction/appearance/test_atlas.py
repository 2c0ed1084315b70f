# SPDX-License-Identifier: Apache-2.0
"""Charts lie side by side in the image, keep their scale, and stay within the limit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from sam3d_ros.reconstruction.appearance.atlas import unwrap
from sam3d_ros.reconstruction.evidence.raster import cover


def hull(points):
    """Return vertices and outward faces of the convex hull of points on a surface."""
    found = ConvexHull(points)
    faces = found.simplices.copy()
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum('fc,fc->f', normals, found.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return points.astype(np.float32), faces.astype(np.int32)


def box(size=(0.06, 0.10, 0.14), steps=6):
    """A box, its sides cut into triangles."""
    sides = np.stack(np.meshgrid(*[np.linspace(-1, 1, steps)] * 3, indexing='ij'), -1)
    points = sides.reshape(-1, 3)
    return hull(points[np.abs(points).max(axis=1) == 1] * np.array(size) / 2)


def ball(corners, seed, radius_m=0.05):
    points = np.random.default_rng(seed).standard_normal((corners, 3))
    return hull(radius_m * points / np.linalg.norm(points, axis=1, keepdims=True))


def areas(corners):
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    if corners.shape[2] == 2:
        return 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    return 0.5 * np.linalg.norm(np.cross(a, b), axis=1)


def overlap(atlas):
    """Share of the texels that lie well inside more than one face."""
    covered = cover(atlas.uv_px.astype(np.float64) - 0.5, atlas.width, atlas.height)
    inner = covered.pixel[covered.weights.min(axis=1) > 1e-3]
    return float((np.unique(inner, return_counts=True)[1] > 1).mean())


def test_a_box_is_six_charts_without_stretch():
    vertices, faces = box()
    atlas = unwrap(vertices, faces, 1000.0, 1024)
    assert np.allclose(areas(atlas.uv_px), 1e6 * areas(vertices[faces]), rtol=1e-3)
    assert overlap(atlas) == 0.0
    covered = cover(atlas.uv_px.astype(np.float64) - 0.5, atlas.width, atlas.height)
    whole = 1e6 * areas(vertices[faces]).sum()
    assert len(np.unique(covered.pixel)) == pytest.approx(whole, rel=0.03)


@settings(max_examples=12, deadline=None)
@given(st.integers(30, 1500), st.integers(0, 99), st.sampled_from([256, 1024]))
def test_every_face_has_its_own_place_inside_the_image(corners, seed, limit_px):
    vertices, faces = ball(corners, seed)
    atlas = unwrap(vertices, faces, 4000.0, limit_px)
    assert atlas.uv_px.shape == (len(faces), 3, 2) and atlas.uv_px.dtype == np.float32
    assert max(atlas.width, atlas.height) <= limit_px
    assert atlas.uv_px.min() >= 0
    assert (atlas.uv_px <= [atlas.width, atlas.height]).all()
    assert overlap(atlas) == 0.0


def test_charts_are_few_on_a_bumpy_surface():
    vertices, faces = ball(2000, 1)
    bumps = np.random.default_rng(2).normal(0.0, 0.0004, vertices.shape)
    atlas = unwrap((vertices + bumps).astype(np.float32), faces, 1000.0, 1024)
    corner = faces.reshape(-1), atlas.uv_px.reshape(-1, 2)
    places = len(np.unique(np.column_stack(corner), axis=0))
    assert places < 1.4 * len(vertices), 'more than two fifths of the vertices lie on seams'


def test_same_surface_same_atlas():
    first, second = (unwrap(*ball(400, 3), 1500.0, 512) for _ in range(2))
    assert np.array_equal(first.uv_px, second.uv_px)
    assert (first.width, first.height) == (second.width, second.height)
