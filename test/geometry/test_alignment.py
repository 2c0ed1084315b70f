# SPDX-License-Identifier: Apache-2.0
"""Fits must recover any motion, and be the best of least squares under noise."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.alignment import rigid_fit, similarity_fit
from sam3d_ros.geometry.transforms import apply, transform


def case(seed):
    rng = np.random.default_rng(seed)
    T = transform(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))
    return rng, T, rng.normal(size=(20, 3)) * [1.0, 0.5, 0.2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 50.0))
def test_fits_recover_any_motion(seed, scale):
    _, T, points = case(seed)
    np.testing.assert_allclose(rigid_fit(points, apply(T, points)), T, atol=1e-9)
    S = T.copy()
    S[:3, :3] *= scale
    np.testing.assert_allclose(similarity_fit(points, apply(S, points)), S, atol=1e-7 * scale)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_no_small_change_fits_better(seed):
    rng, T, points = case(seed)
    target = apply(T, points) + rng.normal(scale=0.05, size=points.shape)
    best = rigid_fit(points, target)
    assert np.linalg.det(best[:3, :3]) > 0

    def error(X):
        return np.square(apply(X, points) - target).sum()

    for axis in np.eye(3):
        turn = transform(Rotation.from_rotvec(1e-3 * axis).as_matrix(), np.zeros(3))
        assert error(best @ turn) >= error(best)
        assert error(transform(np.eye(3), 1e-3 * axis) @ best) >= error(best)


def test_scale_is_clipped_and_the_centroids_still_meet():
    _, T, points = case(3)
    S = similarity_fit(points, apply(T, 3.0 * points), scale_range=(0.8, 1.25))
    assert np.isclose(np.cbrt(np.linalg.det(S[:3, :3])), 1.25)
    np.testing.assert_allclose(
        apply(S, points).mean(axis=0), apply(T, 3.0 * points).mean(axis=0), atol=1e-9
    )
