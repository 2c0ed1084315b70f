# SPDX-License-Identifier: Apache-2.0
"""Views of one surface taken with known gains are brought back to the first one's light."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.reconstruction.appearance.exposure import exposure_gains

GAIN = st.floats(0.5, 1.6)


def views(gains, seed=0, points=400):
    """Return what views with these gains show of the same surface, with sensor noise, and seen."""
    rng = np.random.default_rng(seed)
    light = rng.uniform(0.02, 0.5, (points, 3))
    seen = rng.random((len(gains), points)) < 0.7
    shown = (
        np.asarray(gains)[:, None, None] * light if np.ndim(gains) == 1 else gains[:, None] * light
    )
    shown = shown * rng.normal(1.0, 0.03, shown.shape)
    return shown.astype(np.float32), seen


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(GAIN, GAIN, GAIN), min_size=2, max_size=5), st.integers(0, 99))
def test_known_gains_come_back(gains, seed):
    taken = np.array(gains)
    found = exposure_gains(*views(taken, seed))
    assert np.array_equal(found[0], np.ones(3))
    assert np.allclose(found * taken, taken[0], rtol=0.02)


def test_one_view_stays_as_it_is():
    assert np.array_equal(exposure_gains(*views([1.3])), np.ones((1, 3)))


def test_views_without_common_points_stay_as_they_are():
    light, seen = views([1.0, 1.5])
    seen[0], seen[1] = np.arange(400) < 200, np.arange(400) >= 200
    assert np.array_equal(exposure_gains(light, seen), np.ones((2, 3)))


def test_a_view_that_meets_the_first_through_another_is_balanced_too():
    light, seen = views([1.0, 1.4, 0.7])
    index = np.arange(400)
    seen[0], seen[1], seen[2] = index < 150, (index > 50) & (index < 350), index > 250
    found = exposure_gains(light, seen)
    assert np.allclose(found[:, 0] * [1.0, 1.4, 0.7], 1.0, rtol=0.02)


@pytest.mark.parametrize('share', [0.1, 0.3])
def test_highlights_that_move_do_not_pull(share):
    light, seen = views([1.0, 1.25, 0.8])
    for k in range(3):
        glare = np.random.default_rng(k).random(light.shape[1]) < share / 2
        light[k, glare] += 0.35
    found = exposure_gains(light, seen)
    assert np.allclose(found * np.array([1.0, 1.25, 0.8])[:, None], 1.0, rtol=0.05)


def test_saturated_pixels_do_not_count():
    light, seen = views([1.0, 1.5])
    light[0, :200], light[1, :200] = 0.8, 1.0
    assert np.allclose(exposure_gains(light, seen)[1], 1 / 1.5, rtol=0.02)
