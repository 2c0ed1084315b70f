# SPDX-License-Identifier: Apache-2.0
"""A plane sampled on a lattice comes back whole; edges and real dropouts stay open."""

import numpy as np

from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.pointmaps.sources.lattice import close_lattice

CAMERA = Camera(90, 60, np.array([[160.0, 0, 44.5], [0, 160.0, 29.5], [0, 0, 1]]))
NORMAL = np.array([0.3, -0.5, -1.0])


def plane(at_m=1.0):
    """Return the exact depth of a tilted plane."""
    return (at_m * NORMAL[2] / (rays(CAMERA).astype(float) @ NORMAL)).astype(np.float32)


def on_lattice(depth):
    """Return depth where only every second or third row and column was hit."""
    hit = np.zeros(depth.shape, bool)
    rows = [r for r in range(depth.shape[0]) if r % 5 in (0, 2)]
    columns = [c for c in range(depth.shape[1]) if c % 5 in (0, 2)]
    hit[np.ix_(rows, columns)] = True
    return np.where(hit, depth, np.float32(np.nan))


def test_a_plane_is_restored_exactly():
    truth = plane()
    closed = close_lattice(on_lattice(truth))[2:-4, 2:-4]
    assert np.isfinite(closed).all()
    np.testing.assert_allclose(closed, truth[2:-4, 2:-4], rtol=1e-5)


def test_a_step_is_not_bridged():
    truth = plane()
    truth[:, 46:] = plane(0.7)[:, 46:]
    closed = close_lattice(on_lattice(truth))
    known = np.isfinite(closed)
    np.testing.assert_allclose(closed[known], truth[known], rtol=1e-5)


def test_dropouts_of_a_dense_sensor_stay():
    depth = plane()
    depth[np.random.default_rng(0).random(depth.shape) < 0.05] = np.nan
    assert close_lattice(depth) is depth


def test_an_empty_image_stays_empty():
    assert np.isnan(close_lattice(np.full((8, 8), np.nan, np.float32))).all()
