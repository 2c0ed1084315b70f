# SPDX-License-Identifier: Apache-2.0
"""Decimation keeps the shape, the colours and the labels, and the promised count."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull, cKDTree

from sam3d_ros.core.types import Mesh
from sam3d_ros.geometry.shapes.decimate import decimated


@pytest.fixture(scope='module')
def ball() -> Mesh:
    """A unit ball of 4000 corners: red above, blue below; labelled 0 above, 1 below."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    faces = ConvexHull(points).simplices.astype(np.int32)
    colors = np.where(points[:, 2:] > 0, [[200, 0, 0]], [[0, 0, 200]]).astype(np.uint8)
    low = (points[faces].mean(axis=1)[:, 2] < 0).astype(np.uint8)
    return Mesh(points.astype(np.float32), faces, colors, low, low.astype(np.float32))


@pytest.mark.parametrize('most', [100, 1000, 5000])
def test_few_faces_near_the_surface(ball, most):
    small = decimated(ball, most)
    assert most / 3 < len(small.faces) <= most
    assert len(small.face_labels) == len(small.face_confidence) == len(small.faces)
    assert small.faces.max() < len(small.vertices_m) == len(small.colors)
    distance, _ = cKDTree(ball.vertices_m).query(small.vertices_m)
    assert distance.max() < 4.0 / np.sqrt(most)


def test_colours_and_labels_stay_in_place(ball):
    small = decimated(ball, 1000)
    top = small.vertices_m[:, 2] > 0.3
    assert (small.colors[top] == [200, 0, 0]).all()
    middles = small.vertices_m[small.faces].mean(axis=1)[:, 2]
    assert (small.face_labels[middles > 0.3] == 0).all()
    assert (small.face_labels[middles < -0.3] == 1).all()


def test_a_small_mesh_is_left_alone(ball):
    assert decimated(ball, len(ball.faces)) is ball


def test_same_result_twice(ball):
    first, second = decimated(ball, 500), decimated(ball, 500)
    assert np.array_equal(first.vertices_m, second.vertices_m)
    assert np.array_equal(first.faces, second.faces)
