# SPDX-License-Identifier: Apache-2.0
"""The z-buffer against exact ray casting."""

import numpy as np

from sam3d_ros.core.types import Camera
from sam3d_ros.reconstruction.evidence.raster import render_depth

CAMERA = Camera(64, 48, np.array([[60.0, 0, 30.0], [0, 60.0, 25.0], [0, 0, 1]]))


def test_slanted_triangle_has_exact_depth():
    vertices = np.array([[-0.4, -0.3, 1.0], [0.4, -0.3, 2.0], [0.0, 0.4, 1.5]], np.float32)
    depth = render_depth(vertices, np.array([[0, 2, 1]], np.int32), CAMERA)
    rows, columns = np.nonzero(np.isfinite(depth))
    assert len(rows) > 300
    rays = np.stack([(columns - 30.0) / 60.0, (rows - 25.0) / 60.0, np.ones(len(rows))], axis=1)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0]).astype(np.float64)
    exact = (normal @ vertices[0]) / (rays @ normal)
    np.testing.assert_allclose(depth[rows, columns], exact, rtol=1e-5)


def test_nearer_face_wins():
    near = np.array([[-1, -1, 1], [1, -1, 1], [0, 1, 1]], np.float32)
    vertices = np.concatenate([near * [1, 1, 2], near]).astype(np.float32)
    depth = render_depth(vertices, np.array([[0, 2, 1], [3, 5, 4]], np.int32), CAMERA)
    assert depth[25, 30] == 1.0


def test_behind_the_camera_is_not_drawn():
    vertices = np.array([[-1, -1, -1], [1, -1, -1], [0, 1, -1]], np.float32)
    assert np.isinf(render_depth(vertices, np.array([[0, 1, 2]], np.int32), CAMERA)).all()


def test_the_back_of_a_face_is_not_drawn():
    vertices = np.array([[-1, -1, 1], [1, -1, 1], [0, 1, 1]], np.float32)
    front, back = np.array([[0, 2, 1]], np.int32), np.array([[0, 1, 2]], np.int32)
    assert np.isfinite(render_depth(vertices, front, CAMERA)).any()
    assert np.isinf(render_depth(vertices, back, CAMERA)).all()
