# SPDX-License-Identifier: Apache-2.0
"""Inferred range is scaled to what was measured, against outliers, or refused in words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.core.errors import InputError
from sam3d_ros.pointmaps.sources.alignment import align


def references(seed, outliers, count=400, noise_m=0.02):
    """Return inferred, measured and sigma of a room between 0.6 and 4 m, in disparity.

    A LiDAR's error is the same at every range: in disparity that of near things is far larger.
    """
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.6, 4.0, count)
    disparity = 1 / z
    scale, shift = rng.uniform(0.2, 5.0), rng.uniform(-0.3, 0.3)
    measured = 1 / (z + noise_m * rng.standard_normal(count))
    wrong = rng.random(count) < outliers
    measured[wrong] = 1 / rng.uniform(0.3, 6.0, int(wrong.sum()))
    return (disparity - shift) / scale, measured, noise_m * measured**2, scale, shift


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_scale_and_shift_are_found_among_outliers(seed):
    for outliers, most in ((0.0, 0.012), (0.4, 0.025), (0.6, 0.05)):
        inferred, measured, sigma, scale, shift = references(seed, outliers)
        found = align(inferred, measured, sigma)
        assert found.scale == pytest.approx(scale, rel=most)
        assert abs(found(inferred) - (scale * inferred + shift)).max() < 2 * most
        assert found.sigma(inferred).max() < 0.1


@pytest.mark.parametrize(('outliers', 'most'), [(0.0, 0.004), (0.4, 0.005), (0.6, 0.01)])
def test_scale_errs_little_in_the_mean(outliers, most):
    errors = []
    for seed in range(40):
        inferred, measured, sigma, scale, _ = references(seed, outliers)
        errors.append(abs(align(inferred, measured, sigma).scale / scale - 1))
    assert np.mean(errors) < most


def test_residual_and_covariance_say_how_well_it_holds():
    errors, said = [], []
    for seed in range(60):
        inferred, measured, sigma, scale, _ = references(seed, 0.3)
        found = align(inferred, measured, sigma)
        errors.append(found.scale / scale - 1)
        said.append(np.sqrt(found.covariance[0, 0]) / scale)
    assert 0.5 < np.std(errors) / np.mean(said) < 2.0


def test_the_same_references_give_the_same_answer():
    inferred, measured, sigma, *_ = references(1, 0.5)
    assert align(inferred, measured, sigma).scale == align(inferred, measured, sigma).scale


def test_what_is_not_determined_is_refused_saying_what_is_missing():
    inferred, measured, sigma, *_ = references(2, 0.0)
    with pytest.raises(InputError, match='at least 12'):
        align(inferred[:5], measured[:5], sigma[:5])
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match='near and of far'):
        flat = 0.5 + 0.001 * rng.standard_normal(200)
        align(flat, 1.0 + 0.02 * rng.standard_normal(200), np.full(200, 0.02))
    with pytest.raises(InputError):
        align(np.ones(200), np.ones(200), np.full(200, 0.02))
    with pytest.raises(InputError):
        align(rng.random(400), rng.random(400) * 5, np.full(400, 0.001))
    nothing = np.full(50, np.nan)
    with pytest.raises(InputError, match='0 measured'):
        align(nothing, nothing, np.ones(50))
