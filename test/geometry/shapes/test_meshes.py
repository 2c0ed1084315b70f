# SPDX-License-Identifier: Apache-2.0
"""Surface samples of a box whose faces have known areas."""

import numpy as np
import pytest

from sam3d_ros.geometry.shapes.meshes import sample_surface

CORNERS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
FACES = np.array([f for a, b, c, d in QUADS for f in ((a, b, c), (a, c, d))], np.int32)


def test_samples_lie_on_the_surface_in_proportion_to_area():
    points = sample_surface(CORNERS, FACES, 20_000)
    assert np.abs(np.abs(points) / [1.0, 0.5, 0.5]).max(axis=1) == pytest.approx(1.0)
    on_ends = np.isclose(np.abs(points[:, 0]), 1.0).mean()
    assert on_ends == pytest.approx(2 / 10, abs=0.01)


def test_same_seed_same_samples():
    first, again = (sample_surface(CORNERS, FACES, 50, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, sample_surface(CORNERS, FACES, 50, seed=4))
