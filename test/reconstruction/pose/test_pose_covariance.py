# SPDX-License-Identifier: Apache-2.0
"""What a Hessian may claim: rough normals, shared errors, views that err alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.reconstruction.pose.pose_covariance import (
    ALIKE,
    NORMAL_SIGMA_RAD,
    PATCH_M,
    averaged,
    common_noise,
    observed_information,
    shared_error,
)
from sam3d_ros.world.rendering.sensors import field


def rough_ball(rng, radius_m=0.04, points=4000):
    """Points of a ball and its normals, turned about their tangents by the believed error."""
    directions = rng.normal(size=(points, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    normals = directions + NORMAL_SIGMA_RAD * rng.normal(size=(points, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return radius_m * directions, normals


def hessian(offsets, normals, weight):
    rows = np.concatenate([normals, np.cross(offsets, normals)], axis=1)
    return (rows * weight[:, None]).T @ rows


def test_roughness_of_a_ball_does_not_hold_its_rotation():
    offsets, normals = rough_ball(np.random.default_rng(0))
    weight = np.ones(len(offsets))
    H = hessian(offsets, normals, weight)
    reduced = observed_information(H, offsets, weight)
    claimed, left = np.trace(H[3:, 3:]), np.trace(reduced[3:, 3:])
    assert left < 0.15 * claimed
    np.testing.assert_allclose(reduced[:3, :3], H[:3, :3], rtol=0.05)


def test_corners_of_a_box_still_hold_its_rotation():
    rng = np.random.default_rng(1)
    axis = rng.integers(0, 3, 3000)
    normals = np.eye(3)[axis]
    offsets = rng.uniform(-0.05, 0.05, (3000, 3))
    offsets[np.arange(3000), axis] = 0.05
    weight = rng.uniform(0.5, 1.0, 3000)
    H = hessian(offsets, normals, weight)
    reduced = observed_information(H, offsets, weight)
    assert np.linalg.eigvalsh(reduced)[0] > 0.8 * np.linalg.eigvalsh(H)[0]


def test_a_plane_says_nothing_along_itself():
    rng = np.random.default_rng(2)
    offsets = np.pad(rng.uniform(-0.05, 0.05, (500, 2)), ((0, 0), (0, 1)))
    normals = np.tile([0.0, 0.0, 1.0], (500, 1))
    weight = np.ones(500)
    reduced = observed_information(hessian(offsets, normals, weight), offsets, weight)
    values = np.linalg.eigvalsh(reduced)
    assert values.min() >= -1e-9
    assert abs(reduced[0, 0]) < 1e-6 * reduced[2, 2]


def test_points_that_err_together_count_as_one():
    rng = np.random.default_rng(3)
    cells = rng.integers(0, 8, (4000, 3))
    local = (cells + rng.uniform(0.1, 0.9, (4000, 3))) * PATCH_M
    sigma = 0.002
    weight = np.full(4000, sigma**-2)
    alone = sigma * rng.normal(size=4000)
    together = sigma * rng.normal(size=(8, 8, 8))[tuple(cells.T)]
    assert shared_error(local, alone, weight) == pytest.approx(1.0, abs=0.25)
    assert shared_error(local, together, weight) == pytest.approx(4000 / 8**3, rel=0.3)


@pytest.mark.parametrize('name', ['white', 'ideal', 'structured_light', 'd435'])
def test_returns_of_a_patch_count_as_what_its_mean_is_worth(name):
    sensor, sigma, pitch_px = MODELS[name], 0.002, 4
    pixels = pitch_px * np.stack(np.meshgrid(np.arange(12), np.arange(12)), -1).reshape(-1, 2)
    rows = np.tile([0.0, 0, 1, 0, 0, 0], (len(pixels), 1))
    variance = sigma**2
    shared = common_noise(rows / sigma, pixels.astype(float), sensor.grain)[2, 2]
    shared *= (sigma**2 / len(pixels)) ** 2
    alone = sum(share for scale, share in sensor.grain if scale == 0) / len(pixels)
    left = sensor.left_after(12 * pitch_px, pitch_px)
    assert shared + variance * alone == pytest.approx(variance * left**2, rel=1e-5)
    if sensor.grain == ((0.0, 1.0),):
        assert shared == 0


def test_a_plane_through_grain_errs_as_its_covariance_says():
    sensor, rng = MODELS['structured_light'], np.random.default_rng(4)
    rows, columns = np.mgrid[0:60:3, 0:60:3].reshape(2, -1)
    x, y = (columns - 29.0) / 600, (rows - 29.0) / 600
    A = np.stack([0 * x, 0 * x, 1 + 0 * x, y, -x, 0 * x], axis=1)
    gain = np.linalg.pinv(A.T @ A)
    said = gain @ common_noise(A, np.stack([columns, rows], 1).astype(float), sensor.grain) @ gain
    draws = np.stack([field(sensor.grain, (60, 60), rng)[rows, columns] for _ in range(400)])
    twists = draws @ A @ gain
    spread = np.square(twists).mean(axis=0)
    np.testing.assert_allclose(spread[2:5], np.diag(said)[2:5], rtol=0.3)
    independent = np.diag(gain)[2]
    assert spread[2] > 50 * independent


def test_no_returns_have_nothing_in_common():
    nothing = common_noise(np.empty((0, 6)), np.empty((0, 2)), MODELS['d435'].grain)
    np.testing.assert_array_equal(nothing, np.zeros((6, 6)))


def covariances():
    def build(seed):
        A = np.random.default_rng(seed).normal(size=(6, 6))
        return A @ A.T + 0.1 * np.eye(6)

    return st.integers(0, 10_000).map(build)


@settings(max_examples=30, deadline=None)
@given(covariances(), covariances(), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_averages_are_bounded_and_doubt_adds(before, measured, share, seed):
    twist = np.random.default_rng(seed).normal(size=6)
    steady = averaged(before, measured, share * np.eye(6), np.zeros(6))
    doubtful = averaged(before, measured, share * np.eye(6), twist)
    low = ALIKE * min(np.linalg.eigvalsh(item)[0] for item in (before, measured))
    high = max(np.linalg.eigvalsh(item)[-1] for item in (before, measured))
    assert low - 1e-9 <= np.linalg.eigvalsh(steady)[0]
    assert np.linalg.eigvalsh(steady)[-1] <= high + 1e-9
    assert np.linalg.eigvalsh(doubtful - steady)[0] >= -1e-9


def test_many_views_that_err_alike_make_a_pose_surer_by_what_they_do_not_share():
    one = np.diag([1.0, 2, 3, 4, 5, 6])
    mean = one
    for _ in range(500):
        mean = averaged(mean, one, 0.02 * np.eye(6), np.zeros(6))
    np.testing.assert_allclose(np.sqrt(np.diag(mean)), ALIKE * np.sqrt(np.diag(one)), rtol=0.03)
