# SPDX-License-Identifier: Apache-2.0
"""Gaussians as a camera sees them: places, sizes, order, opacity."""

import numpy as np

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.shapes.splatting import draw_gaussians

CAMERA = Camera(80, 60, np.array([[100.0, 0, 39.5], [0, 100.0, 29.5], [0, 0, 1]]))


def made(means, sigmas, colors, opacities):
    count = len(means)
    return Gaussians(
        np.float32(means),
        np.tile(np.float32([0, 0, 0, 1]), (count, 1)),
        np.float32(sigmas),
        np.float32(colors),
        np.float32(opacities),
    )


def test_one_is_where_it_projects_and_as_large():
    one = made([[0.1, -0.05, 1.0]], [[0.05, 0.02, 0.001]], [[1, 0, 0]], [0.9])
    color, opacity = draw_gaussians(one, CAMERA, np.eye(4))
    rows, columns = np.indices(opacity.shape)
    weight = opacity / opacity.sum()
    middle = (weight * columns).sum(), (weight * rows).sum()
    np.testing.assert_allclose(middle, [49.5, 24.5], atol=0.1)
    spread = np.sqrt((weight * (columns - middle[0]) ** 2).sum())
    assert abs(spread - 5.0) < 0.4
    assert 0.85 < opacity.max() <= 0.9
    np.testing.assert_allclose(color[..., 0], opacity, atol=1e-6)
    assert color[..., 1:].max() == 0


def test_the_nearer_one_is_laid_over_the_other():
    both = made([[0, 0, 1.2], [0, 0, 1.0]], [[0.05] * 3] * 2, [[0, 0, 1], [1, 0, 0]], [0.99, 0.6])
    color, opacity = draw_gaussians(both, CAMERA, np.eye(4))
    np.testing.assert_allclose(color[30, 40], [0.6, 0, 0.4 * 0.99], atol=0.02)
    assert opacity[30, 40] > 0.99


def test_what_is_behind_the_camera_or_beside_the_image_is_not_drawn():
    some = made([[0, 0, -1], [5, 0, 1]], [[0.05] * 3] * 2, [[1, 1, 1]] * 2, [0.9, 0.9])
    color, opacity = draw_gaussians(some, CAMERA, np.eye(4))
    assert opacity.max() == 0 and color.max() == 0
